//! Pages in place of errors.

use axum::http::StatusCode;

use super::{Browser, page, said};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

fn with_serde() -> TestRegistry {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for version in ["1.0.0", "1.2.0", "2.0.0"] {
        ann.publish(&Package::new("serdelike", version)).good();
    }
    registry.run_jobs();
    registry
}

#[test]
fn an_unknown_crate_or_version_is_a_404_with_the_nearest_names() {
    let registry = with_serde();
    let mut browser = Browser::new(&registry);
    let unknown = browser.get("/crates/serdelkie");
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(said(&unknown.text()).contains("There is no crate `serdelkie`"), "{}", unknown.text());
    assert!(unknown.text().contains("href=\"/crates/serdelike\""), "{}", unknown.text());
    // Two letters are others: too many for the search.
    assert!(browser.get("/crates/serbelyke").text().contains("href=\"/crates/serdelike\""));
    let version = browser.get("/crates/serdelike/1.9.9");
    assert_eq!(version.status, StatusCode::NOT_FOUND);
    let text = version.text();
    let place = |num: &str| text.find(&format!("/crates/serdelike/{num}\"")).unwrap();
    assert!(place("1.2.0") < place("1.0.0") && place("1.0.0") < place("2.0.0"), "{text}");
    let nowhere = browser.get("/nowhere/at/all");
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert!(nowhere.text().contains("There is no page at /nowhere/at/all."), "{}", nowhere.text());
    // A program gets what it can read.
    assert!(registry.anonymous().get("/nowhere").detail().contains("there is nothing at /nowhere"));
    page(&registry, "/crates/serdelike/1.0.0");
}

#[test]
fn a_deleted_version_and_a_deleted_crate_say_why() {
    let registry = with_serde();
    let root = registry.admin("root");
    root.request(axum::http::Method::DELETE, "/api/v1/crates/serdelike/1.0.0?reason=leaked%20%3Ckey%3E", "").good();
    registry.run_jobs();
    registry.run_jobs();
    let mut browser = Browser::new(&registry);
    let gone = browser.get("/crates/serdelike/1.0.0");
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(gone.text().contains("was deleted from this registry: leaked &lt;key&gt;"), "{}", gone.text());
}

#[test]
fn no_path_makes_a_page_fail() {
    let registry = with_serde();
    let mut browser = Browser::new(&registry);
    let names = ["serdelike", "%00", "%ff", "..", "a%2fb", "%3Cscript%3E", "ä", "new", &"x".repeat(300)];
    let ends = [
        "",
        "/",
        "/1.0.0",
        "/%00",
        "/versions",
        "/versions?page=0",
        "/dependents?per_page=x",
        "/diff",
        "/diff?v=%00&v=a",
        "/feed.atom",
        "/x/features",
        "/1.0.0/dependencies?x=%ff",
        "/1.0.0/status",
        "/x/status?fragment=1",
        "/1.0.0/status/events",
    ];
    for name in names {
        for end in ends {
            let path = format!("/crates/{name}{end}");
            let Ok(uri) = path.parse::<axum::http::Uri>() else { continue };
            let answer = browser.get(&uri.to_string());
            assert!(!answer.status.is_server_error(), "{path}: {} {}", answer.status, answer.text());
        }
    }
    for path in [
        "/search?q=%00",
        "/search?sort=%00&owner=%00&keyword=%00&category=%00",
        "/badges/%00.svg",
        "/badges/a",
        "/sitemap.xml?part=99999999",
        "/keywords?page=1000000",
        "/search?page=1000000",
        "/sign-in?to=%00",
    ] {
        let answer = browser.get(path);
        assert!(!answer.status.is_server_error(), "{path}: {} {}", answer.status, answer.text());
    }
}

/// Tests that start a server.
mod slow {
    use diesel::connection::SimpleConnection;

    use crate::support::event::wait_for;
    use crate::support::http;
    use crate::support::package::Package;
    use crate::support::process::Served;

    #[test]
    fn without_its_database_the_registry_says_what_still_works() {
        let served = Served::start(&["--database-pool-size", "2"]);
        http::publish(&served.url, &served.token("ann"), &Package::new("foo", "1.0.0")).good();
        http::get_page(&format!("{}/crates/foo", served.url)).good();
        let name = served.database.name().to_owned();
        let mut administrator = crate::support::cluster::administrator();
        administrator
            .batch_execute(&format!(
                "ALTER DATABASE {name} ALLOW_CONNECTIONS false;
                 SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            ))
            .unwrap();
        let page = wait_for("the outage", || {
            Some(http::get_page(&format!("{}/crates/foo", served.url))).filter(|page| page.status == 503)
        });
        assert!(page.text().contains("cargo still reads the index"), "{}", page.text());
        assert_eq!(page.retry_after, Some(2));
        http::get_page(&format!("{}/me", served.url)).good();
        http::get(&format!("{}/index/config.json", served.url)).good();
        administrator.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).unwrap();
    }
}
