//! The queue through the API.

use axum::http::{Method, StatusCode};
use diesel::connection::SimpleConnection;
use serde_json::json;

use super::{provisioner, refused};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

/// A registry with a dead job, whose number is answered.
fn with_a_dead_job() -> (TestRegistry, i64) {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    let waiting = root.administer(Method::GET, "jobs").good().json();
    assert_eq!(
        (&waiting["jobs"][0]["kind"], &waiting["jobs"][0]["state"]),
        (&json!("publish_version"), &json!("waiting"))
    );
    let id = waiting["jobs"][0]["id"].as_i64().unwrap();
    let kill = "WITH gone AS (DELETE FROM jobs RETURNING *)
        INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, requested_by, request_id, created_at, attempts, claim_no, last_error)
        SELECT id, queue, kind, key, payload, priority, requested_by, request_id, created_at, 20, claim_no, 'it broke' FROM gone";
    registry.pool.with(|connection| connection.batch_execute(kill).unwrap()).unwrap();
    (registry, id)
}

#[test]
fn a_dead_job_is_shown_and_retried() {
    let (registry, id) = with_a_dead_job();
    let root = provisioner(&registry);
    let list = root.administer(Method::GET, "jobs?state=dead&key=FOO&by=ann").good().json();
    assert_eq!((&list["jobs"][0]["error"], &list["next"]), (&json!("it broke"), &json!(null)));
    assert_eq!(root.administer(Method::GET, "jobs?state=dead&key=other").good().json()["jobs"], json!([]));
    let retried = root.administer(Method::POST, &format!("jobs/{id}/retry")).good().json();
    assert_eq!(retried, json!({ "was": "dead" }));
    let due = root.administer(Method::POST, &format!("jobs/{id}/retry")).good().json();
    assert_eq!(due, json!({ "was": "waiting" }));
    let shown = root.administer(Method::GET, &format!("jobs/{id}")).good().json();
    assert_eq!(shown["receipts"][0]["finished_by"], json!("admin root through the API"));
    registry.run_jobs();
    registry.anonymous().get("/index/3/f/foo").good();
    assert_eq!(root.administer(Method::GET, &format!("jobs/{id}")).good().json()["job"]["state"], json!("done"));
    refused(&root.administer(Method::POST, "jobs/999999/retry"), StatusCode::NOT_FOUND);
    for wrong in ["jobs/x", "jobs/01", "jobs/99999999999999999999"] {
        refused(&root.administer(Method::GET, wrong), StatusCode::NOT_FOUND);
    }
    for wrong in ["jobs?state=broken", "jobs?from=x", "jobs?per_page=501", "jobs?per_page=0"] {
        refused(&root.administer(Method::GET, wrong), StatusCode::BAD_REQUEST);
    }
}

#[test]
fn dead_jobs_of_a_kind_are_retried_together() {
    let (registry, id) = with_a_dead_job();
    let root = provisioner(&registry);
    let retry = |kind: &str| root.send_json(Method::POST, "jobs/retry-dead", &json!({ "kind": kind }));
    assert_eq!(retry("yank_version").good().json(), json!({ "retried": 0 }));
    assert_eq!(retry("publish_version").good().json(), json!({ "retried": 1 }));
    assert_eq!(root.administer(Method::GET, &format!("jobs/{id}")).good().json()["job"]["state"], json!("waiting"));
    registry.run_jobs();
    refused(&retry(""), StatusCode::BAD_REQUEST);
}

#[test]
fn a_job_is_discarded_with_a_reason() {
    let (registry, id) = with_a_dead_job();
    let root = provisioner(&registry);
    let discard = |body: serde_json::Value| root.send_json(Method::POST, &format!("jobs/{id}/discard"), &body);
    for body in
        [json!({}), json!({ "reason": " " }), json!({ "reason": "a\u{202e}b" }), json!({ "reason": "x".repeat(501) })]
    {
        refused(&discard(body), StatusCode::BAD_REQUEST);
    }
    assert_eq!(discard(json!({ "reason": "by mistake" })).good().json(), json!({ "was": "dead" }));
    let shown = root.administer(Method::GET, &format!("jobs/{id}")).good().json();
    assert_eq!((&shown["job"]["state"], &shown["job"]["detail"]), (&json!("discarded"), &json!("by mistake")));
    insta::assert_snapshot!(refused(&discard(json!({ "reason": "again" })), StatusCode::CONFLICT).replace(&id.to_string(), "N"), @"the job N is discarded, so there is nothing to change");
}
