//! What is answered before the router is what the router would answer.

use axum::http::Method;
use chrono::Utc;
use supercargo::database::upstream_rules::{self, Decision, Subject};

use super::OLD;
use crate::fast_path::{Headers, assert_same, recalled, recalled_at_last, routed, tag};
use crate::support::event::wait_until;
use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

const FOO: &str = "/upstream/acme/index/3/f/foo";
const FILE: &str = "/upstream/acme/api/v1/crates/foo/1.0.0/download";

/// A file that is worth compressing, whose last version is young.
fn upstream() -> FaultyUpstream {
    let upstream = FaultyUpstream::start();
    for version in ["0.1.0", "0.2.0", "0.3.0", "1.0.0"] {
        upstream.add(&Package::new("foo", version), OLD);
    }
    upstream.add(&Package::new("foo", "1.1.0"), &Utc::now().to_rfc3339());
    upstream
}

#[test]
fn both_ways_answer_the_same() {
    let upstream = upstream();
    let registry = TestRegistry::through(&upstream);
    let (index, file) = (tag(&registry, FOO), tag(&registry, FILE));
    let weak = format!("W/{index}");
    let requests: &[(&str, Headers<'_>, u16)] = &[
        (FOO, &[], 200),
        (FOO, &[("accept-encoding", "gzip")], 200),
        (FOO, &[("accept-encoding", "gzip, zstd")], 200),
        (FOO, &[("if-none-match", &index)], 304),
        (FOO, &[("if-none-match", &weak), ("accept-encoding", "gzip")], 304),
        (FOO, &[("if-match", "\"x\"")], 412),
        (FOO, &[("origin", "https://docs.example")], 200),
        (FILE, &[], 200),
        (FILE, &[("if-none-match", &file)], 304),
        (FILE, &[("if-match", "\"x\"")], 412),
        (FILE, &[("range", "bytes=5-9")], 206),
        (FILE, &[("range", "bytes=100000-")], 416),
        ("/upstream/acme/api/v1/crates/FOO/1.0.0/download", &[], 200),
    ];
    for (path, headers, status) in requests {
        assert_eq!(assert_same(&registry, &Method::GET, path, headers), *status, "{path} {headers:?}");
        assert_same(&registry, &Method::HEAD, path, headers);
    }
    assert_eq!(upstream.count("/index/3/f/foo"), 1);
    assert_eq!(upstream.count("/dl/foo/1.0.0"), 1);
}

#[test]
fn what_memory_does_not_answer_is_left_to_the_router() {
    let upstream = upstream();
    let registry = TestRegistry::through(&upstream);
    recalled_at_last(&registry, &Method::GET, FOO, &[]);
    recalled_at_last(&registry, &Method::GET, FILE, &[]);
    for (path, status) in [
        ("/upstream/acme/index/3/F/Foo", 200),
        ("/upstream/acme/index/config.json", 200),
        ("/upstream/acme/index/", 200),
        ("/upstream/acme/index/3/b/bar", 404),
        ("/upstream/other/index/3/f/foo", 404),
        ("/upstream/other/api/v1/crates/foo/1.0.0/download", 404),
        ("/upstream/acme/api/v1/crates/foo/9.9.9/download", 404),
        ("/upstream/acme/api/v1/crates/foo/1.1.0/download", 403),
        ("/upstream/acme/api/v1/crates", 404),
    ] {
        assert_eq!(routed(&registry, &Method::GET, path, &[]).status, status, "{path}");
        assert!(recalled(&registry, &Method::GET, path, &[]).is_none(), "{path}");
    }
}

#[test]
fn a_decision_counts_for_what_memory_answers() {
    let upstream = upstream();
    let registry = TestRegistry::through(&upstream);
    let before = recalled_at_last(&registry, &Method::GET, FOO, &[]).text();
    recalled_at_last(&registry, &Method::GET, FILE, &[]);
    let about = Subject { upstream: "acme".to_owned(), crates: "foo".parse().unwrap(), version: "1.0.0".parse().ok() };
    let block = |connection: &mut _| upstream_rules::set(connection, &about, (Decision::Block, "x"), "root");
    registry.pool.with(block).unwrap().unwrap();
    wait_until("the rule to count", || routed(&registry, &Method::GET, FILE, &[]).status == 403);
    assert!(recalled(&registry, &Method::GET, FILE, &[]).is_none());
    let after = recalled_at_last(&registry, &Method::GET, FOO, &[]).text();
    assert_eq!(before.matches("\"yanked\":true").count() + 1, after.matches("\"yanked\":true").count());
    let release = |connection: &mut _| upstream_rules::remove(connection, &about);
    registry.pool.with(release).unwrap().unwrap();
    wait_until("no rule to count", || routed(&registry, &Method::GET, FILE, &[]).status == 200);
    recalled_at_last(&registry, &Method::GET, FILE, &[]);
    assert_eq!(recalled_at_last(&registry, &Method::GET, FOO, &[]).text(), before);
}
