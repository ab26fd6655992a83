//! How many statements requests send to the database, and that lending a connection sends none.

use std::sync::{Arc, Mutex};

use axum::http::Request;
use diesel::connection::InstrumentationEvent;
use diesel::prelude::*;
use serde_json::json;
use supercargo::database::Pool;
use supercargo::database::access::rate_limits::RateLimits;
use supercargo::database::access::upload_allowance::UploadAllowance;

use crate::support::cluster::Database;
use crate::support::harness::{Answer, BASE_URL, Client, TestRegistry};
use crate::support::package::Package;
use crate::support::proxy::Proxy;

/// The statements of a connection, each with its first words.
#[derive(Clone, Default)]
struct Record(Arc<Mutex<Vec<String>>>);

impl Record {
    fn of(pool: &Pool) -> Self {
        let record = Self::default();
        let statements = Arc::clone(&record.0);
        let write = move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                let text = query.to_string();
                let words: Vec<&str> = text.split_whitespace().take(14).collect();
                statements.lock().unwrap().push(words.join(" "));
            }
        };
        pool.with(|connection| connection.set_instrumentation(write)).unwrap();
        record
    }

    /// The statements since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Those up to the end of the transaction. Behind it, the workers of other processes are woken.
    fn take_transaction(&self) -> Vec<String> {
        let mut statements = self.take();
        let end = statements.iter().position(|statement| statement.starts_with("RELEASE SAVEPOINT"));
        statements.truncate(end.map_or(usize::MAX, |end| end + 1));
        statements
    }
}

/// A registry with the limits that a server has by default, and a user whose token was used a moment ago.
fn registry() -> TestRegistry {
    TestRegistry::with(|settings| {
        settings.admission.rate_limits = RateLimits::configured([]).unwrap();
        settings.admission.upload_allowance = Some(UploadAllowance(1 << 32));
    })
}

/// Sends a publish as cargo does, with its length.
fn publish(ann: &Client<'_>, package: &Package) -> Answer {
    let body = package.body();
    let request = Request::put("/api/v1/crates/new")
        .header("authorization", ann.token.as_deref().unwrap())
        .header("content-length", body.len());
    ann.send(request.body(body.into()).unwrap())
}

#[track_caller]
fn assert_count(record: &Record, expected: usize, what: &str) {
    let statements = record.take_transaction();
    assert_eq!(statements.len(), expected, "{what}: {statements:#?}");
}

#[test]
fn a_publish_and_a_yank_send_few_statements() {
    let registry = registry();
    let ann = registry.user("ann");
    publish(&ann, &Package::new("util", "1.0.0")).good();
    registry.run_jobs();
    let record = Record::of(&registry.pool);
    let dependency = |name: &str, registry: Option<&str>| {
        json!({
            "name": name, "version_req": "^1", "features": [], "optional": false, "default_features": true,
            "target": null, "kind": "normal", "registry": registry, "explicit_name_in_toml": null,
        })
    };
    let dependencies =
        json!([dependency("util", None), dependency("serde", Some("https://github.com/rust-lang/crates.io-index"))]);
    let depends = |num: &str| {
        Package::new("foo", num)
            .manifest(&format!(
                "[dependencies]\nserde = \"1\"\nutil = {{ version = \"1\", registry-index = \"sparse+{BASE_URL}/index/\" }}\n"
            ))
            .metadata("deps", dependencies.clone())
    };
    // Authentication, the facts, BEGIN, the locks, the version, the job, COMMIT.
    for (package, what) in [(depends("1.0.0"), "a new crate"), (depends("1.1.0"), "a new version")] {
        publish(&ann, &package).good();
        assert_count(&record, 7, what);
        // Touch, BEGIN, hold, the rows to apply, the locks, the effective state, the end of the job, COMMIT; and in each of
        // five queues a look that finds nothing.
        assert!(registry.drain_jobs().failed.is_empty());
        let worker = record.take();
        assert_eq!(worker.len(), 8 + 5, "the job of {what}: {worker:#?}");
        registry.describe();
        record.take();
    }
    // Authentication, BEGIN, the locks, the facts, the yank, the job, COMMIT.
    ann.yank("foo", "1.0.0").good();
    assert_count(&record, 7, "a yank");
    ann.unyank("foo", "1.0.0").good();
    assert_count(&record, 7, "an unyank");
    registry.run_jobs();
}

#[test]
fn a_refused_publish_sends_two_statements() {
    let registry = registry();
    let ann = registry.user("ann");
    publish(&ann, &Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let record = Record::of(&registry.pool);
    assert_eq!(publish(&ann, &Package::new("foo", "1.0.0")).status, 409);
    assert_count(&record, 2, "a duplicate");
}

#[test]
fn a_connection_is_lent_without_a_statement() {
    let database = Database::fresh();
    let pool = Pool::live(&database.url(), 1);
    let record = Record::of(&pool);
    pool.with(|_| ()).unwrap();
    assert_eq!(record.take(), Vec::<String>::new());
    pool.with(|connection| diesel::sql_query("SELECT 2").execute(connection)).unwrap().unwrap();
    assert_eq!(record.take().len(), 1);
}

#[test]
fn a_connection_that_broke_while_it_was_idle_is_replaced_before_it_is_lent() {
    let database = Database::fresh();
    let proxy = Proxy::before(&database.url());
    let pool = Pool::live(&proxy.url(), 1);
    for _ in 0..3 {
        pool.with(|connection| diesel::sql_query("SELECT 2").execute(connection)).unwrap().unwrap();
        proxy.cut();
    }
    assert!(proxy.accepted() >= 3, "{}", proxy.accepted());
}
