//! Who sees and sends the pages on which admins change users, teams and reserved names.

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use diesel::RunQueryDsl;
use supercargo::database::access::{teams, users};

use super::{Browser, field};
use crate::sign_in::{logged, place, send, set_password};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

const PASSWORD: &str = "correct horse battery staple";

/// The pages.
const PAGES: [&str; 5] =
    ["/admin/teams", "/admin/teams/crew", "/admin/reserved-names", "/admin/upstreams", "/admin/users/ann"];

/// A form: its page, the path that it is sent to, and its fields.
type Form = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const FORMS: [Form; 9] = [
    ("/admin/teams", "/admin/teams", &[("name", "devs")]),
    ("/admin/teams/crew", "/admin/teams/crew/add-member", &[("login", "bob")]),
    ("/admin/teams/crew", "/admin/teams/crew/remove-member", &[("login", "ann")]),
    ("/admin/teams/crew", "/admin/teams/crew/delete", &[]),
    ("/admin/reserved-names", "/admin/reserved-names", &[("name", "core"), ("reason", "Ours")]),
    ("/admin/reserved-names", "/admin/reserved-names/release", &[("name", "held")]),
    (
        "/admin/upstreams",
        "/admin/upstreams",
        &[("upstream", "acme"), ("crate", "foo"), ("decision", "block"), ("reason", "Theirs")],
    ),
    ("/admin/upstreams", "/admin/upstreams/release", &[("upstream", "acme"), ("crate", "held")]),
    ("/admin/users/ann", "/admin/users/ann/remove", &[("to", "bob")]),
];

/// What the forms would add to the log.
const ACTIONS: [&str; 9] = [
    "team-create",
    "team-member-add",
    "team-member-remove",
    "team-delete",
    "name-reserve",
    "name-release",
    "upstream-block",
    "upstream-release",
    "user-remove",
];

fn execute(registry: &TestRegistry, statement: &str) -> usize {
    registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap()
}

/// A registry with users, a team whose member is ann, and a reserved name.
fn filled() -> TestRegistry {
    let registry = TestRegistry::with_upstream();
    registry.user("bob");
    registry.user("ann").publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    let fill = |connection: &mut diesel::PgConnection| {
        let ann = users::find(connection, "ann").unwrap().unwrap();
        let crew = teams::create(connection, "crew").unwrap();
        assert!(teams::add_member(connection, crew.id, ann.id).unwrap());
    };
    registry.pool.with(fill).unwrap();
    execute(&registry, "INSERT INTO reserved_names (canonical_name, reason) VALUES ('held', 'Ours')");
    execute(
        &registry,
        "INSERT INTO upstream_rules (upstream, canonical_name, crate_name, version, decision, reason, actor)
         VALUES ('acme', 'held', 'held', '', 'allow', 'Mends', 'ops')",
    );
    registry
}

fn assert_nothing_changed(registry: &TestRegistry) {
    assert_eq!(logged(registry, &ACTIONS), Vec::<String>::new());
    let state = registry.pool.with(|connection| {
        let ann = users::find(connection, "ann").unwrap().unwrap();
        let crew = teams::find(connection, "crew").unwrap().unwrap();
        let members: Vec<_> = teams::members(connection, crew.id).unwrap().into_iter().map(|user| user.login).collect();
        let names = supercargo::database::catalog::reserved_names::list(connection).unwrap();
        (ann.removed_at.is_none(), members, teams::list(connection).unwrap().len(), names.len())
    });
    assert_eq!(state.unwrap(), (true, vec!["ann".to_owned()], 1, 1));
}

#[test]
fn only_admins_see_these_pages_and_find_their_links() {
    let registry = filled();
    registry.admin("root");
    let mut browsers = ["eve", "auditor", "root"].map(|login| set_password(&registry, login, PASSWORD));
    execute(&registry, "UPDATE users SET role = 'auditor' WHERE login = 'auditor'");
    for path in PAGES {
        assert!(place(&Browser::new(&registry).get(path)).starts_with("/sign-in?to="), "{path}");
        let [eve, auditor, root] = browsers.each_mut().map(|browser| browser.get(path).status);
        assert_eq!((eve, auditor, root), (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN, StatusCode::OK), "{path}");
    }
    // The names of teams and users are no secret that another status would reveal.
    assert_eq!(browsers[0].get("/admin/teams/none").status, StatusCode::FORBIDDEN);
    assert_eq!(browsers[2].get("/admin/teams/none").status, StatusCode::NOT_FOUND);
    let [eve, auditor, root] = browsers.each_mut().map(|browser| browser.get("/").good().text());
    for link in ["href=\"/admin/teams\"", "href=\"/admin/reserved-names\""] {
        assert!(root.contains(link) && !eve.contains(link) && !auditor.contains(link), "{link}");
    }
    for (_, path, fields) in FORMS {
        for browser in &mut browsers[..2] {
            let refused = send(browser, "/me", path, fields);
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
            assert!(refused.text().contains("is not an admin"), "{path}: {}", refused.text());
        }
    }
    assert_nothing_changed(&registry);
}

/// A stolen token of an admin must not give memberships that stay when it is revoked, and neither must a stolen session.
#[test]
fn a_token_and_an_old_session_change_nothing() {
    let registry = filled();
    let token = registry.admin("root").token.unwrap();
    let mut by_token = Browser::new(&registry);
    by_token.sign_in(&token);
    for path in PAGES {
        let html = by_token.get(path).good().text();
        let (_, content) = html.split_once("<main").unwrap();
        assert!(content.contains("which does not suffice for this"), "{path}: {content}");
        assert!(!content.contains("method=\"post\""), "{path}: {content}");
    }
    for (_, path, fields) in FORMS {
        let form_token = field(&by_token.get("/me").good().text(), "form_token");
        let refused = by_token.post(path, &[&[("form_token", form_token.as_str())], fields].concat());
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert!(refused.text().contains("which does not suffice for this"), "{path}: {}", refused.text());
    }
    let mut root = set_password(&registry, "root", PASSWORD);
    execute(&registry, "UPDATE web_sessions SET proven_at = proven_at - interval '11 minutes'");
    for (page, path, fields) in FORMS {
        let answer = send(&mut root, page, path, fields);
        let back = format!("/sign-in/again?to={}&unsent=true", page.replace('/', "%2F"));
        assert_eq!(place(&answer), back, "{path}");
    }
    assert_nothing_changed(&registry);
}

/// The rights were read when the request began, and are read again in the transaction of the change.
#[test]
fn an_admin_who_is_demoted_while_the_form_arrives_changes_nothing() {
    let registry = filled();
    registry.admin("root");
    let mut root = set_password(&registry, "root", PASSWORD);
    let form_token = field(&root.get("/me").good().text(), "form_token");
    let pairs: Vec<_> = root.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for (_, path, fields) in FORMS {
        execute(&registry, "UPDATE users SET is_admin = true WHERE login = 'root'");
        let pool = registry.pool.clone();
        let fields = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = format!("form_token={form_token}&{fields}");
        let late = futures_util::stream::once(async move {
            let demote = diesel::sql_query("UPDATE users SET is_admin = false WHERE login = 'root'");
            pool.with(|connection| demote.execute(connection).unwrap()).unwrap();
            Ok::<_, std::io::Error>(Bytes::from(form))
        });
        let request = Request::post(path).header("cookie", pairs.join("; "));
        let refused = registry.anonymous().send(request.body(Body::from_stream(late)).unwrap());
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}: {}", refused.text());
        assert!(refused.text().contains("is not an admin"), "{path}: {}", refused.text());
    }
    assert_nothing_changed(&registry);
}
