//! What is answered before the router is what the router would answer.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderValue, Method, Request};
use supercargo::database::access::audit::Actor;
use supercargo::jobs::delete_version;
use supercargo::package::Checksum;
use supercargo::web::{AddressRequests, Settings, SharedWith, TrustedProxies};

use crate::support::event::wait_for;
use crate::support::harness::{Answer, TestRegistry};
use crate::support::package::Package;

pub(crate) type Headers<'a> = &'a [(&'a str, &'a str)];
type Change = fn(&mut Settings);

const PEER: &str = "192.0.2.1";
const FOO: &str = "/index/3/f/foo";
const FILE: &str = "/api/v1/crates/foo/1.0.0/download";

fn package(version: &str) -> Package {
    Package::new("foo", version)
}

fn with_foo(change: impl FnOnce(&mut Settings)) -> TestRegistry {
    let registry = TestRegistry::with(change);
    let ann = registry.user("ann");
    // A file of the index that is worth compressing.
    for version in ["0.1.0", "0.2.0", "0.3.0", "1.0.0", "1.1.0"] {
        ann.publish(&package(version)).good();
    }
    registry.run_jobs();
    write_config(&registry);
    registry
}

fn write_config(registry: &TestRegistry) {
    let change = supercargo::index::Change {
        path: "config.json".to_owned(),
        content: Some(b"{}".as_slice().into()),
        message: "Configure".to_owned(),
    };
    registry.index.lock_writer().unwrap().commit(&registry.index.head().unwrap(), &[change]).unwrap();
}

pub(crate) fn request(method: &Method, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let peer = SocketAddr::new(peer(), 1234);
    let mut request = Request::builder().method(method).uri(path).header("host", "registry.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap()
}

pub(crate) fn peer() -> IpAddr {
    PEER.parse().unwrap()
}

pub(crate) fn routed(registry: &TestRegistry, method: &Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    registry.anonymous().send(request(method, path, headers))
}

pub(crate) fn recalled(
    registry: &TestRegistry,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Option<Answer> {
    registry.recall(Some(peer()), &request(method, path, headers))
}

/// The answer before the router, once a request through the router has read what it needs. What the database says of pending
/// deletions holds for a moment only, so a slow machine may need several requests.
pub(crate) fn recalled_at_last(
    registry: &TestRegistry,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    wait_for("an answer before the router", || {
        routed(registry, &Method::GET, path.split('?').next().unwrap(), &[]);
        routed(registry, method, path, headers);
        recalled(registry, method, path, headers)
    })
}

/// Status, headers and body. Of the id of the request only its form.
fn comparable(answer: Answer) -> (u16, Vec<(String, HeaderValue)>, Vec<u8>) {
    let id = |name: &str| name == "x-request-id";
    let mut headers: Vec<_> = (&answer.headers)
        .into_iter()
        .map(|(name, value)| (name.to_string(), value.clone()))
        .map(|(name, value)| match value.to_str() {
            Ok(text) if id(&name) && is_random(text) => (name, HeaderValue::from_static("random")),
            _ => (name, value),
        })
        .collect();
    headers.sort_by(|one, other| (&one.0, one.1.as_bytes()).cmp(&(&other.0, other.1.as_bytes())));
    (answer.status.as_u16(), headers, answer.body)
}

fn is_random(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit))
}

/// Both answers, compared.
pub(crate) fn assert_same(registry: &TestRegistry, method: &Method, path: &str, headers: &[(&str, &str)]) -> u16 {
    let recalled = comparable(recalled_at_last(registry, method, path, headers));
    let routed = comparable(routed(registry, method, path, headers));
    assert_eq!(recalled, routed, "{method} {path} {headers:?}");
    assert!(recalled.1.iter().any(|(name, value)| name == "x-request-id" && !value.is_empty()), "{recalled:?}");
    recalled.0
}

pub(crate) fn tag(registry: &TestRegistry, path: &str) -> String {
    routed(registry, &Method::GET, path, &[]).headers["etag"].to_str().unwrap().to_owned()
}

#[test]
fn both_ways_answer_the_same() {
    let registry = with_foo(|_| {});
    let (index, file) = (tag(&registry, FOO), tag(&registry, FILE));
    let weak = format!("W/{index}");
    let several = format!("\"x\", {file}");
    let requests: &[(&str, Headers<'_>, u16)] = &[
        (FOO, &[], 200),
        (FOO, &[("accept-encoding", "gzip")], 200),
        (FOO, &[("accept-encoding", "gzip, deflate, br, zstd")], 200),
        (FOO, &[("accept-encoding", "gzip;q=0")], 200),
        (FOO, &[("if-none-match", &index)], 304),
        (FOO, &[("if-none-match", &weak), ("accept-encoding", "gzip")], 304),
        (FOO, &[("if-none-match", "\"x\"")], 200),
        (FOO, &[("if-match", &index)], 200),
        (FOO, &[("if-match", "\"x\"")], 412),
        (FOO, &[("if-match", &index), ("accept-encoding", "gzip")], 412),
        (FOO, &[("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")], 200),
        (FOO, &[("authorization", "nonsense")], 200),
        (FOO, &[("origin", "https://docs.example")], 200),
        (FOO, &[("x-forwarded-for", "1.1.1.1"), ("x-request-id", "chosen")], 200),
        ("/index/3/f/foo?query", &[], 200),
        ("/index/3/b/bar", &[], 404),
        ("/index/ab/cd/abcd", &[("if-none-match", "*")], 404),
        ("/index/config.json", &[], 200),
        ("/index/config.json", &[("range", "bytes=0-0")], 200),
        (FILE, &[], 200),
        (FILE, &[("accept-encoding", "gzip")], 200),
        (FILE, &[("accept", "*/*")], 200),
        (FILE, &[("authorization", "nonsense")], 200),
        (FILE, &[("if-none-match", &several)], 304),
        (FILE, &[("if-match", "\"x\"")], 412),
        (FILE, &[("range", "bytes=5-9")], 206),
        (FILE, &[("range", "bytes=0-")], 206),
        (FILE, &[("range", "bytes=-7")], 206),
        (FILE, &[("range", "bytes=100000-")], 416),
        (FILE, &[("range", "bytes=0-1,3-4")], 200),
        (FILE, &[("range", "bytes=5-9"), ("if-range", &file)], 206),
        (FILE, &[("range", "bytes=5-9"), ("if-range", "\"x\"")], 200),
        ("/api/v1/crates/FOO/1.0.0/download", &[], 200),
    ];
    for (path, headers, status) in requests {
        assert_eq!(assert_same(&registry, &Method::GET, path, headers), *status, "{path} {headers:?}");
        assert_same(&registry, &Method::HEAD, path, headers);
    }
}

#[test]
fn what_memory_does_not_answer_is_left_to_the_router() {
    let registry = with_foo(|_| {});
    recalled_at_last(&registry, &Method::GET, FOO, &[]);
    recalled_at_last(&registry, &Method::GET, FILE, &[]);
    for path in [
        "/",
        "/index",
        "/index/",
        "/index/foo",
        "/index/3/F/foo",
        "/index/3/f/FOO",
        "/index/3/f/fo%6f",
        "//index/3/f/foo",
        "/index//3/f/foo",
        "/index/info/refs",
        "/index/x/config.json",
        "/index/ab/cd/config.json",
        "/git/index/3/f/foo",
        "/api/v1/crates/foo",
        "/api/v1/crates/foo/1.0.0",
        "/api/v1/crates/foo/9.9.9/download",
        "/api/v1/crates/foo/1.0/download",
        "/api/v1/crates/bar/1.0.0/download",
        "/api/v1/crates/foo/1.0.0/x/download",
        "/api/v1/crates/foo/1.0.0+x/download",
        "/api/v1/crates//1.0.0/download",
        "/metrics",
        &format!("/index/3/f/foo?{}", "x".repeat(17_000)),
    ] {
        assert!(recalled(&registry, &Method::GET, path, &[]).is_none(), "{path}");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        assert!(recalled(&registry, &method, FOO, &[]).is_none(), "{method}");
    }
    for headers in [
        [("host", "another"), ("x", "x")],
        [("authorization", "a"), ("authorization", "b")],
        [("transfer-encoding", "chunked"), ("x", "x")],
    ] {
        assert!(recalled(&registry, &Method::GET, FOO, &headers).is_none(), "{headers:?}");
    }
    assert!(recalled(&registry, &Method::GET, FILE, &[("accept", "application/json")]).is_none());
    let mut with_body = request(&Method::GET, FOO, &[]);
    *with_body.body_mut() = Body::from("x");
    assert!(registry.recall(Some(peer()), &with_body).is_none());
    let mut without_host = request(&Method::GET, FOO, &[]);
    *without_host.headers_mut() = HeaderMap::new();
    assert!(registry.recall(Some(peer()), &without_host).is_none());
}

#[test]
fn settings_change_both_ways_alike_or_rule_out_the_fast_one() {
    let settings: [(&str, Change); 4] = [
        ("/crates", |settings| settings.base_url = "https://registry.test/crates".to_owned()),
        ("/index", |settings| settings.base_url = "http://registry.test/index".to_owned()),
        ("", |settings| settings.shared_with = SharedWith::Nobody),
        ("", |settings| settings.trusted_proxies = TrustedProxies::new(&["192.0.2.0/24".parse().unwrap()])),
    ];
    let headers = [("x-request-id", "from-a-proxy"), ("x-forwarded-for", "198.51.100.7")];
    for (prefix, change) in settings {
        let registry = with_foo(change);
        for path in [FOO, FILE, "/index/config.json", "/index/3/b/bar"] {
            assert_same(&registry, &Method::GET, path, &headers);
            assert_same(&registry, &Method::GET, &format!("{prefix}{path}"), &headers);
            assert!(recalled(&registry, &Method::GET, &format!("/other{path}"), &headers).is_none());
        }
    }
    let excluded: [Change; 2] = [
        |settings| settings.auth_required = true,
        |settings| settings.shared_with = SharedWith::Origins(vec![HeaderValue::from_static("https://docs.example")]),
    ];
    for change in excluded {
        let registry = with_foo(change);
        routed(&registry, &Method::GET, FOO, &[]);
        assert!(recalled(&registry, &Method::GET, FOO, &[]).is_none());
    }
}

#[test]
fn a_client_at_its_limit_is_left_to_the_router_until_an_answer_is_sent() {
    let registry = with_foo(|settings| settings.address_requests = AddressRequests::new(1, TrustedProxies::default()));
    recalled_at_last(&registry, &Method::GET, FOO, &[]);
    let unsent = registry.unsent(peer(), &request(&Method::GET, FOO, &[])).unwrap();
    assert!(recalled(&registry, &Method::GET, FOO, &[]).is_none());
    assert_eq!(routed(&registry, &Method::GET, FOO, &[]).status, 429);
    assert!(registry.recall("192.0.2.2".parse().ok(), &request(&Method::GET, FOO, &[])).is_some());
    drop(unsent);
    assert!(recalled(&registry, &Method::GET, FOO, &[]).is_some());
}

#[test]
fn the_host_of_documentation_gets_nothing_from_memory() {
    let registry = with_foo(|settings| settings.docs.url = Some("https://docs.test".to_owned()));
    recalled_at_last(&registry, &Method::GET, FOO, &[]);
    for host in ["docs.test", "DOCS.test:443"] {
        let (peer, request) = (SocketAddr::new(peer(), 1234), Request::get(FOO).header("host", host));
        let request = request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap();
        assert!(registry.recall(Some(peer.ip()), &request).is_none(), "{host}");
        assert_ne!(registry.anonymous().send(request).status, 200, "{host}");
    }
}

#[test]
fn a_download_from_memory_is_counted() {
    let registry = with_foo(|_| {});
    recalled_at_last(&registry, &Method::GET, FILE, &[]);
    let mut counted = registry.download_counts.waiting();
    for (method, headers, more) in [
        (Method::GET, &[][..], 1),
        (Method::GET, &[("range", "bytes=0-9")], 1),
        (Method::GET, &[("range", "bytes=1-9")], 0),
        (Method::HEAD, &[], 0),
    ] {
        wait_for("an answer before the router", || {
            counted = registry.download_counts.waiting();
            let answer = recalled(&registry, &method, FILE, headers);
            if answer.is_none() {
                routed(&registry, &Method::GET, FILE, &[]);
            }
            answer
        });
        assert_eq!(registry.download_counts.waiting(), counted + more, "{method} {headers:?}");
    }
}

#[test]
fn a_version_is_not_downloaded_from_the_moment_its_deletion_is_accepted() {
    let registry = with_foo(|_| {});
    let root = registry.admin("root");
    recalled_at_last(&registry, &Method::GET, FILE, &[]);
    root.request(Method::DELETE, "/api/v1/crates/foo/1.0.0?reason=x", "").good();
    assert!(recalled(&registry, &Method::GET, FILE, &[]).is_none());
    assert_eq!(routed(&registry, &Method::GET, FILE, &[]).status, 404);
    // Nothing is answered from memory until the index shows it.
    let other = "/api/v1/crates/foo/1.1.0/download";
    routed(&registry, &Method::GET, other, &[]).good();
    assert!(recalled(&registry, &Method::GET, other, &[]).is_none());
    assert!(recalled(&registry, &Method::GET, FILE, &[]).is_none());
    registry.run_jobs();
    recalled_at_last(&registry, &Method::GET, other, &[]);
    assert!(recalled(&registry, &Method::GET, FILE, &[]).is_none());
    // So it is with a whole crate.
    root.request(Method::DELETE, "/api/v1/crates/foo?message=x", "");
    assert!(recalled(&registry, &Method::GET, other, &[]).is_none());
    assert_eq!(routed(&registry, &Method::GET, other, &[]).status, 404);
    registry.run_jobs();
}

/// As by `supercargo admin version delete`, or another server.
#[test]
fn a_deletion_that_another_process_accepts_is_seen_in_the_index() {
    let registry = with_foo(|_| {});
    recalled_at_last(&registry, &Method::GET, FILE, &[]);
    let accept = |version: &str| {
        let (name, num) = ("foo".parse().unwrap(), version.parse().unwrap());
        registry.pool.with(|connection| {
            delete_version::request(connection, (&name, &num), "x", &Actor::operator("root".to_owned())).unwrap();
        })
    };
    accept("1.0.0").unwrap();
    registry.run_jobs();
    assert!(recalled(&registry, &Method::GET, FILE, &[]).is_none());
    assert_eq!(routed(&registry, &Method::GET, FILE, &[]).status, 404);

    // Before that, it is seen within a moment.
    let other = "/api/v1/crates/foo/1.1.0/download";
    recalled_at_last(&registry, &Method::GET, other, &[]);
    accept("1.1.0").unwrap();
    wait_for("the deletion is seen", || (routed(&registry, &Method::GET, other, &[]).status == 404).then_some(()));
    assert!(recalled(&registry, &Method::GET, other, &[]).is_none());
    registry.run_jobs();
}

#[test]
fn a_version_that_the_index_does_not_show_yet_is_not_remembered() {
    let registry = with_foo(|_| {});
    registry.user("ann").publish(&package("1.2.0")).good();
    let queued = "/api/v1/crates/foo/1.2.0/download";
    for _ in 0..3 {
        routed(&registry, &Method::GET, queued, &[]).good();
        assert!(recalled(&registry, &Method::GET, queued, &[]).is_none());
    }
    registry.run_jobs();
    recalled_at_last(&registry, &Method::GET, queued, &[]);
}

#[test]
fn a_damaged_file_is_not_kept() {
    let registry = with_foo(|_| {});
    let checksum = Checksum::of(&package("1.0.0").crate_file()).to_string();
    let stored = Path::new("crates").join(&checksum[..2]).join(format!("{checksum}.crate"));
    std::fs::write(registry.directory.path().join(&stored), "damaged").unwrap();
    assert_eq!(routed(&registry, &Method::GET, FILE, &[]).good().body, b"damaged");
    assert!(recalled(&registry, &Method::GET, FILE, &[]).is_none());
    std::fs::write(registry.directory.path().join(&stored), package("1.0.0").crate_file()).unwrap();
    assert_eq!(routed(&registry, &Method::GET, FILE, &[]).good().body, package("1.0.0").crate_file());
    assert_eq!(recalled_at_last(&registry, &Method::GET, FILE, &[]).body, package("1.0.0").crate_file());
}
