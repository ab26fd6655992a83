//! A version that is deleted is gone from index, downloads and store, and its number stays taken.

use std::io::Write;
use std::net::TcpStream;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use diesel::prelude::*;
use serde_json::json;
use supercargo::package::Checksum;

use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

fn delete(client: &Client<'_>, path: &str) -> Answer {
    client.request(Method::DELETE, &format!("/api/v1/crates/{path}"), "")
}

fn file_of(registry: &TestRegistry, package: &Package) -> std::path::PathBuf {
    let name = Checksum::of(&package.crate_file()).to_string();
    registry.directory.path().join("crates").join(&name[..2]).join(format!("{name}.crate"))
}

#[test]
fn a_deleted_version_is_nowhere_and_cannot_come_back() {
    let registry = TestRegistry::new();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    let leaked = Package::new("foo", "1.0.0");
    ann.publish(&leaked).good();
    ann.publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    delete(&root, "foo/1.0.0?reason=held%20a%20key").good();
    // From the moment it was asked for.
    let gone = ann.get("/api/v1/crates/foo/1.0.0/download");
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    insta::assert_snapshot!(gone.detail(), @"`foo@1.0.0` was deleted from this registry: held a key");
    assert!(file_of(&registry, &leaked).exists());
    // The line first; then the file has a job of its own.
    assert_eq!(registry.run_jobs(), 2);
    assert!(!file_of(&registry, &leaked).exists());
    assert_eq!(registry.index_file("3/f/foo").lines().count(), 1);
    assert!(registry.index_file("3/f/foo").contains("1.1.0"));
    assert_eq!(registry.commits().last().unwrap(), "Remove foo 1.0.0");
    assert_eq!(ann.get("/api/v1/crates/foo").good().json()["crate"]["num_versions"], 1);
    let gone = ann.get("/api/v1/crates/foo/1.0.0");
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    insta::assert_snapshot!(gone.detail(), @"`foo@1.0.0` was deleted from this registry: held a key");
    let located = Request::get("/api/v1/crates/foo/1.0.0/download").header("accept", "application/json");
    for download in
        [ann.get("/api/v1/crates/foo/1.0.0/download"), registry.anonymous().send(located.body(Body::empty()).unwrap())]
    {
        assert_eq!((download.status, download.detail()), (StatusCode::NOT_FOUND, gone.detail()));
    }
    for refused in [ann.yank("foo", "1.0.0"), ann.unyank("foo", "1.0.0")] {
        assert_eq!(refused.status, StatusCode::NOT_FOUND);
        assert!(refused.detail().contains("was deleted from this registry (held a key)"), "{}", refused.detail());
    }
    for again in [leaked.clone(), Package::new("foo", "1.0.0+again")] {
        let refused = ann.publish(&again);
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert!(refused.detail().contains("its number cannot be used again"), "{}", refused.detail());
    }
    let again = delete(&root, "foo/1.0.0?reason=again");
    assert_eq!((again.status, again.detail().contains("held a key")), (StatusCode::CONFLICT, true));
    ann.publish(&Package::new("foo", "1.2.0")).good();
    registry.run_jobs();
    assert_eq!(registry.index_file("3/f/foo").lines().count(), 2);
}

/// What a secret may stand in: the README, the description, the authors, a keyword.
#[test]
fn what_was_told_of_a_deleted_version_leaves_the_database_when_its_line_has_left_the_index() {
    let registry = TestRegistry::new();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    let leaked = Package::new("foo", "1.0.0")
        .described("s3cretword in the description")
        .metadata("readme", json!("# The key is s3cretword"))
        .metadata("authors", json!(["s3cretword"]))
        .manifest("authors = [\"s3cretword\"]\n");
    ann.publish(&leaked).good();
    ann.publish(&Package::new("foo", "0.9.0")).good();
    registry.run_jobs();
    let everywhere = || {
        const PLACES: [&str; 6] = [
            "SELECT metadata::text || manifest::text AS text FROM versions",
            "SELECT coalesce(description, '') AS text FROM crates",
            "SELECT document::text || head::text AS text FROM crate_search",
            "SELECT payload::text AS text FROM jobs",
            "SELECT coalesce(detail, '') || coalesce(error, '') AS text FROM job_history",
            "SELECT detail::text AS text FROM audit_log",
        ];
        let found = |query: &&str| {
            let query = format!("SELECT count(*) AS count FROM ({query}) AS told WHERE text LIKE '%s3cretword%'");
            registry.pool.with(|connection| diesel::sql_query(query).get_result::<Count>(connection).unwrap()).unwrap()
        };
        PLACES.iter().filter(|place| found(place).count > 0).count()
    };
    assert_eq!(everywhere(), 3, "versions, crates, crate_search");
    assert_eq!(ann.get("/api/v1/crates?q=s3cretword").good().json()["meta"]["total"], 1);
    delete(&root, "foo/1.0.0?reason=held%20a%20key").good();
    registry.run_jobs();
    assert_eq!(everywhere(), 0);
    assert_eq!(ann.get("/api/v1/crates?q=s3cretword").good().json()["meta"]["total"], 0);
    // The other version is told of as before.
    let left = ann.get("/api/v1/crates/foo").good().json();
    assert_eq!(left["crate"]["description"], "A crate");
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

/// A client that has disconnected takes the deletion for failed.
#[test]
fn a_deletion_whose_client_has_disconnected_is_not_carried_out() {
    let served = Served::start_with_fail_points("warn", &[]);
    let token = served.token("ann");
    served.run("admin user promote", &["ann"]);
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    served.arm("request.before_commit=stall(2s)");
    let mut connection = TcpStream::connect(served.address()).unwrap();
    let path = "/api/v1/crates/foo/1.0.0?reason=x";
    write!(connection, "DELETE {path} HTTP/1.1\r\nhost: registry\r\nauthorization: {token}\r\n\r\n").unwrap();
    served.wait_until_passed();
    drop(connection);
    // The crate's row is locked until the transaction of the deletion has ended.
    http::publish(&served.url, &token, &Package::new("foo", "1.1.0")).good();
    http::get(&format!("{}/api/v1/crates/foo/1.0.0/download", served.url)).good();
    assert_eq!(http::index_lines(&served.url, "3/f/foo").len(), 2);
}

#[test]
fn with_its_last_version_the_file_of_a_crate_leaves_the_index() {
    let registry = TestRegistry::new();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    delete(&root, "foo/1.0.0?reason=x").good();
    registry.run_jobs();
    assert_eq!(ann.get("/index/3/f/foo").status, StatusCode::NOT_FOUND);
    // Nor is it found in any other way.
    let total = |path: &str| ann.get(path).good().json()["meta"]["total"].clone();
    assert_eq!((total("/api/v1/crates?q=foo"), total("/api/v1/crates?sort=downloads")), (0.into(), 0.into()));
    assert_eq!(ann.get("/api/v1/crates/foo").status, StatusCode::NOT_FOUND);
    // Its name stays its owner's.
    assert_eq!(registry.user("bob").publish(&Package::new("foo", "2.0.0")).status, StatusCode::FORBIDDEN);
    ann.publish(&Package::new("foo", "2.0.0")).good();
    registry.run_jobs();
    assert_eq!(registry.index_file("3/f/foo").lines().count(), 1);
    assert_eq!(total("/api/v1/crates?q=foo"), 1);
}

#[test]
fn a_version_deleted_before_it_was_published_never_appears() {
    let registry = TestRegistry::new();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    let package = Package::new("foo", "1.0.0");
    ann.publish(&package).good();
    delete(&root, "foo/1.0.0?reason=x").good();
    registry.run_jobs();
    assert_eq!((registry.commits().len(), registry.index_file("3/f/foo")), (0, String::new()));
    assert!(!file_of(&registry, &package).exists());
}

/// Killed after the index was written and before the database was: the same jobs run again.
#[test]
fn deleting_twice_changes_nothing_the_second_time() {
    let registry = TestRegistry::new();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    ann.publish(&Package::new("foo", "1.0.0")).good();
    ann.publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    delete(&root, "foo/1.0.0?reason=x").good();
    let again = |state: &str| {
        let copy = format!(
            "INSERT INTO jobs (queue, kind, key, payload) SELECT queue, kind, key, payload FROM {state} WHERE kind IN \
             ('delete_version', 'remove_crate_file')"
        );
        registry.pool.with(|connection| diesel::sql_query(copy).execute(connection).unwrap()).unwrap()
    };
    // Twice before it was done, so that the second finds the index as wanted.
    assert_eq!(again("jobs"), 1);
    assert_eq!(registry.run_jobs(), 3);
    let (commits, index) = (registry.commits(), registry.index_file("3/f/foo"));
    let revived = "UPDATE versions SET state = 'queued', commit_id = NULL, published_at = NULL WHERE state = 'deleted'";
    registry.pool.with(|connection| diesel::sql_query(revived).execute(connection).unwrap()).unwrap();
    ann.yank("foo", "1.1.0").good();
    registry.run_jobs();
    assert_eq!(registry.commits().len(), commits.len() + 1);
    assert_eq!(registry.index_file("3/f/foo").lines().count(), index.lines().count());
    let states: Vec<(String, String)> = registry
        .pool
        .with(|connection| {
            use supercargo::database::schema::versions;
            versions::table.select((versions::num, versions::state)).order(versions::id).load(connection).unwrap()
        })
        .unwrap();
    let states: Vec<_> = states.iter().map(|(num, state)| (num.as_str(), state.as_str())).collect();
    assert_eq!(states, [("1.0.0", "deleted"), ("1.1.0", "published")]);
}

#[test]
fn deleting_is_for_admins_with_a_reason() {
    let registry = TestRegistry::new();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let refused = delete(&ann, "foo/1.0.0?reason=x");
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    insta::assert_snapshot!(refused.detail(), @"`ann` is not an admin of this registry: `supercargo admin user promote ann` makes one");
    assert_eq!(delete(&registry.anonymous(), "foo/1.0.0?reason=x").status, StatusCode::UNAUTHORIZED);
    for path in ["foo/1.0.0", "foo/1.0.0?reason=%20", "foo/1.0.0?reason=%00"] {
        let refused = delete(&root, path);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(refused.detail().contains("needs a reason"), "{}", refused.detail());
    }
    for path in ["bar/1.0.0?reason=x", "foo/1.0.1?reason=x", "foo/one?reason=x"] {
        assert_eq!(delete(&root, path).status, StatusCode::NOT_FOUND, "{path}");
    }
    ann.get("/api/v1/crates/foo/1.0.0/download").good();
}
