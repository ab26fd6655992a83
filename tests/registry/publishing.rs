//! `cargo publish`, from the request to the index.

use crate::support::harness::TestRegistry;
use crate::support::package::Package;

#[test]
fn a_publish_reaches_the_index_and_then_the_database() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let package = Package::new("foo", "1.2.3");
    let answer = ann.publish(&package).good();
    assert!(answer.json()["warnings"]["other"][0].as_str().unwrap().contains("queued"), "{}", answer.text());
    assert_eq!(registry.index_file("3/f/foo"), "");
    assert_eq!(ann.get("/api/v1/crates/foo/1.2.3").json()["version"]["state"], "queued");

    assert_eq!(registry.run_jobs(), 1);
    let line: serde_json::Value = serde_json::from_str(&registry.index_file("3/f/foo")).unwrap();
    assert_eq!(line["vers"], "1.2.3");
    assert_eq!(registry.commits(), ["Publish foo 1.2.3"]);
    let version = &ann.get("/api/v1/crates/foo/1.2.3").json()["version"];
    assert_eq!(version["state"], "published");
    assert_eq!(ann.get("/api/v1/crates/foo/1.2.3/download").good().body, package.crate_file());
}
