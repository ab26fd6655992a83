//! The page on which admins reserve names and release them.

use axum::http::{Method, StatusCode};
use diesel::RunQueryDsl;

use super::{Browser, said};
use crate::sign_in::{logged, place, send, set_password};
use crate::support::harness::{Answer, TestRegistry};
use crate::support::package::Package;

const PASSWORD: &str = "correct horse battery staple";
const PAGE: &str = "/admin/reserved-names";

fn root(registry: &TestRegistry) -> Browser<'_> {
    registry.admin("root");
    set_password(registry, "root", PASSWORD)
}

fn reserve(root: &mut Browser<'_>, name: &str, reason: &str) -> Answer {
    send(root, PAGE, PAGE, &[("name", name), ("reason", reason)])
}

fn release(root: &mut Browser<'_>, name: &str) -> Answer {
    send(root, PAGE, "/admin/reserved-names/release", &[("name", name)])
}

/// The rows of the table: the cells as text, without the button.
fn rows(html: &str) -> Vec<Vec<String>> {
    let Some((_, table)) = html.split_once("<tbody>") else { return Vec::new() };
    let (table, _) = table.split_once("</tbody>").unwrap();
    let cell = |cell: &str| {
        let text = cell.split_once('>').unwrap().1;
        text.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect::<String>()
    };
    let cells = |row: &str| row.replace("<th", "<td").split("<td").skip(1).take(4).map(cell).collect();
    table.split("<tr>").skip(1).map(cells).collect()
}

#[test]
fn a_name_is_reserved_for_admins_until_it_is_released() {
    let registry = TestRegistry::new();
    let mut root = root(&registry);
    assert!(root.get(PAGE).good().text().contains("There is none."));
    assert_eq!(
        place(&reserve(&mut root, " Acme-Core ", " For <b>the</b> core team ")),
        "/admin/reserved-names?notice=reserved"
    );
    let refused = registry.user("ann").publish(&Package::new("acme_core", "1.0.0"));
    assert!(refused.text().contains("For <b>the</b> core team"), "{}", refused.text());
    assert_eq!(
        place(&reserve(&mut root, "acme_core", "For <b>the</b> core team")),
        "/admin/reserved-names?notice=same"
    );
    assert_eq!(place(&reserve(&mut root, "acme_core", "For us")), "/admin/reserved-names?notice=reserved");
    let html = root.get(PAGE).good().text();
    assert_eq!(rows(&html), [["acme_core", "reserved", "For us", "root"]], "{html}");
    assert_eq!(place(&release(&mut root, "ACME-core")), "/admin/reserved-names?notice=released");
    registry.user("ann").publish(&Package::new("acme-core", "1.0.0")).good();
    registry.run_jobs();
    let refused = release(&mut root, "acme-core");
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let html = said(&refused.text());
    assert!(html.contains("The name `acme-core` is neither reserved nor that of a deleted crate"), "{html}");
    // That of a crate that exists.
    assert_eq!(place(&reserve(&mut root, "acme-core", "Ours")), "/admin/reserved-names?notice=reserved-crate");
    registry.user("ann").publish(&Package::new("acme-core", "1.0.1")).good();
    registry.run_jobs();
    assert_eq!(
        logged(&registry, &["name-reserve", "name-release"]),
        [
            "name-reserve by root of -",
            "name-release by root of -",
            "name-reserve by root of -",
            "name-reserve by root of -"
        ]
    );
    let log = registry.admin("root").get("/api/v1/admin/audit?crate=acme-core&action=name-reserve").good().json();
    assert_eq!(log["entries"][1]["detail"]["reason"], "For us");
}

#[test]
fn the_name_of_a_deleted_crate_is_listed_and_released() {
    let registry = TestRegistry::new();
    let mut root = root(&registry);
    registry.user("ann").publish(&Package::new("Old-Demo", "1.0.0")).good();
    registry.run_jobs();
    registry.admin("root").request(Method::DELETE, "/api/v1/crates/old-demo?message=A%20mistake", "");
    registry.run_jobs();
    reserve(&mut root, "old-demo", "Ours");
    let html = root.get(PAGE).good().text();
    assert_eq!(
        rows(&html),
        [["old_demo", "reserved", "Ours", "root"], ["Old-Demo", "the crate was deleted", "A mistake", "root"]],
        "{html}"
    );
    // A name can be both, and is released from both.
    assert_eq!(place(&release(&mut root, "Old-Demo")), "/admin/reserved-names?notice=released");
    assert!(root.get(PAGE).good().text().contains("There is none."));
    registry.user("ann").publish(&Package::new("Old-Demo", "1.0.1")).good();
    registry.run_jobs();
    assert_eq!(logged(&registry, &["name-release"]).len(), 2);
}

#[test]
fn wrong_names_and_reasons_are_refused_with_the_remedy() {
    let registry = TestRegistry::new();
    let mut root = root(&registry);
    let long = "x".repeat(1001);
    for (name, reason, why) in [
        ("", "Ours", "No name was entered: enter the name of a crate"),
        ("1st", "Ours", "does not start with a letter"),
        ("a b", "Ours", "only ASCII letters, digits,"),
        ("core", " ", "The reservation of core needs a reason of 1 to 1000 characters"),
        ("core", &long, "The reason has 1001 characters, above the limit of 1000: shorten it"),
        ("core", "a\u{202e}b", "The reason contains"),
    ] {
        let refused = reserve(&mut root, name, reason);
        let html = refused.text();
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{name} {reason}: {html}");
        assert!(said(&html).contains(why), "{name} {reason}: {html}");
        assert!(html.contains(&format!("value=\"{name}\"")), "{name} {reason}: {html}");
    }
    assert_eq!(release(&mut root, "1st").status, StatusCode::BAD_REQUEST);
    assert_eq!(logged(&registry, &["name-reserve", "name-release"]), Vec::<String>::new());
}

#[test]
fn names_are_found_and_come_in_pages() {
    let registry = TestRegistry::new();
    let mut root = root(&registry);
    let add = "INSERT INTO reserved_names (canonical_name, reason)
               SELECT 'name_' || to_char(n, 'FM000'), 'Ours' FROM generate_series(1, 101) AS n";
    registry.pool.with(|connection| diesel::sql_query(add).execute(connection).unwrap()).unwrap();
    let mut shown = |query: &str| {
        let html = root.get(&format!("{PAGE}{query}")).good().text();
        (rows(&html).len(), html.contains("rel=\"next\""), html.contains("rel=\"prev\""))
    };
    assert_eq!(shown(""), (100, true, false));
    assert_eq!(shown("?page=2"), (1, false, true));
    assert_eq!(shown("?page=99999999999999999"), (0, false, true));
    assert_eq!(shown("?q=NAME-10"), (2, false, false));
    assert_eq!(shown("?q=%25"), (0, false, false));
    assert_eq!(shown("?q=%00"), (0, false, false));
    let html = root.get(PAGE).good().text();
    assert_eq!(rows(&html)[0], ["name_001", "reserved", "Ours", "unknown"]);
    assert_eq!(root.get("/admin/reserved-names?page=x").status, StatusCode::BAD_REQUEST);
}
