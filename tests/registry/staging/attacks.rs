//! What somebody tries who has a token and no right: attacks that succeeded once.

use axum::http::{Method, StatusCode};
use serde_json::json;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::rate_limits::RateLimits;
use supercargo::database::access::scope::Scope;

use super::{approve, create, numbers, reject, shown, stage, with_two};
use crate::support::harness::{Client, TestRegistry};
use crate::support::package::Package;

fn sql(registry: &TestRegistry, statement: &str) {
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(statement), connection).unwrap())
        .unwrap();
}

/// A set of an operator, which every user may publish into.
fn operators_set(registry: &TestRegistry, name: &str) {
    let set = "INSERT INTO release_sets (name, is_preview, expires_at)";
    sql(registry, &format!("{set} VALUES ('{name}', false, now() + interval '1 day')"));
}

fn update(client: &Client<'_>, set: &str, update: &serde_json::Value) -> StatusCode {
    client.request(Method::PATCH, &format!("/api/v1/release-sets/{set}"), update.to_string()).status
}

#[test]
fn a_user_who_staged_all_of_an_operators_set_does_not_decide_over_it() {
    let registry = with_two();
    let eve = registry.user("eve");
    operators_set(&registry, "all");
    stage(&eve, "all", &Package::new("junk", "1.0.0")).good();
    assert_eq!(update(&eve, "all", &json!({ "preview": true })), StatusCode::FORBIDDEN);
    assert_eq!(update(&eve, "all", &json!({ "expires_in": 60 })), StatusCode::FORBIDDEN);
    assert_eq!(reject(&eve, "all", "mine").status, StatusCode::FORBIDDEN);
    assert_eq!(eve.request(Method::DELETE, "/api/v1/release-sets/all/crates", "").status, StatusCode::FORBIDDEN);
    // What she staged she takes out, and so does an admin.
    eve.request(Method::DELETE, "/api/v1/release-sets/all/crates/junk/1.0.0", "").good();
    stage(&eve, "all", &Package::new("junk", "1.0.0")).good();
    registry.admin("root").request(Method::DELETE, "/api/v1/release-sets/all/crates/junk/1.0.0", "").good();
}

#[test]
fn an_admins_restricted_token_approves_as_any_user_does() {
    let registry = with_two();
    let root = registry.admin("root");
    let limited = NewToken { scopes: Some(vec![Scope::Approve]), ..NewToken::named("approval") };
    let limited = registry.user_with("root", limited);
    operators_set(&registry, "all");
    stage(&registry.user("ann"), "all", &Package::new("foo", "2.0.0")).good();
    let refused = approve(&limited, "all");
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let detail = refused.detail();
    assert!(detail.starts_with("the token `approval` is restricted to approve"), "{detail}");
    assert_eq!(registry.run_jobs(), 0);
    approve(&root, "all").good();
    registry.run_jobs();
}

#[test]
fn an_approval_without_the_right_is_not_noted() {
    let registry = with_two();
    let (ann, eve) = (registry.user("ann"), registry.user("eve"));
    operators_set(&registry, "all");
    stage(&ann, "all", &Package::new("foo", "2.0.0")).good();
    assert_eq!(approve(&eve, "all").status, StatusCode::FORBIDDEN);
    assert_eq!(shown(&ann, "all")["approved_by"], json!([]));
    // It does not count later, either.
    let owners = json!({ "users": ["eve"] }).to_string();
    ann.request(Method::PUT, "/api/v1/crates/foo/owners", owners).good();
    assert_eq!(shown(&ann, "all")["approved_by"], json!([]));
}

#[test]
fn an_approval_is_void_when_its_token_is_revoked_or_it_is_withdrawn() {
    let registry = with_two();
    let ann = registry.user("ann");
    sql(
        &registry,
        "INSERT INTO staging_rules (subject, canonical, is_prefix, approvals, by_another) VALUES ('foo', 'foo', false, 2, false)",
    );
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    let leaked = registry.user_with("ann", NewToken::named("leaked"));
    let approvers = || shown(&ann, "next")["approved_by"].clone();
    assert_eq!(approve(&leaked, "next").status, StatusCode::ACCEPTED);
    assert_eq!(approvers(), json!(["ann"]));
    sql(&registry, "UPDATE api_tokens SET revoked_at = now() WHERE name = 'leaked'");
    assert_eq!(approvers(), json!([]));
    assert!(shown(&ann, "next")["missing"][0].as_str().unwrap().contains("has 0 of these"));
    assert_eq!(approve(&ann, "next").status, StatusCode::ACCEPTED);
    assert_eq!(approvers(), json!(["ann"]));
    for _ in 0..2 {
        ann.request(Method::DELETE, "/api/v1/release-sets/next/approve", "").good();
        assert_eq!(approvers(), json!([]));
    }
    assert_eq!(
        registry.user("eve").request(Method::DELETE, "/api/v1/release-sets/next/approve", "").status,
        StatusCode::FORBIDDEN
    );
}

#[test]
fn a_token_that_only_stages_makes_no_private_set_public() {
    let registry = with_two();
    let ann = registry.user("ann");
    let stager = NewToken { scopes: Some(vec![Scope::StageNew, Scope::StageUpdate]), ..NewToken::named("stager") };
    let stager = registry.user_with("ann", stager);
    create(&ann, &json!({ "name": "next", "preview": false })).good();
    assert_eq!(update(&stager, "next", &json!({ "preview": true })), StatusCode::FORBIDDEN);
    assert_eq!(update(&stager, "next", &json!({ "title": "x" })), StatusCode::FORBIDDEN);
    // Nor does it by way of another set of the same name.
    assert_eq!(reject(&stager, "next", "mine").status, StatusCode::FORBIDDEN);
    stage(&stager, "next", &Package::new("foo", "2.0.0")).good();
    assert_eq!(update(&stager, "next", &json!({ "title": "x" })), StatusCode::OK);
    assert_eq!(update(&stager, "next", &json!({ "preview": true })), StatusCode::FORBIDDEN);
    assert_eq!(shown(&ann, "next")["preview"], false);
}

#[test]
fn the_new_owner_of_a_name_that_was_released_sees_nothing_that_was_staged_before() {
    let registry = with_two();
    let (ann, eve, root) = (registry.user("ann"), registry.user("eve"), registry.admin("root"));
    create(&ann, &json!({ "name": "secret", "preview": false })).good();
    stage(&ann, "secret", &Package::new("foo", "2.0.0")).good();
    stage(&ann, "secret", &Package::new("other", "1.0.0")).good();
    sql(&registry, "UPDATE staged_versions SET staged_at = now() - interval '1 minute'");
    let deleted = root.request(Method::DELETE, "/api/v1/crates/foo?message=gone", "");
    assert!(deleted.status.is_success(), "{}", deleted.text());
    registry.run_jobs();
    sql(&registry, "UPDATE crates SET name_released = true WHERE name = 'foo'");
    eve.publish(&Package::new("foo", "5.0.0")).good();
    registry.run_jobs();
    let taken_out = eve.request(Method::DELETE, "/api/v1/release-sets/secret/crates/foo/2.0.0", "");
    assert_eq!(taken_out.status, StatusCode::FORBIDDEN);
    assert!(!taken_out.text().contains("other"), "{}", taken_out.text());
    let missing = shown(&ann, "secret")["missing"].to_string();
    assert!(!missing.contains("eve"), "{missing}");
    assert_eq!(eve.get("/api/v1/release-sets/secret").status, StatusCode::FORBIDDEN);
    assert_eq!(eve.get("/stage/secret/index/ot/he/other").status, StatusCode::FORBIDDEN);
    assert_eq!(eve.get("/api/v1/release-sets").good().json()["release_sets"], json!([]));
}

#[test]
fn staged_yanks_and_new_sets_count_for_the_rate_limits() {
    let registry = TestRegistry::with(|settings| {
        settings.admission.rate_limits = RateLimits::configured(["publish-update=3/1h", "yank=2/1h"]).unwrap()
    });
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let yank = |method: Method, path: &str| {
        ann.request(method, &format!("/stage/next/api/v1/crates/foo/1.0.0/{path}"), "").status
    };
    let seen = [yank(Method::DELETE, "yank"), yank(Method::PUT, "unyank"), yank(Method::DELETE, "yank")];
    assert_eq!(seen, [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS]);
    let seen: Vec<_> = (0..4).map(|place| create(&ann, &json!({ "name": format!("set-{place}") })).status).collect();
    assert_eq!(seen[3], StatusCode::TOO_MANY_REQUESTS, "{seen:?}");
}

#[test]
fn a_name_is_taken_for_good_only_by_a_set_in_which_something_was_staged() {
    let registry = with_two();
    let (ann, eve) = (registry.user("ann"), registry.user("eve"));
    // Nothing was taken out of an empty set.
    create(&eve, &json!({ "name": "acme-0" })).good();
    eve.request(Method::DELETE, "/api/v1/release-sets/acme-0/crates", "").good();
    sql(&registry, "UPDATE release_sets SET expires_at = now() - interval '1 second'");
    create(&ann, &json!({ "name": "acme-0" })).good();
    create(&eve, &json!({ "name": "acme-1", "title": "mine" })).good();
    reject(&eve, "acme-1", "taken").good();
    stage(&ann, "acme-1", &Package::new("foo", "2.0.0")).good();
    let set = shown(&ann, "acme-1");
    assert_eq!((&set["created_by"], &set["title"], &set["reason"]), (&json!("ann"), &json!(null), &json!(null)));
    reject(&ann, "acme-1", "not this").good();
    assert_eq!(stage(&ann, "acme-1", &Package::new("foo", "2.0.0")).status, StatusCode::CONFLICT);
    assert_eq!(create(&eve, &json!({ "name": "acme-1" })).status, StatusCode::CONFLICT);
}

#[test]
fn tokens_and_addresses_are_for_those_who_belong_to_the_set() {
    let registry = with_two();
    let (ann, eve) = (registry.user("ann"), registry.user("eve"));
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    operators_set(&registry, "all");
    stage(&ann, "all", &Package::new("bar", "2.0.0")).good();
    for (set, krate) in [("next", "foo"), ("all", "bar")] {
        let path = format!("/api/v1/release-sets/{set}/crates/{krate}/2.0.0");
        for (client, token) in [(&ann, json!("test")), (&eve, json!(null))] {
            assert_eq!(shown(client, set)["versions"][0]["token"], token, "{set}");
            assert_eq!(client.get(&path).good().json()["token"], token, "{set}");
        }
    }
    let listed = eve.get("/api/v1/release-sets").good().json();
    assert!(!listed.to_string().contains("\"test\""), "{listed}");
}

#[test]
fn an_approval_that_is_sent_again_says_what_was_approved_and_no_more() {
    let registry = with_two();
    let ann = registry.user("ann");
    let only_bar = NewToken { crate_patterns: Some(vec!["bar".parse().unwrap()]), ..NewToken::named("bar") };
    let only_bar = registry.user_with("ann", only_bar);
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    let again = |client: &Client<'_>, revision: &str| {
        client.request(Method::PUT, &format!("/api/v1/release-sets/next/approve{revision}"), "").status
    };
    assert_eq!(again(&ann, "?revision=1"), StatusCode::OK);
    registry.run_jobs();
    assert_eq!([again(&ann, ""), again(&ann, "?revision=1")], [StatusCode::OK; 2]);
    assert_eq!(again(&ann, "?revision=7"), StatusCode::CONFLICT);
    assert_eq!(again(&only_bar, ""), StatusCode::FORBIDDEN);
}

#[test]
fn an_imported_crate_is_not_blocked_by_its_staged_name() {
    let registry = with_two();
    let (ann, eve) = (registry.user("ann"), registry.user("eve"));
    stage(&eve, "next", &Package::new("fresh", "1.0.0")).good();
    assert_eq!(ann.publish(&Package::new("fresh", "2.0.0")).status, StatusCode::CONFLICT);
    // As an import does, which takes no notice of sets.
    sql(&registry, "INSERT INTO crates (name) VALUES ('fresh')");
    sql(
        &registry,
        "INSERT INTO crate_owners (crate_id, user_id) SELECT crates.id, users.id FROM crates, users WHERE crates.name = 'fresh' AND login = 'ann'",
    );
    ann.publish(&Package::new("fresh", "2.0.0")).good();
    registry.run_jobs();
    // Its owner has nothing to do with the set, however old the crate is.
    sql(&registry, "UPDATE crates SET created_at = now() - interval '1 year' WHERE name = 'fresh'");
    assert_eq!(update(&eve, "next", &json!({ "preview": false })), StatusCode::OK);
    assert_eq!(ann.get("/api/v1/release-sets/next").status, StatusCode::FORBIDDEN);
    assert_eq!(
        ann.request(Method::DELETE, "/api/v1/release-sets/next/crates/fresh/1.0.0", "").status,
        StatusCode::FORBIDDEN
    );
    let taken = ann.publish(&Package::new("fresh", "1.0.0"));
    assert!(
        taken.detail().contains("take it out of there, with `DELETE /api/v1/release-sets/next/crates/fresh/1.0.0`"),
        "{}",
        taken.detail()
    );
}

#[test]
fn an_owner_does_not_replace_a_deletion_that_an_admin_has_staged() {
    let registry = with_two();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    root.request(Method::DELETE, "/stage/next/api/v1/crates/foo/1.0.0?reason=key", "").good();
    let replaced = ann.request(Method::DELETE, "/stage/next/api/v1/crates/foo/1.0.0/yank", "");
    assert_eq!(replaced.status, StatusCode::FORBIDDEN);
    assert_eq!(shown(&root, "next")["changes"][0]["change"], "delete");
    let other = registry.user("ann").request(Method::DELETE, "/stage/mine/api/v1/crates/foo/1.0.0/yank", "");
    assert_eq!(other.status, StatusCode::OK);
}

#[test]
fn a_deleted_crate_is_named_instead_of_approvals_that_cannot_be_given() {
    let registry = with_two();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    stage(&ann, "next", &Package::new("bar", "2.0.0")).good();
    let deleted = root.request(Method::DELETE, "/api/v1/crates/foo?message=gone", "");
    assert!(deleted.status.is_success(), "{}", deleted.text());
    registry.run_jobs();
    let refused = approve(&ann, "next");
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(
        refused.detail().contains("`foo@2.0.0`: the crate was deleted: take the version out of the set"),
        "{}",
        refused.detail()
    );
    // One problem, one remedy: that it has no owners any longer follows from it.
    assert!(!refused.detail().contains("is not an owner"), "{}", refused.detail());
    ann.request(Method::DELETE, "/api/v1/release-sets/next/crates/foo/2.0.0", "").good();
    approve(&ann, "next").good();
    registry.run_jobs();
    assert_eq!(numbers(&ann, "/index", "3/b/bar"), ["1.0.0", "2.0.0"]);
}

#[test]
fn who_has_staged_reads_why_the_set_was_rejected() {
    let registry = with_two();
    let (ann, bob, eve) = (registry.user("ann"), registry.user("bob"), registry.user("eve"));
    create(&ann, &json!({ "name": "next", "preview": false })).good();
    let owners = json!({ "users": ["bob"] }).to_string();
    ann.request(Method::PUT, "/api/v1/crates/foo/owners", owners).good();
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    stage(&bob, "next", &Package::new("bobs", "1.0.0")).good();
    reject(&ann, "next", "it lacks its licence file").good();
    assert_eq!(shown(&bob, "next")["reason"], "it lacks its licence file");
    let listed = |client: &Client<'_>| {
        client.get("/api/v1/release-sets").good().json()["release_sets"].as_array().unwrap().len()
    };
    assert_eq!((listed(&ann), listed(&bob), listed(&eve)), (1, 1, 0));
    assert_eq!(eve.get("/api/v1/release-sets/next").status, StatusCode::FORBIDDEN);
}

#[test]
fn the_yank_of_a_staged_version_says_that_it_is_staged() {
    let registry = with_two();
    let ann = registry.user("ann");
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    let refused = ann.request(Method::DELETE, "/stage/next/api/v1/crates/foo/2.0.0/yank", "");
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    insta::assert_snapshot!(refused.detail(), @"`foo@2.0.0` is staged in the release set `next` and not published yet: take it out, with `DELETE /api/v1/release-sets/next/crates/foo/2.0.0`");
}

#[test]
fn in_a_private_registry_a_restricted_token_creates_no_preview() {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    let stager = NewToken { scopes: Some(vec![Scope::StageNew]), ..NewToken::named("stager") };
    let stager = registry.user_with("ann", stager);
    assert_eq!(create(&stager, &json!({ "name": "next", "preview": true })).status, StatusCode::FORBIDDEN);
    create(&stager, &json!({ "name": "next" })).good();
    create(&registry.user("ann"), &json!({ "name": "other", "preview": true })).good();
}

#[test]
fn reviewers_see_with_which_token_a_version_was_staged() {
    let registry = with_two();
    let (ann, dan) = (registry.user("ann"), registry.user("dan"));
    sql(&registry, "INSERT INTO teams (name) VALUES ('rev')");
    sql(
        &registry,
        "INSERT INTO team_members (team_id, user_id) SELECT teams.id, users.id FROM teams, users WHERE login = 'dan'",
    );
    sql(
        &registry,
        "INSERT INTO staging_rules (subject, canonical, is_prefix, by_another, approved_by) SELECT 'foo', 'foo', false, false, id FROM teams",
    );
    operators_set(&registry, "all");
    stage(&ann, "all", &Package::new("foo", "2.0.0")).good();
    assert_eq!(shown(&dan, "all")["versions"][0]["token"], "test");
}
