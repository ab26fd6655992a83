//! Teams, reserved names, and limits of single crates.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{logged, provisioner, refused};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

#[test]
fn a_team_is_created_changed_and_deleted() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    let ann = registry.user("ann");
    registry.user("bob");
    let made = root.send_json(Method::POST, "teams", &json!({ "name": "Devs", "members": ["ann"] })).good().json();
    assert_eq!(made["team"]["members"], json!([{ "login": "ann", "issuer": null, "disabled_at": null }]));
    for changed in [true, false] {
        let added = root.administer(Method::PUT, "teams/team:devs/members/BOB").good().json();
        assert_eq!(added, json!({ "changed": changed }));
    }
    let list = root.administer(Method::GET, "teams?q=EV").good().json();
    assert_eq!((&list["teams"][0]["members"], &list["meta"]["total"]), (&json!(2), &json!(1)));
    for changed in [true, false] {
        let removed = root.administer(Method::DELETE, "teams/devs/members/bob").good().json();
        assert_eq!(removed, json!({ "changed": changed }));
    }
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    ann.request(Method::PUT, "/api/v1/crates/foo/owners", r#"{"users":["team:devs"]}"#).good();
    let owns = refused(&root.administer(Method::DELETE, "teams/devs"), StatusCode::CONFLICT);
    insta::assert_snapshot!(owns, @"the team `Devs` owns foo: remove it first from the owners of each, in the settings of the crate");
    assert_eq!(root.administer(Method::GET, "teams/devs").good().json()["team"]["crates"], json!(["foo"]));
    ann.request(Method::DELETE, "/api/v1/crates/foo/owners", r#"{"users":["team:devs"]}"#).good();
    assert_eq!(root.administer(Method::DELETE, "teams/devs").status, StatusCode::NO_CONTENT);
    refused(&root.administer(Method::DELETE, "teams/devs"), StatusCode::NOT_FOUND);
    assert_eq!(logged(&registry, 1), ["root team-delete Devs"]);
}

#[test]
fn a_team_comes_with_all_its_members_or_not_at_all() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    registry.user("ann");
    let body = json!({ "name": "devs", "members": ["ann", "nobody"] });
    let detail = refused(&root.send_json(Method::POST, "teams", &body), StatusCode::NOT_FOUND);
    assert!(detail.contains("\"nobody\""), "{detail}");
    for (body, status) in [
        (json!({ "name": "d/evs" }), StatusCode::BAD_REQUEST),
        (json!({ "name": "devs", "owner": "ann" }), StatusCode::BAD_REQUEST),
    ] {
        refused(&root.send_json(Method::POST, "teams", &body), status);
    }
    refused(&root.administer(Method::GET, "teams/devs"), StatusCode::NOT_FOUND);
    refused(&root.administer(Method::PUT, "teams/devs/members/ann"), StatusCode::NOT_FOUND);
}

#[test]
fn a_name_is_reserved_and_released() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    let reserve = |reason: &str| root.send_json(Method::PUT, "reserved-names/Acme-Core", &json!({ "reason": reason }));
    assert_eq!(reserve("ours").good().json(), json!({ "changed": true, "has_crate": false }));
    assert_eq!(reserve("ours").good().json(), json!({ "changed": false, "has_crate": false }));
    let publish = registry.user("ann").publish(&Package::new("acme_core", "1.0.0"));
    assert!(publish.text().contains("ours"), "{}", publish.text());
    let list = root.administer(Method::GET, "reserved-names?q=CORE").good().json();
    let name = &list["names"][0];
    assert_eq!((&name["name"], &name["by"], &list["meta"]["total"]), (&json!("acme_core"), &json!("root"), &json!(1)));
    assert_eq!(root.administer(Method::DELETE, "reserved-names/acme_core").status, StatusCode::NO_CONTENT);
    refused(&root.administer(Method::DELETE, "reserved-names/acme_core"), StatusCode::NOT_FOUND);
    for (path, body) in [
        ("reserved-names/acme", json!({ "reason": "" })),
        ("reserved-names/acme", json!({ "reason": "a\nb" })),
        ("reserved-names/acme", json!({})),
        ("reserved-names/-x", json!({ "reason": "ours" })),
    ] {
        refused(&root.send_json(Method::PUT, path, &body), StatusCode::BAD_REQUEST);
    }
    assert_eq!(logged(&registry, 2), ["root name-reserve Acme-Core", "root name-release acme_core"]);
}

#[test]
fn limits_of_a_crate_are_replaced() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    let put = |body: serde_json::Value| root.send_json(Method::PUT, "crate-limits/acme-core", &body);
    let limits = put(json!({ "crate_size": 5, "features": 7 })).good().json();
    assert_eq!(
        limits,
        json!({
            "crate": "acme_core", "exists": false,
            "limits": { "crate_size": 5, "unpacked_size": null, "features": 7, "dependencies": null },
        })
    );
    let publish = registry.user("ann").publish(&Package::new("acme-core", "1.0.0"));
    assert_eq!(publish.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", publish.text());
    assert_eq!(root.administer(Method::GET, "crate-limits").good().json()["crates"], json!([limits]));
    assert_eq!(put(json!({})).good().json()["limits"]["crate_size"], json!(null));
    assert_eq!(root.administer(Method::GET, "crate-limits").good().json()["crates"], json!([]));
    registry.user("ann").publish(&Package::new("acme-core", "1.0.0")).good();
    registry.run_jobs();
    assert_eq!(root.administer(Method::GET, "crate-limits/acme_core").good().json()["exists"], json!(true));
    for body in [
        json!({ "crate_size": 0 }),
        json!({ "crate_size": 4_294_967_296u64 }),
        json!({ "features": -1 }),
        json!({ "dependencies": "5" }),
        json!({ "dependency": 5 }),
    ] {
        refused(&put(body), StatusCode::BAD_REQUEST);
    }
}
