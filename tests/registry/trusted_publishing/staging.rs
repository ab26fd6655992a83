//! Trusted publishers and release sets.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::super::staging::{approve, stage};
use super::{add, execute, refusal, run, version, with_foo};
use crate::support::package::Package;

fn with_stager() -> (crate::support::harness::TestRegistry, crate::support::issuer::Issuer) {
    let (registry, issuer) = with_foo();
    execute(&registry, "DELETE FROM trusted_publishers");
    let config = json!({
        "crate": "foo", "provider": "github", "issuer": issuer.url, "repository": "acme/widgets", "workflow": "release.yml",
        "stage_only": true,
    });
    assert_eq!(add(&registry.user("ann"), &config).good().json()["config"]["stage_only"], true);
    (registry, issuer)
}

#[test]
fn a_workflow_stages_and_a_person_approves() {
    let (registry, issuer) = with_stager();
    let (ann, client) = (registry.user("ann"), run(&registry, &issuer));
    let plain = client.publish(&Package::new("foo", "1.1.0"));
    assert!(refusal(&plain, StatusCode::FORBIDDEN).contains("may only stage versions"), "{}", plain.text());
    stage(&client, "next", &Package::new("foo", "1.1.0")).good();
    assert_eq!(approve(&client, "next").status, StatusCode::FORBIDDEN);
    approve(&ann, "next").good();
    registry.run_jobs();
    let shown = version(&registry, "foo", "1.1.0");
    assert_eq!((&shown["trustpub_data"]["run_id"], &shown["published_by"]), (&json!("1234567"), &json!(null)));
}

#[test]
fn a_publisher_that_also_publishes_is_not_bound_to_stage() {
    let (registry, issuer) = with_stager();
    let config = json!({
        "crate": "foo*", "provider": "github", "issuer": issuer.url, "repository": "acme/widgets", "workflow": "release.yml",
    });
    add(&registry.user("ann"), &config).good();
    run(&registry, &issuer).publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
}

#[test]
fn what_a_publisher_has_staged_is_approved_only_while_it_is_trusted() {
    let (registry, issuer) = with_stager();
    let (ann, client) = (registry.user("ann"), run(&registry, &issuer));
    stage(&client, "next", &Package::new("foo", "1.1.0")).good();
    let id = ann.get("/api/v1/trusted_publishing/configs?crate=foo").good().json()["configs"][0]["id"].clone();
    let removed = ann.request(Method::DELETE, &format!("/api/v1/trusted_publishing/configs/{id}"), "");
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let answer = approve(&ann, "next");
    assert!(
        refusal(&answer, StatusCode::CONFLICT).contains("no longer a trusted publisher of the crate"),
        "{}",
        answer.text()
    );
}

#[test]
fn what_a_user_has_staged_is_not_approved_once_only_trusted_publishers_may() {
    let (registry, issuer) = with_foo();
    let ann = registry.user("ann");
    stage(&ann, "next", &Package::new("foo", "1.1.0")).good();
    ann.request(Method::PATCH, "/api/v1/crates/foo", json!({ "crate": { "trustpub_only": true } }).to_string()).good();
    let answer = approve(&ann, "next");
    assert!(
        refusal(&answer, StatusCode::CONFLICT).contains("only trusted publishers may publish the crate"),
        "{}",
        answer.text()
    );
    // A trusted publisher replaces it.
    stage(&run(&registry, &issuer), "next", &Package::new("foo", "1.1.0")).good();
    approve(&ann, "next").good();
    registry.run_jobs();
    assert_eq!(version(&registry, "foo", "1.1.0")["provenance"]["repository"], "acme/widgets");
}

#[test]
fn a_new_crate_of_a_set_belongs_to_the_creator_of_the_pattern() {
    let (registry, issuer) = with_foo();
    let ann = registry.user("ann");
    let config = json!({
        "crate": "acme-*", "provider": "github", "issuer": issuer.url, "repository": "acme/widgets", "workflow": "release.yml",
        "owner": "ann",
    });
    add(&registry.admin("root"), &config).good();
    let client = run(&registry, &issuer);
    stage(&client, "next", &Package::new("acme-new", "1.0.0")).good();
    stage(&client, "next", &Package::new("foo", "1.1.0")).good();
    let set = ann.get("/api/v1/release-sets/next").good().json();
    assert!(set["release_set"]["missing"][0].as_str().unwrap().ends_with("; ann can approve"), "{set}");
    approve(&ann, "next").good();
    registry.run_jobs();
    let owners = registry.anonymous().get("/api/v1/crates/acme-new/owner_user").good().json();
    assert_eq!(owners["users"][0]["login"], "ann");
}
