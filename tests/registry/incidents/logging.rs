//! The log of downloads: what is logged, and when it is written and removed.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use chrono::{TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use supercargo::database::Pool;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::download_log::Who;
use supercargo::database::download_log::coverage::{self, Scope};
use supercargo::package::Checksum;
use supercargo::web::download_log::{DownloadLog, Downloader, VersionFile};
use supercargo::web::{ClientAddress, TrustedProxies};

use super::entries;
use crate::staging::stage;
use crate::support::cluster::Database;
use crate::support::event::{wait_for, wait_until};
use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

const FILE: &str = "/api/v1/crates/foo/1.0.0/download";

/// A registry with `foo` 1.0.0 of ann, and this log.
fn logging(scope: Scope) -> (TestRegistry, DownloadLog) {
    let log = DownloadLog::new(scope, TimeDelta::days(90));
    let registry = TestRegistry::with(|settings| {
        settings.download_log = log.clone();
        settings.trusted_proxies = TrustedProxies::new(&["10.0.0.0/8".parse().unwrap()]);
    });
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    (registry, log)
}

fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let peer: SocketAddr = "10.0.0.1:1234".parse().unwrap();
    let request = Request::builder().method(method).uri(path).header("host", "registry.test");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap()
}

fn written(registry: &TestRegistry, log: &DownloadLog) -> Vec<String> {
    log.flush(&registry.pool).unwrap();
    registry.pool.with(entries).unwrap()
}

#[test]
fn the_bytes_that_a_token_gets_are_logged_and_nothing_else() {
    let (registry, log) = logging(Scope::Tokens);
    let ann = registry.user("ann");
    let token = ann.token.clone().unwrap();
    let send = |method: Method, path: &str, headers: &[(&str, &str)]| {
        let by_ann = [&[("authorization", token.as_str()), ("x-forwarded-for", "192.0.2.7")], headers].concat();
        ann.send(request(method, path, &by_ann))
    };
    let whole = send(Method::GET, FILE, &[("user-agent", "cargo/1.95.0 (x)")]).good();
    let tag = whole.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(send(Method::GET, FILE, &[("range", "bytes=5-9")]).status, StatusCode::PARTIAL_CONTENT);
    send(Method::HEAD, FILE, &[]).good();
    assert_eq!(send(Method::GET, FILE, &[("if-none-match", &tag)]).status, StatusCode::NOT_MODIFIED);
    assert_eq!(send(Method::GET, FILE, &[("range", "bytes=100000-")]).status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(send(Method::GET, "/api/v1/crates/foo/9.0.0/download", &[]).status, StatusCode::NOT_FOUND);
    send(Method::GET, FILE, &[("accept", "application/json")]).good();
    // A token that is not valid is none, and the download needs none.
    ann.send(request(Method::GET, FILE, &[("authorization", "sct_unknown")])).good();
    registry.anonymous().get(FILE).good();
    assert_eq!(
        written(&registry, &log),
        ["foo@1.0.0 ann/test 192.0.2.7 cargo/1.95.0 (x) delivered", "foo@1.0.0 ann/test 192.0.2.7 delivered"]
    );
    assert_eq!((written(&registry, &log).len(), log.waiting()), (2, 0), "what is written is not written again");
}

#[test]
fn a_version_of_a_release_set_is_logged() {
    let (registry, log) = logging(Scope::Tokens);
    let ann = registry.user("ann");
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    ann.get("/stage/next/api/v1/crates/foo/2.0.0/download").good();
    ann.get("/stage/next/api/v1/crates/foo/1.0.0/download").good();
    assert_eq!(written(&registry, &log), ["foo@2.0.0 ann/test delivered", "foo@1.0.0 ann/test delivered"]);
}

#[test]
fn downloads_without_a_token_are_logged_by_address_also_those_from_memory() {
    let (registry, log) = logging(Scope::All);
    let long = format!("tool/{}", "x".repeat(200));
    let asked = |more: &[(&str, &str)]| {
        request(Method::GET, FILE, &[&[("x-forwarded-for", "2001:db8::1"), ("user-agent", &long)], more].concat())
    };
    // The one before the router may have needed requests through it, which are logged as well.
    let recalled = wait_for("an answer before the router", || {
        registry.anonymous().send(asked(&[])).good();
        written(&registry, &log);
        registry.recall("10.0.0.1".parse().ok(), &asked(&[]))
    });
    assert_eq!((recalled.status, log.waiting()), (StatusCode::OK, 1));
    let lines = written(&registry, &log);
    let expected = format!("foo@1.0.0 anonymous 2001:db8::1 {}… delivered", &long[..100]);
    assert!(lines.iter().all(|line| *line == expected), "{lines:?}");
    // Whose token it is, memory does not know.
    let token = registry.user("ann").token.unwrap();
    assert!(registry.recall("10.0.0.1".parse().ok(), &asked(&[("authorization", &token)])).is_none());
    registry.anonymous().send(asked(&[("authorization", &token)])).good();
    assert!(written(&registry, &log).last().unwrap().starts_with("foo@1.0.0 ann/test 2001:db8::1"));
}

#[test]
fn a_user_who_is_removed_stays_in_the_log() {
    let (registry, log) = logging(Scope::Tokens);
    registry.user("bob").get(FILE).good();
    registry.admin("root");
    log.flush(&registry.pool).unwrap();
    let scopes = Some(vec!["administer".parse().unwrap()]);
    let token = NewToken { scopes, ..NewToken::named("removes") };
    let removed = registry.user_with("root", token).request(Method::DELETE, "/api/v1/admin/users/bob?to=root", "");
    assert!(removed.status.is_success(), "{}", removed.text());
    assert_eq!(written(&registry, &log), ["foo@1.0.0 bob/test delivered"]);
}

/// So many downloads of `foo` by ann.
fn note(log: &DownloadLog, count: usize) {
    let file = VersionFile::new(1, "foo".parse().unwrap(), "1.0.0".parse().unwrap(), Checksum::of(b"foo"));
    let file = Arc::new(file);
    let who = Who { login: "ann".to_owned(), token_id: 1, token_name: "test".to_owned() };
    for _ in 0..count {
        let by = Downloader::known(log, Some(who.clone()), ClientAddress::default(), &HeaderMap::new());
        log.note(&file, &Method::GET, StatusCode::OK, by);
    }
}

fn count(connection: &mut PgConnection) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    diesel::sql_query("SELECT count(*) AS count FROM download_log").get_result::<Count>(connection).unwrap().count
}

#[test]
fn an_outage_of_the_database_costs_no_entry_until_memory_is_full() {
    let database = Database::fresh();
    let (log, pool) = (DownloadLog::new(Scope::Tokens, TimeDelta::days(90)), Pool::live(&database.url(), 1));
    let connection = &mut database.connect();
    log.note_setting(&pool).unwrap();
    note(&log, 2);
    connection.batch_execute("ALTER TABLE download_log RENAME TO away").unwrap();
    assert!(log.flush(&pool).is_err());
    note(&log, 1);
    assert_eq!(log.waiting(), 3);
    connection.batch_execute("ALTER TABLE away RENAME TO download_log").unwrap();
    log.flush(&pool).unwrap();
    assert_eq!((count(connection), log.waiting()), (3, 0));
    let lost = |connection: &mut PgConnection| coverage::read(connection, Utc::now()).unwrap().lost;
    assert_eq!(lost(connection), 0);
    note(&log, 100_005);
    assert_eq!(log.waiting(), 100_000);
    log.flush(&pool).unwrap();
    assert_eq!((count(connection), lost(connection)), (100_003, 5));
}

#[test]
fn a_normal_stop_writes_the_log_and_what_is_too_old_is_removed_also_when_it_is_turned_off() {
    let mut served = Served::start(&["--download-log-retention", "1h", "--download-log-anonymous"]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    for _ in 0..5 {
        http::get(&format!("{}{FILE}", served.url)).good();
    }
    served.stop();
    let connection = &mut served.database.connect();
    assert_eq!(count(connection), 5);
    let aged =
        "UPDATE download_log SET at = at - interval '61 minutes' WHERE ctid = (SELECT min(ctid) FROM download_log)";
    let scope = |connection: &mut PgConnection| coverage::last(connection).unwrap().unwrap().scope;
    for (arguments, left, expected) in [
        (&["--download-log-retention", "1h", "--download-log-anonymous"][..], 4, Scope::All),
        (&["--download-log-retention", "2h", "--download-log-anonymous"], 4, Scope::All),
        (&["--download-log-retention", "1h"], 3, Scope::Tokens),
        (&[], 2, Scope::None),
    ] {
        connection.batch_execute(aged).unwrap();
        served.set_arguments(arguments);
        served.start_again();
        wait_until("the removal", || (count(connection), scope(connection)) == (left, expected));
        served.stop();
        assert_eq!(count(connection), left, "{arguments:?}");
        connection.batch_execute("UPDATE download_log SET at = clock_timestamp()").unwrap();
    }
}

#[test]
fn downloads_from_an_upstream_are_logged_and_so_are_refusals() {
    let upstream = FaultyUpstream::start();
    upstream.add(&Package::new("foo", "1.0.0"), "2024-01-01T00:00:00Z");
    let large = Package::new("large", "1.0.0").file("data", &vec![7; 1 << 20]);
    upstream.add(&large, "2024-01-01T00:00:00Z");
    upstream.add(&Package::new("young", "1.0.0"), &Utc::now().to_rfc3339());
    let named = format!("other={}", upstream.sparse());
    let served = Served::start(&["--upstream", &named, "--cooldown", "3days", "--download-log-retention", "90days"]);
    let token = served.token("ann");
    let get = |name: &str| {
        let url = format!("{}/upstream/other/api/v1/crates/{name}/1.0.0/download", served.url);
        http::get(&url);
        http::get_with(&url, &[("authorization", &token), ("user-agent", "cargo")])
    };
    get("foo").good();
    assert_eq!(get("large").good().body, large.crate_file());
    assert_eq!(get("young").status, 403);
    assert_eq!(get("absent").status, 404);
    let connection = &mut served.database.connect();
    wait_until("the entries", || entries(connection).len() == 3);
    insta::assert_snapshot!(entries(connection).join("\n"), @r"
    other foo@1.0.0 ann/default 127.0.0.1 cargo delivered
    other large@1.0.0 ann/default 127.0.0.1 cargo delivered
    other young@1.0.0 ann/default 127.0.0.1 cargo refused
    ");
}
