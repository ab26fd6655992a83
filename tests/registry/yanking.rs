//! `cargo yank` and `cargo yank --undo`: desired at once, effective when the job has run.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use supercargo::database::access::new_token::NewToken;

use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::package::Package;

/// A registry with `foo` 1.0.0 and 1.1.0 of ann's in the index.
fn with_foo() -> TestRegistry {
    let registry = TestRegistry::new();
    for version in ["1.0.0", "1.1.0"] {
        registry.user("ann").publish(&Package::new("foo", version)).good();
        registry.run_jobs();
    }
    registry
}

fn yanked(registry: &TestRegistry) -> Vec<bool> {
    let file = registry.index_file("3/f/foo");
    file.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["yanked"].as_bool().unwrap())
        .collect()
}

// protocol: 42, 62, 63
#[test]
fn a_yank_changes_one_flag_and_an_unyank_restores_every_byte() {
    let registry = with_foo();
    let ann = registry.user("ann");
    let before = registry.index_file("3/f/foo");
    assert_eq!(ann.yank("foo", "1.0.0").good().json()["ok"], true);
    assert_eq!(registry.index_file("3/f/foo"), before);
    registry.run_jobs();
    assert_eq!(yanked(&registry), [true, false]);
    ann.get("/api/v1/crates/foo/1.0.0/download").good();
    assert_eq!(ann.unyank("foo", "1.0.0").good().json()["ok"], true);
    registry.run_jobs();
    assert_eq!(registry.index_file("3/f/foo"), before);
    assert_eq!(registry.commits(), ["Publish foo 1.0.0", "Publish foo 1.1.0", "Yank foo 1.0.0", "Unyank foo 1.0.0"]);
}

#[test]
fn desired_and_effective_state_differ_until_the_job_has_run() {
    let registry = with_foo();
    let ann = registry.user("ann");
    let version = || ann.get("/api/v1/crates/foo/1.0.0").json()["version"].clone();
    assert_eq!((&version()["yanked"], &version()["desired_yanked"]), (&false.into(), &serde_json::Value::Null));
    ann.yank("foo", "1.0.0").good();
    assert_eq!((&version()["yanked"], &version()["desired_yanked"]), (&false.into(), &true.into()));
    registry.run_jobs();
    assert_eq!((&version()["yanked"], &version()["desired_yanked"]), (&true.into(), &serde_json::Value::Null));
}

#[test]
fn an_unyank_before_its_yank_has_run_is_not_dropped() {
    let registry = with_foo();
    let ann = registry.user("ann");
    ann.yank("foo", "1.0.0").good();
    ann.unyank("foo", "1.0.0").good();
    assert_eq!(registry.pending(), 2);
    registry.run_jobs();
    assert_eq!(yanked(&registry), [false, false]);
    // Both ran, and neither had anything to change.
    assert_eq!(registry.commits().len(), 2);
}

#[test]
fn a_yank_of_a_version_that_is_still_queued_is_published_yanked() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    ann.yank("foo", "1.0.0").good();
    registry.run_jobs();
    assert_eq!(yanked(&registry), [true]);
    assert_eq!(registry.commits(), ["Publish foo 1.0.0"]);
    assert_eq!(ann.get("/api/v1/crates/foo/1.0.0").json()["version"]["yanked"], true);
}

// protocol: 62
#[test]
fn a_second_yank_is_good_and_makes_no_commit() {
    let registry = with_foo();
    let ann = registry.user("ann");
    for _ in 0..2 {
        ann.yank("foo", "1.0.0").good();
        registry.run_jobs();
    }
    assert_eq!(registry.commits().len(), 3);
}

#[test]
fn only_owners_yank() {
    let registry = with_foo();
    let refused = registry.user("bob").yank("foo", "1.0.0");
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    insta::assert_snapshot!(refused.detail(), @"`bob` is not an owner of the crate `foo`: ask one of its owners (ann) to add you");
    assert_eq!(registry.anonymous().yank("foo", "1.0.0").status, StatusCode::UNAUTHORIZED);
    assert_eq!(registry.pending(), 0);
}

#[test]
fn what_is_not_there_cannot_be_yanked() {
    let registry = with_foo();
    let ann = registry.user("ann");
    for (name, version, text) in [
        ("bar", "1.0.0", "there is no crate `bar` in this registry: check its name"),
        ("foo", "2.0.0", "the crate `foo` has no version 2.0.0: check its number"),
        ("foo", "1.0.0+build", "the crate `foo` has no version 1.0.0+build: check its number"),
        ("foo", "nonsense", "the crate `foo` has no version nonsense: check its number"),
        ("%00", "1.0.0", "there is no crate `%00` in this registry: check its name"),
    ] {
        for answer in [ann.yank(name, version), ann.unyank(name, version)] {
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
            assert_eq!(answer.detail(), text);
        }
    }
}

// protocol: 5
#[test]
fn build_metadata_is_found_with_a_plain_and_with_an_encoded_plus() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0+build.5")).good();
    registry.run_jobs();
    for version in ["1.0.0+build.5", "1.0.0%2Bbuild.5"] {
        ann.yank("foo", version).good();
        registry.run_jobs();
        assert_eq!(yanked(&registry), [true]);
        ann.unyank("foo", version).good();
        registry.run_jobs();
        ann.get(&format!("/api/v1/crates/foo/{version}/download")).good();
    }
}

#[test]
fn a_queued_version_shows_that_a_yank_is_desired() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let version = || ann.get("/api/v1/crates/foo/1.0.0").json()["version"].clone();
    ann.publish(&Package::new("foo", "1.0.0")).good();
    assert_eq!(version()["desired_yanked"], serde_json::Value::Null);
    ann.yank("foo", "1.0.0").good();
    assert_eq!(version()["state"], "queued");
    assert_eq!((&version()["yanked"], &version()["desired_yanked"]), (&false.into(), &true.into()));
    ann.unyank("foo", "1.0.0").good();
    assert_eq!(version()["desired_yanked"], serde_json::Value::Null);
    assert_eq!(registry.run_jobs(), 3);
    assert_eq!(registry.commits(), ["Publish foo 1.0.0"]);
}

fn update(client: &Client<'_>, version: &str, change: &Value) -> Answer {
    client.request(Method::PATCH, &format!("/api/v1/crates/{version}"), json!({ "version": change }).to_string())
}

#[test]
fn a_yank_message_is_shown_until_the_next_yank_or_unyank() {
    let registry = with_foo();
    let ann = registry.user("ann");
    let message = || ann.get("/api/v1/crates/foo/1.0.0").good().json()["version"]["yank_message"].clone();
    let why = json!({ "yanked": true, "yank_message": " it loses data " });
    let answer = update(&ann, "FOO/1.0.0", &why).good().json();
    // Desired until the job has run.
    let version = &answer["version"];
    assert_eq!(
        (&version["num"], &version["yanked"], &version["desired_yanked"]),
        (&json!("1.0.0"), &json!(false), &json!(true))
    );
    assert_eq!(version["yank_message"], "it loses data");
    assert_eq!(registry.run_jobs(), 1);
    assert_eq!((yanked(&registry), message()), (vec![true, false], json!("it loses data")));
    let listed = ann.get("/api/v1/crates/foo/versions").good().json();
    assert_eq!(
        (&listed["versions"][0]["yank_message"], &listed["versions"][1]["yank_message"]),
        (&Value::Null, &json!("it loses data"))
    );
    // Of a yanked version the message alone can be changed.
    update(&ann, "foo/1.0.0", &json!({ "yank_message": "use 1.1.0" })).good();
    assert_eq!(message(), "use 1.1.0");
    // As at crates.io a yank without a message removes it, and so does an unyank, whichever way it is sent.
    ann.yank("foo", "1.0.0").good();
    assert_eq!(message(), Value::Null);
    update(&ann, "foo/1.0.0", &why).good();
    ann.unyank("foo", "1.0.0").good();
    assert_eq!(message(), Value::Null);
    update(&ann, "foo/1.0.0", &why).good();
    assert_eq!(
        update(&ann, "foo/1.0.0", &json!({ "yanked": false })).good().json()["version"]["yank_message"],
        Value::Null
    );
    registry.run_jobs();
    assert_eq!(yanked(&registry), [false, false]);
    assert_eq!(registry.commits().len(), 4);
    let log = registry.admin("root").get("/api/v1/admin/audit?action=yank").good().json();
    let told: Vec<_> =
        log["entries"].as_array().unwrap().iter().map(|entry| entry["detail"]["message"].clone()).collect();
    assert_eq!(
        told,
        [json!("it loses data"), json!("it loses data"), Value::Null, json!("use 1.1.0"), json!("it loses data")]
    );
}

#[test]
fn an_update_that_makes_no_sense_changes_nothing() {
    let registry = with_foo();
    let ann = registry.user("ann");
    for (change, text) in [
        (json!({ "yanked": false, "yank_message": "x" }), "only a yanked version has a yank message"),
        (json!({ "yank_message": "x" }), "only a yanked version has a yank message"),
        (
            json!({ "yanked": true, "yank_message": "x".repeat(1001) }),
            "the yank message has 1001 characters, above the limit of 1000",
        ),
        (json!({ "yanked": true, "yank_message": "a\u{1b}[2J" }), "the yank message contains"),
        (json!({ "yanked": true, "yank_message": "two\nlines" }), "the yank message contains"),
        (json!({ "yanked": "yes" }), "version.yanked"),
        (json!("yank"), "version"),
    ] {
        let refused = update(&ann, "foo/1.0.0", &change);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text());
        assert!(refused.detail().contains(text), "{}", refused.detail());
    }
    let refused = update(&ann, "foo/1.0.0", &json!({ "yank_message": "x" }));
    insta::assert_snapshot!(refused.detail(), @r#"`foo@1.0.0` would not be yanked, and only a yanked version has a yank message: send `"yanked": true`, or no message"#);
    let yank = json!({ "yanked": true, "yank_message": "x".repeat(1000) });
    for missing in ["bar/1.0.0", "foo/2.0.0", "foo/1.0.0+build"] {
        assert_eq!(update(&ann, missing, &yank).status, StatusCode::NOT_FOUND, "{missing}");
    }
    assert_eq!(update(&registry.anonymous(), "foo/1.0.0", &yank).status, StatusCode::UNAUTHORIZED);
    assert_eq!(update(&registry.user("bob"), "foo/1.0.0", &yank).status, StatusCode::FORBIDDEN);
    let token = NewToken { scopes: Some(vec!["publish-update".parse().unwrap()]), ..NewToken::named("ci") };
    assert_eq!(update(&registry.user_with("ann", token), "foo/1.0.0", &yank).status, StatusCode::FORBIDDEN);
    assert_eq!(registry.pending(), 0);
    update(&ann, "foo/1.0.0", &yank).good();
    registry.run_jobs();
}
