//! Crates are described after the answer to a publish: soon, once, and from the newest state.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::{Value, json};
use supercargo::database::catalog::descriptions;
use supercargo::database::catalog::effective_state::{self, CrateNote, Description};
use supercargo::database::catalog::version_summary::VersionSummary;
use supercargo::database::upkeep::crate_states;
use supercargo::jobs::describing;

use crate::support::cluster::Database;
use crate::support::event::wait_until;
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

fn pending(registry: &TestRegistry) -> i64 {
    registry.pool.with(|connection| descriptions::count_pending(connection).unwrap()).unwrap()
}

fn found(registry: &TestRegistry, text: &str) -> Value {
    registry.anonymous().get(&format!("/api/v1/crates?q={text}")).good().json()["meta"]["total"].take()
}

fn shown(registry: &TestRegistry) -> Value {
    registry.anonymous().get("/api/v1/crates/foo").good().json()["crate"].take()
}

fn run_jobs(registry: &TestRegistry) {
    assert!(registry.drain_jobs().failed.is_empty());
}

#[test]
fn a_new_crate_is_shown_at_once_and_described_afterwards() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0").described("Parses numbers")).good();
    run_jobs(&registry);
    let early = shown(&registry);
    assert_eq!((&early["max_version"], &early["description"]), (&json!("1.0.0"), &Value::Null));
    assert_eq!((pending(&registry), found(&registry, "numbers")), (1, json!(0)));
    // It is no difference.
    let state = registry.pool.with(|connection| crate_states::page(connection, 0, 10).unwrap().remove(0)).unwrap();
    assert!(state.is_to_be_described && state.derived != state.following);
    registry.describe();
    assert_eq!((pending(&registry), found(&registry, "numbers")), (0, json!(1)));
    let described = shown(&registry);
    assert_eq!(described["description"], "Parses numbers");
    assert_eq!(described["updated_at"], early["updated_at"], "a description is no change");
}

#[test]
fn only_a_change_of_the_default_version_is_described() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let described = |num: &str| Package::new("foo", num).described(&format!("The crate at {num}"));
    ann.publish(&described("2.0.0")).good();
    registry.run_jobs();
    for (num, expected) in [("1.9.0", 0), ("3.0.0-rc.1", 0), ("2.1.0", 1)] {
        ann.publish(&described(num)).good();
        run_jobs(&registry);
        assert_eq!(pending(&registry), expected, "{num}");
    }
    let early = shown(&registry);
    assert_eq!(
        (&early["max_version"], &early["max_stable_version"], &early["newest_version"], &early["num_versions"]),
        (&json!("3.0.0-rc.1"), &json!("2.1.0"), &json!("2.1.0"), &json!(4))
    );
    assert_eq!(early["description"], "The crate at 2.0.0");
    registry.describe();
    ann.yank("foo", "1.9.0").good();
    run_jobs(&registry);
    assert_eq!(pending(&registry), 0);
    ann.yank("foo", "2.1.0").good();
    run_jobs(&registry);
    assert_eq!(pending(&registry), 1);
    registry.describe();
    assert_eq!(shown(&registry)["description"], "The crate at 2.0.0");
}

/// What crate 1 is described as, and how many versions it has.
fn stored(connection: &mut PgConnection) -> (Option<String>, i32) {
    use supercargo::database::schema::crates;
    crates::table.find(1).select((crates::description, crates::version_count)).first(connection).unwrap()
}

/// Describes crate 1, while it is changed by the holder of its lock, for which the description waits.
fn describe_during(change: impl Fn(&mut PgConnection)) -> (Database, PgConnection) {
    let database = Database::fresh();
    let mut connection = database.connect();
    connection
        .batch_execute(
            "INSERT INTO crates (id, name) VALUES (1, 'foo');
             INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, metadata, manifest, state,
                                   effective_yanked, commit_id, published_at)
             VALUES (1, '1.0.0', '1.0.0', sha256('x'), 1, '{}', '{}', '{\"description\": \"old\"}', 'published', false, 'c', now())",
        )
        .unwrap();
    descriptions::request(&mut connection, &[1]).unwrap();
    let mut holder = database.connect();
    holder.batch_execute("BEGIN; SELECT FROM crates FOR NO KEY UPDATE").unwrap();
    std::thread::scope(|scope| {
        let describing = scope.spawn(|| descriptions::describe_next(&mut database.connect()).unwrap());
        wait_until("the description to wait for the crate", || {
            let blocked = "SELECT pid FROM pg_stat_activity
                           WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0";
            diesel::sql_query(blocked).execute(&mut connection).unwrap() == 1
        });
        change(&mut holder);
        holder.batch_execute("COMMIT").unwrap();
        assert_eq!(describing.join().unwrap().crates, 1);
    });
    assert_eq!(descriptions::count_pending(&mut connection).unwrap(), 1, "it is to be described again");
    (database, connection)
}

#[test]
fn a_description_from_an_older_state_is_not_written() {
    let (_database, mut connection) = describe_during(|holder| {
        holder.batch_execute("UPDATE versions SET manifest = '{\"description\": \"new\"}'").unwrap();
        descriptions::request(holder, &[1]).unwrap();
    });
    assert_eq!(stored(&mut connection), (None, 0));
    assert_eq!(describing::run(&mut connection, &|| false).unwrap(), []);
    assert_eq!(stored(&mut connection), (Some("new".to_owned()), 1));
    assert_eq!(descriptions::count_pending(&mut connection).unwrap(), 0);
}

/// A job that needs no description, since the default version stays, changes the number of versions all the same.
#[test]
fn a_description_does_not_undo_what_a_job_has_noted_meanwhile() {
    let (_database, mut connection) = describe_during(|holder| {
        holder
            .batch_execute(
                "INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, metadata, state,
                                       effective_yanked, commit_id, published_at)
                 VALUES (1, '0.9.0', '0.9.0', sha256('y'), 1, '{}', '{}', 'published', false, 'c', now())",
            )
            .unwrap();
        let summary = VersionSummary { version_count: 2, ..VersionSummary::default() };
        let noted =
            CrateNote { id: 1, file: None, summary, is_changed: true, description: Description::Kept, listed: None };
        effective_state::note(holder, &[], &[noted]).unwrap();
    });
    assert_eq!(stored(&mut connection), (None, 2));
    assert_eq!(describing::run(&mut connection, &|| false).unwrap(), []);
    assert_eq!(stored(&mut connection), (Some("old".to_owned()), 2));
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn a_served_registry_describes_what_is_published_and_after_a_kill_what_was() {
        let mut served = Served::start(&[]);
        let token = served.token("ann");
        let description = |served: &Served| {
            http::get(&format!("{}/api/v1/crates/foo", served.url)).json()["crate"]["description"].take()
        };
        http::publish(&served.url, &token, &Package::new("foo", "1.0.0").described("first")).good();
        served.wait_until_described();
        assert_eq!(description(&served), "first");
        // Nobody can describe while this is held, and no publish waits for it.
        let mut holder = served.database.connect();
        descriptions::lock(&mut holder).unwrap();
        http::publish(&served.url, &token, &Package::new("foo", "1.1.0").described("second")).good();
        assert_eq!((description(&served), descriptions::count_pending(&mut holder).unwrap()), (json!("first"), 1));
        served.kill();
        descriptions::unlock(&mut holder).unwrap();
        assert_eq!(descriptions::count_pending(&mut holder).unwrap(), 1);
        served.start_again();
        served.wait_until_described();
        assert_eq!(description(&served), "second");
        served.stop();
    }
}
