//! `cargo yank` and `cargo yank --undo`: wanted at once, effective when the job has run.

use axum::http::StatusCode;

use crate::support::harness::TestRegistry;
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
fn wanted_and_effective_state_are_told_apart_until_the_job_has_run() {
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
    insta::assert_snapshot!(refused.detail(), @"`bob` is not an owner of the crate `foo`, and only its owners (ann) may yank its versions: ask one of them");
    assert_eq!(registry.anonymous().yank("foo", "1.0.0").status, StatusCode::UNAUTHORIZED);
    assert_eq!(registry.pending(), 0);
}

#[test]
fn what_is_not_there_cannot_be_yanked() {
    let registry = with_foo();
    let ann = registry.user("ann");
    for (name, version, text) in [
        ("bar", "1.0.0", "there is no crate `bar` here"),
        ("foo", "2.0.0", "the crate `foo` has no version 2.0.0"),
        ("foo", "1.0.0+build", "the crate `foo` has no version 1.0.0+build"),
        ("foo", "nonsense", "the crate `foo` has no version nonsense"),
        ("%00", "1.0.0", "there is no crate `` here"),
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
fn a_version_that_is_queued_tells_that_it_is_desired_yanked() {
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
