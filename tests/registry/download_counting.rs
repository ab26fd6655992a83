//! Downloads are counted when they are answered, and written to the database soon after.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use chrono::{Days, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::json;
use supercargo::database::Pool;
use supercargo::database::catalog::crates;
use supercargo::database::catalog::downloads::{self, OfDay};
use supercargo::web::download_counts::DownloadCounts;

use crate::support::cluster::Database;
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

const CRATES: i32 = 20;

/// Crates with the ids from 1, each with one version of the same id.
fn populated() -> Database {
    let database = Database::fresh();
    let statement = format!(
        "INSERT INTO crates (id, name) SELECT n, 'crate-' || n FROM generate_series(1, {CRATES}) AS n;
         INSERT INTO versions (id, crate_id, num, num_without_build, checksum, size, index_line, metadata)
         SELECT n, n, '1.0.0', '1.0.0', sha256('x'), 1, '{{}}', '{{}}' FROM generate_series(1, {CRATES}) AS n"
    );
    database.connect().batch_execute(&statement).unwrap();
    database
}

/// The sums of the three tables: by day, by version, by crate.
fn sums(connection: &mut PgConnection) -> [i64; 3] {
    #[derive(QueryableByName)]
    struct Sum {
        #[diesel(sql_type = BigInt)]
        sum: i64,
    }
    ["version_downloads_by_day", "version_downloads", "crate_downloads"].map(|table| {
        let statement = format!("SELECT coalesce(sum(downloads), 0)::bigint AS sum FROM {table}");
        diesel::sql_query(statement).get_result::<Sum>(connection).unwrap().sum
    })
}

#[test]
fn a_download_is_counted_when_its_bytes_are_sent_and_not_otherwise() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for version in ["1.0.0", "1.1.0"] {
        ann.publish(&Package::new("foo", version)).good();
    }
    registry.run_jobs();
    let path = "/api/v1/crates/foo/1.0.0/download";
    let etag = ann.get(path).good().headers["etag"].clone();
    ann.get(path).good();
    ann.request(Method::HEAD, path, Body::empty()).good();
    let known = Request::get(path).header("if-none-match", etag).body(Body::empty()).unwrap();
    assert_eq!(ann.send(known).status, StatusCode::NOT_MODIFIED);
    assert_eq!(ann.get("/api/v1/crates/foo/9.0.0/download").status, StatusCode::NOT_FOUND);
    assert_eq!(registry.download_counts.waiting(), 2);
    registry.count_downloads(&[("foo", "1.1.0", 3)]);
    assert_eq!(registry.download_counts.waiting(), 0);
    let get = |path: &str| ann.get(&format!("/api/v1/crates/{path}")).good().json();
    let krate = get("foo")["crate"].clone();
    assert_eq!((&krate["downloads"], &krate["recent_downloads"]), (&json!(5), &json!(5)));
    let version = get("foo/1.0.0")["version"].clone();
    assert_eq!(version["downloads"], 2);
    let today = json!(Utc::now().date_naive());
    let of_day = json!({ "version": version["id"], "downloads": 2, "date": today });
    assert_eq!(get("foo/1.0.0/downloads"), json!({ "version_downloads": [of_day] }));
    assert_eq!(get("foo/downloads")["version_downloads"].as_array().unwrap().len(), 2);
    // Beyond the five highest versions they are told together.
    for version in ["2.0.0", "2.1.0", "2.2.0", "2.3.0"] {
        ann.publish(&Package::new("foo", version)).good();
    }
    registry.run_jobs();
    let extra = json!([{ "date": today, "downloads": 2 }]);
    assert_eq!(get("foo/downloads")["meta"]["extra_downloads"], extra);
    assert_eq!(get("foo/downloads")["version_downloads"].as_array().unwrap().len(), 1);
}

#[test]
fn several_processes_that_write_at_the_same_time_lose_no_count() {
    let database = populated();
    std::thread::scope(|scope| {
        for process in 0..4 {
            let url = database.url();
            scope.spawn(move || {
                let (counts, pool) = (DownloadCounts::default(), Pool::live(&url, 1));
                for round in 0..25 {
                    // Each in another order.
                    for place in 0..CRATES {
                        counts.add(1 + (place * (2 * process + 1) + round) % CRATES);
                    }
                    counts.flush(&pool).unwrap();
                }
            });
        }
    });
    assert_eq!(sums(&mut database.connect()), [4 * 25 * i64::from(CRATES); 3]);
}

#[test]
fn counting_does_not_wait_for_who_holds_the_row_of_a_crate() {
    let database = populated();
    let (counts, pool) = (DownloadCounts::default(), Pool::live(&database.url(), 1));
    let publisher = &mut database.connect();
    publisher
        .transaction(|publisher| {
            assert_eq!(crates::lock_all(publisher, &[1, 2])?, [1, 2]);
            counts.add(1);
            counts.add(2);
            pool.with(|connection| connection.batch_execute("SET lock_timeout = '5s'")).unwrap()?;
            counts.flush(&pool).unwrap();
            QueryResult::Ok(())
        })
        .unwrap();
    assert_eq!(sums(publisher), [2; 3]);
}

#[test]
fn an_outage_of_the_database_costs_no_count() {
    let database = populated();
    let (counts, pool) = (DownloadCounts::default(), Pool::live(&database.url(), 1));
    let connection = &mut database.connect();
    counts.add(1);
    connection.batch_execute("ALTER TABLE crate_downloads RENAME TO away").unwrap();
    assert!(counts.flush(&pool).is_err());
    assert_eq!(counts.waiting(), 1);
    counts.add(1);
    counts.add(2);
    assert!(counts.flush(&pool).is_err());
    connection.batch_execute("ALTER TABLE away RENAME TO crate_downloads").unwrap();
    counts.flush(&pool).unwrap();
    assert_eq!((sums(connection), counts.waiting()), ([3; 3], 0));
    // What is written is not written again.
    counts.flush(&pool).unwrap();
    assert_eq!(sums(connection), [3; 3]);
}

#[test]
fn days_that_are_no_longer_recent_are_forgotten_once_and_stay_in_the_totals() {
    let database = populated();
    let connection = &mut database.connect();
    let today = Utc::now();
    let day = |ago| today.checked_sub_days(Days::new(ago)).unwrap().date_naive();
    let of_day = |ago, downloads| OfDay { version_id: 1, day: day(ago), downloads };
    downloads::add(connection, &[of_day(0, 1), of_day(90, 10), of_day(89, 100)]).unwrap();
    let recent = |connection: &mut PgConnection| {
        use supercargo::database::schema::crate_downloads;
        crate_downloads::table
            .select((crate_downloads::downloads, crate_downloads::recent))
            .first::<(i64, i64)>(connection)
    };
    assert!(!downloads::forget_old_days(connection, today).unwrap());
    assert_eq!(recent(connection).unwrap(), (111, 111));
    let tomorrow = today.checked_add_days(Days::new(1)).unwrap();
    assert!(downloads::forget_old_days(connection, tomorrow).unwrap());
    assert!(!downloads::forget_old_days(connection, tomorrow).unwrap());
    assert_eq!(recent(connection).unwrap(), (111, 101));
    assert_eq!(downloads::of_versions(connection, &[1], tomorrow).unwrap(), [of_day(89, 100), of_day(0, 1)]);
}

#[test]
fn a_normal_stop_writes_what_was_counted() {
    let mut served = Served::start(&["--download-flush-interval", "1day"]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    http::get(&format!("{}/api/v1/crates/foo/1.0.0/download", served.url)).good();
                }
            });
        }
    });
    assert_eq!(sums(&mut served.database.connect()), [0; 3]);
    let measured = http::get(&format!("{}/metrics", served.url)).good().text();
    assert!(measured.contains("supercargo_downloads_total 20"), "{measured}");
    served.stop();
    assert_eq!(sums(&mut served.database.connect()), [20; 3]);
}
