//! The versions of a crate.

use axum::http::StatusCode;
use serde_json::json;

use super::{Browser, page};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

#[test]
fn each_version_shows_what_it_changed() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let featured = |version: &str, feature: &str, size: usize| {
        Package::new("foo", version)
            .manifest(&format!("\n[features]\n{feature} = []\n"))
            .metadata("features", json!({feature: []}))
            .file("data", &vec![b'x'; size])
    };
    ann.publish(&featured("1.0.0", "old", 10)).good();
    ann.publish(&featured("1.1.0", "new", 20_000)).good();
    registry.run_jobs();
    ann.yank("foo", "1.0.0").good();
    registry.run_jobs();
    let html = page(&registry, "/crates/foo/versions");
    let text = html.replace("<bdi>", "").replace("</bdi>", "");
    assert!(text.contains("2 versions") && text.contains("<tr class=\"yanked\">"), "{html}");
    assert!(
        text.contains("<code>new</code>") && text.contains("<code>old</code>") && text.contains("+19 KiB"),
        "{html}"
    );
    let (high, low) = (html.find("/crates/foo/1.1.0\"").unwrap(), html.find("/crates/foo/1.0.0\"").unwrap());
    assert!(high < low);
    assert!(page(&registry, "/crates/foo/versions?sort=date").contains("aria-current=\"true\">date</a>"));
}

#[test]
fn two_chosen_versions_lead_to_their_difference() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for version in ["1.9.0", "1.10.0"] {
        ann.publish(&Package::new("foo", version)).good();
    }
    registry.run_jobs();
    let mut browser = Browser::new(&registry);
    let chosen = browser.get("/crates/foo/diff?v=1.10.0&v=1.9.0");
    assert_eq!(
        (chosen.status, &chosen.headers["location"]),
        (StatusCode::SEE_OTHER, &"/crates/foo/diff/1.9.0...1.10.0".parse().unwrap())
    );
    let refused = browser.get("/crates/foo/diff?v=1.9.0");
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text().contains("Choose two versions to compare, and not 1."), "{}", refused.text());
}
