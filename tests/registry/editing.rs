//! A crate's file that is edited has the bytes that would be rendered from all its rows, and what is noted of it is what a
//! comparison with all of them would note.

use std::sync::{Arc, Mutex};

use axum::http::Method;
use diesel::connection::{InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use supercargo::database::catalog::{publish_facts, versions};
use supercargo::database::upkeep::crate_states::{self, CrateState};
use supercargo::index::Change;
use supercargo::index::entry::render;
use supercargo::jobs::sync_crate;

use crate::support::harness::TestRegistry;
use crate::support::package::Package;

const FOO: &str = "3/f/foo";

/// Small numbers, the same ones for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

fn state(registry: &TestRegistry) -> CrateState {
    let id: Vec<Id> = load(registry, "SELECT id::bigint AS id FROM crates WHERE name = 'foo'");
    let id = i32::try_from(id[0].id).unwrap();
    registry.pool.with(|connection| crate_states::one(connection, id).unwrap().unwrap()).unwrap()
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

fn load<T: diesel::deserialize::QueryableByName<diesel::pg::Pg> + 'static>(
    registry: &TestRegistry,
    query: &str,
) -> Vec<T> {
    registry.pool.with(|connection| diesel::sql_query(query).load(connection).unwrap()).unwrap()
}

fn execute(registry: &TestRegistry, statements: &str) {
    registry.pool.with(|connection| connection.batch_execute(statements).unwrap()).unwrap();
}

/// The file that all rows give.
fn rendered(registry: &TestRegistry) -> String {
    let lines = registry.pool.with(|connection| {
        let id = supercargo::database::catalog::crates::find(connection, &"foo".parse().unwrap()).unwrap().unwrap().id;
        versions::desired_lines(connection, &[id]).unwrap()
    });
    let lines = lines.unwrap();
    render(lines.iter().filter(|line| !line.deleted).map(|line| (line.index_line.as_str(), line.yanked))).unwrap()
}

/// Asserts that file and rows agree, and that all that is noted follows from the rows. Whether a file is noted.
fn check(registry: &TestRegistry, context: &str) -> bool {
    let file = registry.index_file(FOO);
    assert_eq!(file, rendered(registry), "{context}");
    let krate = state(registry);
    for version in &krate.versions {
        let desired = (!version.deletion_requested).then_some(version.desired_yanked);
        assert_eq!(version.effective_yanked, desired, "{context}: {}", version.num);
        assert_eq!(version.state == "deleted", version.deletion_requested, "{context}: {}", version.num);
    }
    assert_eq!(krate.derived, krate.following, "{context}");
    let Some(noted) = krate.noted else { return false };
    let head = registry.index.head().unwrap();
    assert_eq!(Some(noted.index_blob), registry.index.find(&head, FOO).unwrap().map(|id| id.to_string()), "{context}");
    assert_eq!(usize::try_from(noted.index_bytes).unwrap(), file.len(), "{context}");
    let last =
        krate.versions.iter().filter(|version| version.effective_yanked.is_some()).map(|version| version.id).max();
    assert!(last <= Some(noted.index_last_id), "{context}: {last:?}");
    true
}

/// Somebody else writes the file.
fn write_by_another_hand(registry: &TestRegistry, change: impl FnOnce(&str) -> String) {
    let content = change(&registry.index_file(FOO));
    let content = (!content.is_empty()).then(|| content.into());
    let change = Change { path: FOO.to_owned(), content, message: "by another hand".to_owned() };
    let writer = registry.index.lock_writer().unwrap();
    writer.commit(&registry.index.head().unwrap(), &[change]).unwrap();
}

/// One random sequence of changes; the number of times that a file was noted afterwards.
fn play(seed: u64) -> usize {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let registry = TestRegistry::new();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    ann.publish(&Package::new("foo", "0.0.1")).good();
    let (mut numbers, mut noted) = (vec!["0.0.1".to_owned()], 0);
    for round in 0..12 {
        for step in 0..=random.below(4) {
            let chosen = numbers[random.below(numbers.len())].clone();
            match random.below(12) {
                0..5 => {
                    let pre = ["", "", "-rc.1"][random.below(3)];
                    let num = format!("{}.{}.{}{pre}", random.below(3), random.below(4), 100 * round + step);
                    ann.publish(&Package::new("foo", &num)).good();
                    numbers.push(num);
                }
                // A deleted version is neither yanked nor deleted again.
                5..8 => drop(ann.yank("foo", &chosen)),
                8..10 => drop(ann.unyank("foo", &chosen)),
                10 if random.below(2) == 0 => {
                    let path = format!("/api/v1/crates/foo/{chosen}?reason=x");
                    drop(root.request(Method::DELETE, &path, ""));
                }
                _ => {}
            }
        }
        match random.below(8) {
            0 => write_by_another_hand(&registry, |file| file.lines().rev().map(|line| format!("{line}\n")).collect()),
            1 => {
                write_by_another_hand(&registry, |file| file.lines().skip(1).map(|line| format!("{line}\n")).collect())
            }
            2 => write_by_another_hand(&registry, |file| file.replace("\"yanked\":true", "\"yanked\":false")),
            3 => execute(&registry, "UPDATE crates SET index_blob = NULL"),
            _ => {}
        }
        // A job of the crate, whatever was changed.
        let publish = Package::new("foo", &format!("9.9.{round}"));
        ann.publish(&publish).good();
        registry.run_jobs();
        noted += usize::from(check(&registry, &format!("seed {seed}, round {round}")));
    }
    noted
}

#[test]
fn an_edited_file_is_the_one_that_all_rows_give() {
    assert_eq!((1..=2).map(play).sum::<usize>(), 24);
}

/// A registry in which `foo` has so many versions.
fn with_versions(count: usize) -> TestRegistry {
    let registry = TestRegistry::new();
    // Of small tables PostgreSQL would rather read all rows than use an index.
    for kind in ["seqscan", "hashjoin", "mergejoin"] {
        execute(&registry, &format!("SET LOCAL enable_{kind} = off"));
    }
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    execute(
        &registry,
        &format!(
            "INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, metadata)
             SELECT crate_id, '1.0.' || n, '1.0.' || n, checksum, size,
                    replace(index_line, '\"vers\":\"1.0.0\"', '\"vers\":\"1.0.' || n || '\"'), metadata
             FROM versions, generate_series(1, {count} - 1) AS n"
        ),
    );
    registry.pool.with(|connection| sync_crate::request(connection, FOO, "test").unwrap()).unwrap();
    registry.run_jobs();
    assert_eq!(registry.index_file(FOO).lines().count(), count);
    // Nothing is committed, so autovacuum may have found an empty table, of which all indexes are equally good.
    execute(&registry, "ANALYZE versions");
    registry
}

/// What a piece of work costs: the statements of the connection, and the rows of versions that they read.
#[derive(Debug, PartialEq)]
struct Cost {
    statements: Vec<String>,
    rows: i64,
}

fn cost(registry: &TestRegistry, work: impl FnOnce()) -> Cost {
    let rows = || -> i64 {
        let query = "SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::bigint AS id FROM pg_stat_xact_user_tables
                     WHERE relname = 'versions'";
        load::<Id>(registry, query)[0].id
    };
    let before = rows();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let instrumentation = move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            sink.lock().unwrap().push(query.to_string());
        }
    };
    registry.pool.with(|connection| connection.set_instrumentation(instrumentation)).unwrap();
    work();
    registry.pool.with(|connection| connection.set_instrumentation(|_: InstrumentationEvent<'_>| {})).unwrap();
    let statements = std::mem::take(&mut *seen.lock().unwrap());
    Cost { statements, rows: rows() - before }
}

/// The statements that are about crates, versions and descriptions, by their first words.
fn about_crates(cost: &Cost) -> Vec<&str> {
    let is_about_crates = |text: &&String| {
        ["FROM crates", "\"crates\"", "versions", "pending_descriptions"].iter().any(|one| text.contains(one))
    };
    cost.statements.iter().filter(is_about_crates).map(|text| text.split([' ', '\n']).next().unwrap()).collect()
}

#[test]
fn a_publish_and_a_yank_read_few_rows_in_three_statements_however_many_versions_there_are() {
    let registry = with_versions(400);
    let ann = registry.user("ann");
    let drained = || assert!(registry.drain_jobs().failed.is_empty());
    ann.publish(&Package::new("foo", "2.0.0")).good();
    let publish = cost(&registry, drained);
    assert_eq!(about_crates(&publish), ["SELECT", "SELECT", "WITH"], "{publish:#?}");
    registry.describe();
    for (num, unyanked) in [("1.0.7", false), ("2.0.0", false), ("2.0.0", true)] {
        let path = format!("/api/v1/crates/foo/{num}/{}", if unyanked { "unyank" } else { "yank" });
        ann.request(if unyanked { Method::PUT } else { Method::DELETE }, &path, "").good();
        let yank = cost(&registry, drained);
        assert_eq!(about_crates(&yank), ["SELECT", "SELECT", "WITH"], "{yank:#?}");
        assert!(yank.rows < 10, "{yank:#?}");
        registry.describe();
    }
    assert!(publish.rows < 10, "{publish:#?}");
    assert!(check(&registry, "in the end"));
}

#[test]
fn a_request_reads_few_rows_however_many_versions_there_are() {
    let registry = with_versions(400);
    let ann = registry.user("ann");
    let publish = cost(&registry, || drop(ann.publish(&Package::new("foo", "2.0.0")).good()));
    assert!(publish.rows < 20, "{publish:#?}");
    registry.run_jobs();
}

#[test]
fn the_limit_of_an_index_file_counts_what_is_in_it_and_what_will_be() {
    let met = |registry: &TestRegistry| {
        let (name, num) = ("foo".parse().unwrap(), "9.0.0".parse().unwrap());
        let met = registry.pool.with(|connection| publish_facts::read(connection, (&name, &num), 1, &[], &[]).unwrap());
        usize::try_from(met.unwrap().facts.index_bytes).unwrap()
    };
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for num in ["1.0.0", "1.1.0", "1.2.0"] {
        ann.publish(&Package::new("foo", num)).good();
        assert_eq!(met(&registry), rendered(&registry).len());
        if num == "1.1.0" {
            registry.run_jobs();
            assert!(state(&registry).noted.is_some());
        }
    }
    // Without a noted file all lines are counted.
    execute(&registry, "UPDATE crates SET index_blob = NULL, index_bytes = NULL, index_last_id = NULL");
    assert_eq!(met(&registry), rendered(&registry).len());
    registry.run_jobs();
}

#[test]
fn a_line_that_a_repair_changes_takes_the_noted_file_with_it() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let krate = state(&registry);
    assert!(krate.noted.is_some());
    let line = krate.versions[0].index_line.replace("\"features\":{}", "\"features\":{\"x\":[]}");
    assert_ne!(line, krate.versions[0].index_line);
    registry
        .pool
        .with(|connection| {
            versions::set_index_line(connection, krate.versions[0].id, &line, &serde_json::json!({})).unwrap();
        })
        .unwrap();
    assert_eq!(state(&registry).noted, None);
    registry.user("ann").publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    assert!(check(&registry, "after the next publish") && registry.index_file(FOO).contains("\"x\":[]"));
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn an_edited_file_is_the_one_that_all_rows_give_in_longer_runs() {
        assert_eq!((3..=10).map(play).sum::<usize>(), 96);
    }
}
