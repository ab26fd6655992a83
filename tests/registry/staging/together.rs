//! The index has a set as a whole or not at all, whichever job writes it.

use axum::http::StatusCode;
use diesel::RunQueryDsl;
use serde_json::json;

use super::{approve, create, numbers, shown, stage, with_two};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

fn sql(registry: &TestRegistry, statement: &str) -> usize {
    registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap()
}

fn both(registry: &TestRegistry) -> (Vec<String>, Vec<String>) {
    let everyone = registry.anonymous();
    (numbers(&everyone, "/index", "3/f/foo"), numbers(&everyone, "/index", "3/b/bar"))
}

#[test]
fn the_job_of_one_crate_writes_all_crates_of_its_set() {
    let registry = with_two();
    let ann = registry.user("ann");
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    stage(&ann, "next", &Package::new("bar", "2.0.0")).good();
    stage(&ann, "next", &Package::new("third", "2.0.0")).good();
    approve(&ann, "next").good();
    // Only a job of one crate runs.
    assert_eq!(sql(&registry, "UPDATE jobs SET run_at = now() + interval '1 day' WHERE key <> 'bar'"), 2);
    assert_eq!(registry.run_jobs(), 1);
    let all = ["1.0.0", "2.0.0"].map(str::to_owned).to_vec();
    assert_eq!(both(&registry), (all.clone(), all));
    assert_eq!(numbers(&ann, "/index", "th/ir/third"), ["2.0.0"]);
    assert_eq!(ann.get("/api/v1/crates/foo/2.0.0").good().json()["version"]["yanked"], false);
    registry.make_due();
    registry.run_jobs();
    assert_eq!(registry.commits().len(), 5);
}

#[test]
fn a_job_that_renders_a_file_writes_all_crates_of_its_set() {
    let registry = with_two();
    let ann = registry.user("ann");
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    stage(&ann, "next", &Package::new("bar", "2.0.0")).good();
    approve(&ann, "next").good();
    sql(&registry, "DELETE FROM jobs WHERE kind = 'publish_version'");
    // The note of the file is gone, so that all rows are read; and the file itself is to be rendered.
    sql(&registry, "UPDATE crates SET index_blob = NULL, index_bytes = NULL, index_last_id = NULL WHERE name = 'foo'");
    let enqueued =
        registry.pool.with(|connection| supercargo::jobs::sync_crate::request(connection, "3/f/foo", "test").unwrap());
    enqueued.unwrap();
    assert_eq!(registry.run_jobs(), 1);
    let all = ["1.0.0", "2.0.0"].map(str::to_owned).to_vec();
    assert_eq!(both(&registry), (all.clone(), all));
}

#[test]
fn a_plain_publish_beside_an_approved_set_does_not_show_a_part_of_it() {
    let registry = with_two();
    let ann = registry.user("ann");
    stage(&ann, "one", &Package::new("foo", "2.0.0")).good();
    stage(&ann, "one", &Package::new("bar", "2.0.0")).good();
    stage(&ann, "two", &Package::new("bar", "3.0.0")).good();
    stage(&ann, "two", &Package::new("third", "3.0.0")).good();
    approve(&ann, "one").good();
    approve(&ann, "two").good();
    sql(&registry, "DELETE FROM jobs WHERE kind = 'publish_version'");
    ann.publish(&Package::new("foo", "1.0.1")).good();
    assert_eq!(registry.run_jobs(), 1);
    // The sets share a crate, so both are written.
    let (foo, bar) = both(&registry);
    assert_eq!((foo.len(), bar), (3, ["1.0.0", "2.0.0", "3.0.0"].map(str::to_owned).to_vec()));
    assert_eq!(numbers(&ann, "/index", "th/ir/third"), ["3.0.0"]);
}

#[test]
fn a_set_of_which_one_crate_cannot_be_written_waits_as_a_whole() {
    let registry = with_two();
    let ann = registry.user("ann");
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    stage(&ann, "next", &Package::new("bar", "2.0.0")).good();
    approve(&ann, "next").good();
    ann.publish(&Package::new("third", "1.0.0")).good();
    sql(
        &registry,
        "UPDATE versions SET index_line = E'{}\\n' || index_line WHERE num = '2.0.0' AND crate_id = (SELECT id FROM crates WHERE name = 'bar')",
    );
    let drained = registry.drain_jobs();
    assert_eq!((drained.done.len(), drained.failed.len()), (1, 2));
    let one = vec!["1.0.0".to_owned()];
    assert_eq!(both(&registry), (one.clone(), one));
    assert_eq!(numbers(&ann, "/index", "th/ir/third"), ["1.0.0"]);
    let errors = registry.pool.with(|connection| {
        use diesel::prelude::*;
        use diesel::sql_types::Text;
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            last_error: String,
        }
        let rows: Vec<Row> =
            diesel::sql_query("SELECT last_error FROM jobs WHERE key = 'foo'").load(connection).unwrap();
        rows.into_iter().map(|row| row.last_error).collect::<Vec<_>>()
    });
    let errors = errors.unwrap();
    assert!(errors[0].contains("its release set is written as a whole, and `bar` cannot be written"), "{errors:?}");
    sql(&registry, "UPDATE versions SET index_line = replace(index_line, E'{}\\n', '')");
    registry.make_due();
    registry.run_jobs();
    let all = ["1.0.0", "2.0.0"].map(str::to_owned).to_vec();
    assert_eq!(both(&registry), (all.clone(), all));
}

#[test]
fn a_set_takes_no_more_than_one_move_can_publish() {
    let registry = with_two();
    let ann = registry.user("ann");
    create(&ann, &json!({ "name": "large" })).good();
    sql(
        &registry,
        "INSERT INTO staged_versions (set_id, name, num, num_without_build, is_new_crate, checksum, size, index_line,
                                      metadata, staged_by)
         SELECT release_sets.id, 'filler', n || '.0.0', n || '.0.0', false, sha256(n::text::bytea), 1, '{}', '{}', users.id
         FROM release_sets, users, generate_series(1, 500) AS n WHERE login = 'ann'",
    );
    let full = stage(&ann, "large", &Package::new("foo", "2.0.0"));
    assert_eq!(full.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(full.detail().contains("has 500 versions and changes already"), "{}", full.detail());
    assert_eq!(shown(&ann, "large")["versions"].as_array().unwrap().len(), 500);
}
