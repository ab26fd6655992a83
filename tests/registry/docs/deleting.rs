//! Documentation is deleted alone, with its version, and with its crate.

use axum::body::Body;
use axum::http::Method;

use super::{PATH, get, publish, sample, upload, with_foo};
use crate::support::harness::TestRegistry;

fn file_of(registry: &TestRegistry, answer: &serde_json::Value) -> std::path::PathBuf {
    let checksum = answer["checksum"].as_str().unwrap();
    registry.directory.path().join(format!("crates/{}/{checksum}.crate", &checksum[..2]))
}

#[test]
fn documentation_is_deleted_and_its_file_is_removed() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    let file = file_of(&registry, &upload(&ann, "1.0.0", sample("one")).good().json());
    ann.request(Method::DELETE, PATH, Body::empty()).good();
    assert_eq!(get(&ann, "/docs/foo/1.0.0/foo/", &[]).status, 404);
    registry.run_jobs();
    assert!(!file.exists());
    let again = ann.request(Method::DELETE, PATH, Body::empty());
    assert!(again.status == 404 && again.detail().contains("nothing to delete"), "{}", again.text());
    let log = registry.admin("root").get("/api/v1/admin/audit?action=docs-delete").good().json();
    assert_eq!(log["entries"][0]["version"], "1.0.0", "{log:#}");
}

#[test]
fn an_archive_that_two_versions_have_stays_until_neither_has_it() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    publish(&registry, &ann, "1.1.0");
    let file = file_of(&registry, &upload(&ann, "1.0.0", sample("one")).good().json());
    upload(&ann, "1.1.0", sample("one")).good();
    ann.request(Method::DELETE, PATH, Body::empty()).good();
    registry.run_jobs();
    assert!(file.exists());
    get(&ann, "/docs/foo/1.1.0/foo/", &[]).good();
    ann.request(Method::DELETE, "/api/v1/crates/foo/1.1.0/docs", Body::empty()).good();
    registry.run_jobs();
    assert!(!file.exists());
}

#[test]
fn documentation_goes_with_its_version_and_with_its_crate() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    publish(&registry, &ann, "1.1.0");
    let one = file_of(&registry, &upload(&ann, "1.0.0", sample("one")).good().json());
    let two = file_of(&registry, &upload(&ann, "1.1.0", sample("two")).good().json());
    let root = registry.admin("root");
    root.request(Method::DELETE, "/api/v1/crates/foo/1.0.0?reason=leak", Body::empty()).good();
    assert_eq!(get(&ann, "/docs/foo/1.0.0/foo/", &[]).status, 404);
    registry.run_jobs();
    assert!(!one.exists() && two.exists());
    assert_eq!(root.request(Method::DELETE, "/api/v1/crates/foo?message=x", Body::empty()).status, 204);
    assert_eq!(get(&ann, "/docs/foo/1.1.0/foo/", &[]).status, 404);
    registry.run_jobs();
    assert!(!two.exists());
}
