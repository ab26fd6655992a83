//! Every change stands in the log: who, with which token, what, and when.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::harness::TestRegistry;
use crate::support::package::Package;

/// What stands in the log of a crate, oldest first.
fn log(registry: &TestRegistry, query: &str) -> Vec<Value> {
    let answer = registry.admin("root").get(&format!("/api/v1/admin/audit?{query}")).good().json();
    let mut entries = answer["entries"].as_array().unwrap().clone();
    entries.reverse();
    entries
}

#[test]
fn every_change_of_a_crate_is_told_with_who_did_it_by_which_token() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    registry.user("bob");
    ann.publish(&Package::new("audited", "1.0.0")).good();
    ann.yank("audited", "1.0.0").good();
    ann.unyank("audited", "1.0.0").good();
    for method in [Method::PUT, Method::DELETE] {
        ann.request(method, "/api/v1/crates/audited/owners", r#"{"users":["bob"]}"#).good();
    }
    registry.run_jobs();
    let root = registry.admin("root");
    root.request(Method::DELETE, "/api/v1/crates/audited/1.0.0?reason=a%20key", "").good();
    registry.run_jobs();
    let entries = log(&registry, "crate=Audited");
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            let text = |field: &str| entry[field].as_str().unwrap_or("-").to_owned();
            [text("actor"), text("action"), text("crate"), text("version"), text("subject"), text("token_name")]
                .join(" ")
        })
        .collect();
    assert_eq!(
        told,
        [
            "ann publish audited 1.0.0 - test",
            "ann yank audited 1.0.0 - test",
            "ann unyank audited 1.0.0 - test",
            "ann owner-add audited - bob test",
            "ann owner-remove audited - bob test",
            "root version-delete audited 1.0.0 - test",
        ]
    );
    assert_eq!(entries[0]["detail"]["new_crate"], true);
    assert_eq!(entries[5]["detail"]["reason"], "a key");
    let made = json!({"api_token": {"name": "audited-token"}}).to_string();
    let made = ann.request(Method::PUT, "/api/v1/me/tokens", made).good().json()["api_token"].clone();
    ann.request(Method::DELETE, &format!("/api/v1/me/tokens/{}", made["id"]), "").good();
    let tokens = log(&registry, "actor=ANN");
    let last: Vec<_> = tokens.iter().rev().take(2).map(|entry| (&entry["action"], &entry["subject"])).collect();
    assert_eq!(
        last,
        [(&json!("token-revoke"), &json!("audited-token")), (&json!("token-create"), &json!("audited-token"))]
    );
    let secret = made["token"].as_str().unwrap();
    assert!(tokens.iter().all(|entry| !entry.to_string().contains(secret)), "the secret is in the log");
}

#[test]
fn what_was_refused_is_not_in_the_log() {
    let registry = TestRegistry::new();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    ann.publish(&Package::new("audited", "1.0.0")).good();
    registry.run_jobs();
    assert_eq!(bob.yank("audited", "1.0.0").status, StatusCode::FORBIDDEN);
    assert_eq!(ann.publish(&Package::new("audited", "1.0.0")).status, StatusCode::CONFLICT);
    let users = r#"{"users":["bob","nobody-here"]}"#;
    assert_eq!(ann.request(Method::PUT, "/api/v1/crates/audited/owners", users).status, StatusCode::NOT_FOUND);
    assert_eq!(log(&registry, "crate=audited").len(), 1);
}

#[test]
fn the_log_is_for_admins_and_is_read_page_by_page() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for number in 0..5 {
        ann.publish(&Package::new("paged", &format!("1.0.{number}"))).good();
    }
    registry.run_jobs();
    assert_eq!(ann.get("/api/v1/admin/audit").status, StatusCode::FORBIDDEN);
    assert_eq!(registry.anonymous().get("/api/v1/admin/audit").status, StatusCode::UNAUTHORIZED);
    let root = registry.admin("root");
    let mut seen = Vec::new();
    let mut before = String::new();
    loop {
        let page =
            root.get(&format!("/api/v1/admin/audit?crate=paged&action=publish&per_page=2{before}")).good().json();
        let entries = page["entries"].as_array().unwrap();
        seen.extend(entries.iter().map(|entry| entry["version"].as_str().unwrap().to_owned()));
        match page["next"].as_i64() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["1.0.4", "1.0.3", "1.0.2", "1.0.1", "1.0.0"]);
    for (query, text) in [
        ("per_page=0", "`per_page` is `0`"),
        ("per_page=501", "from 1 to 500"),
        ("per_page=x", "`per_page` is `x`"),
        ("action=publsh", "`action` is `publsh`: it must be one of publish, yank,"),
        ("crate=%2e%2e", "crate name"),
        ("since=yesterday", "`since` is `yesterday`: it must be a time"),
    ] {
        let refused = root.get(&format!("/api/v1/admin/audit?{query}"));
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(refused.detail().contains(text), "{query}: {}", refused.detail());
    }
    assert_eq!(root.get("/api/v1/admin/audit?since=2999-01-01T00:00:00Z").good().json()["entries"], json!([]));
}

/// chrono has years that PostgreSQL does not have.
#[test]
fn a_time_before_or_after_all_entries_is_no_error() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    assert_eq!(log(&registry, "since=-262143-01-01T00:00:00Z").len(), 1);
    assert_eq!(log(&registry, "since=%2B262142-12-31T23:59:59Z").len(), 0);
}
