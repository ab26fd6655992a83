//! Every step says *ensure*: a job that runs again, from wherever it was killed, changes nothing the second time. And
//! the harness itself: it must notice what a test forgets.

use diesel::prelude::*;
use diesel::sql_query;
use supercargo::index::Change;
use supercargo::queue::inspection::{self, Selection};
use supercargo::queue::intervention;

use crate::support::harness::TestRegistry;
use crate::support::package::Package;

impl TestRegistry {
    fn sql(&self, statement: &str) -> usize {
        self.pool.with(|connection| sql_query(statement).execute(connection).unwrap()).unwrap()
    }
}

/// A copy of each job that is pending, to be run after it.
const DOUBLE_JOBS: &str = "INSERT INTO jobs (queue, kind, key, payload) SELECT queue, kind, key, payload FROM jobs";

#[test]
fn a_job_that_runs_twice_adds_no_second_line_and_no_commit() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.sql(DOUBLE_JOBS);
    // The second of the pair comes in a batch of its own.
    registry.sql("UPDATE jobs SET run_at = clock_timestamp() + interval '1 hour' WHERE requested_by IS NULL");
    assert_eq!(registry.run_jobs(), 1);
    let (file, head) = (registry.index_file("3/f/foo"), registry.index.head().unwrap());
    registry.sql("UPDATE jobs SET run_at = clock_timestamp()");
    assert_eq!(registry.run_jobs(), 1);
    assert_eq!(registry.index_file("3/f/foo"), file);
    assert_eq!(registry.index.head().unwrap(), head);
}

#[test]
fn a_job_killed_after_the_index_was_written_only_catches_the_database_up() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.sql(DOUBLE_JOBS);
    registry.sql("UPDATE jobs SET run_at = clock_timestamp() + interval '1 hour' WHERE requested_by IS NULL");
    registry.run_jobs();
    // As it is after a kill between the index and the database.
    registry.sql(
        "UPDATE versions SET state = 'queued', effective_yanked = NULL, commit_id = NULL, published_at = NULL
         FROM crates WHERE crates.id = crate_id AND crates.name = 'foo'",
    );
    registry.sql("UPDATE jobs SET run_at = clock_timestamp()");
    assert_eq!(registry.run_jobs(), 1);
    let version = &ann.get("/api/v1/crates/foo/1.0.0").json()["version"];
    assert_eq!(version["state"], "published");
    assert_eq!(version["index_commit"], registry.index.head().unwrap().commit.unwrap().to_string());
    assert_eq!(registry.commits(), ["Publish foo 1.0.0"]);
}

#[test]
fn what_somebody_else_wrote_into_a_crates_file_is_put_right() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let good = registry.index_file("3/f/foo");
    let spoil = Change {
        path: "3/f/foo".to_owned(),
        content: Some(b"{\"name\":\"foo\",\"vers\":\"9.9.9\",\"yanked\":false}\n".as_slice().into()),
        message: "Spoil foo".to_owned(),
    };
    registry.index.lock_writer().unwrap().commit(&registry.index.head().unwrap(), &[spoil]).unwrap();
    ann.yank("foo", "1.0.0").good();
    ann.unyank("foo", "1.0.0").good();
    registry.run_jobs();
    assert_eq!(registry.index_file("3/f/foo"), good);
    assert_eq!(registry.commits().last().unwrap(), "Update foo: publish 1.0.0, remove 9.9.9");
}

#[test]
fn a_crate_that_cannot_be_rendered_fails_alone() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for name in ["bad", "good", "fine"] {
        ann.publish(&Package::new(name, "1.0.0")).good();
    }
    registry.sql(
        "UPDATE versions SET index_line = 'no JSON' FROM crates WHERE crates.id = crate_id AND crates.name = 'bad'",
    );
    let drained = registry.drain();
    assert_eq!((drained.done.len(), drained.failed.len()), (2, 1));
    assert_eq!(registry.commits(), ["Publish good 1.0.0", "Publish fine 1.0.0"]);
    let failing = registry.pool.with(|c| inspection::list(c, Selection::Failing, 10).unwrap()).unwrap();
    assert_eq!(failing.len(), 1);
    assert_eq!((failing[0].key.as_deref(), failing[0].attempts), (Some("bad"), 1));
    assert_eq!(failing[0].error.as_deref(), Some(&*drained.failed[0].1));
    assert!(failing[0].run_at.unwrap() > chrono::Utc::now(), "it waits");
    let discarded =
        registry.pool.with(|c| intervention::discard(c, failing[0].id, "test", "done with it").unwrap()).unwrap();
    assert_eq!(discarded, intervention::Handled::Waiting);
}

/// A standby takes over from a worker that was killed between taking git's lock and moving the branch.
#[test]
fn the_lock_of_a_killed_writer_stops_nobody() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    std::fs::write(registry.index.path().join("refs/heads/main.lock"), "").unwrap();
    ann.yank("foo", "1.0.0").good();
    assert_eq!(registry.run_jobs(), 1);
    assert_eq!(registry.commits(), ["Publish foo 1.0.0", "Yank foo 1.0.0"]);
}

#[test]
fn what_was_done_is_in_the_history_with_who_asked_and_the_commit() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let done = registry.pool.with(|c| inspection::list(c, Selection::Done, 1).unwrap()).unwrap();
    assert_eq!((done[0].kind.as_str(), done[0].state.as_str()), ("publish_version", "done"));
    assert_eq!(done[0].requested_by.as_deref(), Some("ann"));
    assert_eq!(done[0].detail, Some(registry.index.head().unwrap().commit.unwrap().to_string()));
}

#[test]
fn too_many_packs_are_merged_by_a_job_of_their_own() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let mut merged = 0;
    for number in 0..52 {
        ann.publish(&Package::new("foo", &format!("1.0.{number}"))).good();
        merged += registry.run_jobs() - 1;
    }
    assert_eq!(merged, 1);
    let done = registry.pool.with(|c| inspection::list(c, Selection::Done, 60).unwrap()).unwrap();
    let merging = done.iter().find(|job| job.kind == "maintain_index").unwrap();
    assert!(merging.detail.as_deref().unwrap().ends_with("packs, 51 before"), "{:?}", merging.detail);
    assert_eq!(registry.index_file("3/f/foo").lines().count(), 52);
}

#[test]
#[should_panic(expected = "the test left jobs")]
fn a_test_that_leaves_a_job_fails() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
}

#[test]
#[should_panic(expected = "not a JSON object")]
fn a_test_in_which_a_job_failed_unnoticed_fails() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.sql("UPDATE versions SET index_line = 'no JSON'");
    registry.run_jobs();
}
