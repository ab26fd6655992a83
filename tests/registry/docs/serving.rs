//! Reading documentation.

use std::io::Read;
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use flate2::read::GzDecoder;
use supercargo::web::{AddressRequests, TrustedProxies};

use super::{get, header, location, publish, sample, upload, with_foo, zip};
use crate::support::harness::TestRegistry;

#[test]
fn paths_lead_to_pages() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    upload(&ann, "1.0.0", sample("one")).good();
    let anyone = registry.anonymous();
    for (from, to) in [
        ("/docs/foo", "/docs/foo/latest/"),
        ("/docs/foo/", "/docs/foo/latest/"),
        ("/docs/foo/1.0.0", "/docs/foo/1.0.0/"),
        ("/docs/foo/1.0.0/", "/docs/foo/1.0.0/foo/"),
        ("/docs/foo/latest/", "/docs/foo/latest/foo/"),
        ("/docs/foo/1.0.0/foo", "/docs/foo/1.0.0/foo/"),
        ("/docs/FOO/1.0.0/foo/index.html", "/docs/foo/1.0.0/foo/index.html"),
        ("/docs/~0-x/foo/1.0.0/foo/", "/docs/foo/1.0.0/foo/"),
    ] {
        assert_eq!(location(&get(&anyone, from, &[])), to, "{from}");
    }
    for (path, content, content_type) in [
        ("/docs/foo/1.0.0/foo/inner/", "<p>inner", "text/html; charset=utf-8"),
        ("/docs/foo/1.0.0/foo/struct.A%20B.html", "<p>A B", "text/html; charset=utf-8"),
        ("/docs/foo/latest/search-index.js", "var index = 1;", "text/javascript; charset=utf-8"),
        ("/docs/foo/latest/static.files/font-0a1b.woff2", "wOF2", "font/woff2"),
    ] {
        let answer = get(&anyone, path, &[]).good();
        assert_eq!((&*answer.text(), header(&answer, "content-type")), (content, content_type), "{path}");
    }
}

#[test]
fn what_was_uploaded_is_sandboxed_and_never_guessed() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    upload(&ann, "1.0.0", sample("one")).good();
    let answer = get(&ann, "/docs/foo/1.0.0/foo/index.html", &[]).good();
    for (name, value) in [
        ("content-security-policy", "sandbox allow-scripts"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "unsafe-none"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("access-control-allow-origin", "*"),
        ("cache-control", "no-cache"),
        ("link", "<http://registry.test/docs/foo/latest/foo/index.html>; rel=\"canonical\""),
    ] {
        assert_eq!(header(&answer, name), value);
    }
    let hashed = get(&ann, "/docs/foo/1.0.0/static.files/main-0a1b.js", &[]).good();
    assert_eq!(header(&hashed, "cache-control"), "public, max-age=604800");
    assert_eq!(header(&hashed, "content-security-policy"), "sandbox allow-scripts");
    let worker = get(&ann, "/docs/foo/1.0.0/search-index.js", &[("service-worker", "script")]);
    assert_eq!(worker.status, 403);
}

#[test]
fn content_is_sent_as_gzip_or_unpacked_with_tags_of_their_own() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    upload(&ann, "1.0.0", sample("one")).good();
    let path = "/docs/foo/1.0.0/foo/index.html";
    let plain = get(&ann, path, &[]).good();
    let coded = get(&ann, path, &[("accept-encoding", "br, gzip;q=0.5")]).good();
    assert!(plain.headers.get("content-encoding").is_none() && header(&coded, "content-encoding") == "gzip");
    assert_eq!(header(&plain, "vary"), "accept-encoding");
    let mut unpacked = Vec::new();
    GzDecoder::new(&coded.body[..]).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == plain.body && plain.text().starts_with("<!DOCTYPE html><title>one</title>"));
    assert_eq!(header(&coded, "content-length"), coded.body.len().to_string());
    let (tag, coded_tag) = (header(&plain, "etag"), header(&coded, "etag"));
    assert_ne!(tag, coded_tag);
    assert_eq!(get(&ann, path, &[("if-none-match", tag)]).status, 304);
    assert_eq!(get(&ann, path, &[("if-none-match", coded_tag)]).status, 200);
    assert_eq!(get(&ann, path, &[("if-none-match", coded_tag), ("accept-encoding", "gzip")]).status, 304);
    assert_eq!(get(&ann, path, &[("if-match", coded_tag)]).status, 412);
    let head = ann.send(Request::head(path).body(Body::empty()).unwrap()).good();
    assert_eq!((head.body.len(), header(&head, "content-length")), (0, &*plain.body.len().to_string()));
    // A range of what is compressed is the whole.
    assert_eq!(get(&ann, path, &[("range", "bytes=0-3")]).good().body, plain.body);
}

#[test]
fn parts_of_what_is_not_compressed_are_sent() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    // A zip whose only file is stored as it is, written by hand.
    let zip = stored("foo/index.html", b"0123456789");
    upload(&ann, "1.0.0", zip).good();
    let path = "/docs/foo/1.0.0/foo/index.html";
    let part = get(&ann, path, &[("range", "bytes=2-4")]);
    assert_eq!((part.status.as_u16(), &*part.text(), header(&part, "content-range")), (206, "234", "bytes 2-4/10"));
    let beyond = get(&ann, path, &[("range", "bytes=10-")]);
    assert_eq!((beyond.status.as_u16(), header(&beyond, "content-range")), (416, "bytes */10"));
    assert_eq!(get(&ann, path, &[("range", "bytes=2-4"), ("if-range", "\"x\"")]).good().text(), "0123456789");
}

/// A zip with one file that is not compressed.
fn stored(path: &str, content: &[u8]) -> Vec<u8> {
    let (crc, size) = (crc32fast::hash(content), u32::try_from(content.len()).unwrap().to_le_bytes());
    let length = u16::try_from(path.len()).unwrap().to_le_bytes();
    let common = [&[0; 8][..], &crc.to_le_bytes(), &size, &size, &length, &[0, 0]].concat();
    let local = [b"PK\x03\x04\x0a\x00", &common[..], path.as_bytes(), content].concat();
    let central = [b"PK\x01\x02\x0a\x00\x0a\x00", &common[..], &[0; 14], path.as_bytes()].concat();
    let (at, long) = (u32::try_from(local.len()).unwrap(), u32::try_from(central.len()).unwrap());
    let end = [b"PK\x05\x06\0\0\0\0\x01\x00\x01\x00", &long.to_le_bytes()[..], &at.to_le_bytes(), &[0, 0]].concat();
    [local, central, end].concat()
}

#[test]
fn latest_is_the_highest_version_with_documentation_that_is_not_yanked() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    for num in ["0.9.0", "1.1.0", "2.0.0-rc.1", "1.2.0"] {
        publish(&registry, &ann, num);
    }
    let latest = || {
        let answer = get(&ann, "/docs/foo/latest/foo/index.html", &[]);
        answer.text().split(['<', '>']).nth(4).unwrap_or_default().to_owned()
    };
    upload(&ann, "2.0.0-rc.1", sample("candidate")).good();
    assert_eq!(latest(), "candidate");
    upload(&ann, "0.9.0", sample("old")).good();
    assert_eq!(latest(), "old");
    upload(&ann, "1.1.0", sample("new")).good();
    assert_eq!(latest(), "new");
    ann.yank("foo", "1.1.0").good();
    registry.run_jobs();
    assert_eq!(latest(), "old");
    // A yanked version keeps its own.
    assert!(get(&ann, "/docs/foo/1.1.0/foo/", &[]).good().text().contains("new"));
    let page = get(&registry.anonymous(), "/crates/foo/1.1.0", &[("accept", "text/html")]).good().text();
    assert!(page.contains("Documentation of 1.1.0</a> <span class=\"tag bad\">yanked"), "{page}");
}

#[test]
fn a_page_that_does_not_exist_says_what_to_do() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    publish(&registry, &ann, "1.1.0");
    let refused = |path: &str| {
        let answer = get(&ann, path, &[]);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        answer.detail()
    };
    insta::assert_snapshot!(refused("/docs/foo/latest/"), @"no version of `foo` has documentation here: an owner of the crate uploads it with `cargo doc --no-deps && supercargo docs push --crate foo --version VERSION`");
    upload(&ann, "1.0.0", sample("one")).good();
    insta::assert_snapshot!(refused("/docs/foo/1.1.0/"), @"`foo@1.1.0` has no documentation here: an owner of the crate uploads it with `cargo doc --no-deps && supercargo docs push --crate foo --version 1.1.0`. These versions have documentation: 1.0.0");
    insta::assert_snapshot!(refused("/docs/foo/1.0.0/foo/x.html"), @r#"the documentation of `foo@1.0.0` has no file "foo/x.html": begin at /docs/foo/1.0.0/, or at /docs/foo/latest/"#);
    for path in [
        "/docs/bar/latest/",
        "/docs/foo/3.0.0/",
        "/docs/foo/x/",
        "/docs/foo/1.0.0/..%2f..%2fx",
        "/docs/foo/1.0.0/foo/%00",
    ] {
        refused(path);
    }
    let page = get(&ann, "/docs/foo/1.1.0/", &[("accept", "text/html")]);
    assert!(
        page.status == 404
            && page.text().contains("supercargo docs push")
            && header(&page, "content-security-policy") != "sandbox allow-scripts"
    );
}

#[test]
fn with_a_host_of_its_own_documentation_is_there_and_nothing_else_is() {
    let registry = TestRegistry::with(|settings| settings.docs.url = Some("https://docs.test".to_owned()));
    let ann = with_foo(&registry);
    upload(&ann, "1.0.0", sample("one")).good();
    let moved = get(&ann, "/docs/foo/1.0.0/foo/", &[("host", "registry.test")]);
    assert_eq!(location(&moved), "https://docs.test/foo/1.0.0/foo/");
    let on = |path: &str, headers: &[(&str, &str)]| get(&ann, path, &[&[("host", "docs.test:443")], headers].concat());
    let page = on("/foo/1.0.0/foo/", &[]).good();
    assert!(page.text().contains("oneone") && page.headers.get("content-security-policy").is_none());
    assert_eq!(header(&page, "link"), "<https://docs.test/foo/latest/foo/>; rel=\"canonical\"");
    assert_eq!(location(&on("/foo", &[])), "/foo/latest/");
    assert_eq!(location(&on("/", &[])), "http://registry.test");
    for path in ["/crates/foo", "/api/v1/crates/foo", "/index/config.json", "/sign-in", "/assets/style.css", "/me"] {
        let answer = on(path, &[("accept", "text/html")]);
        assert_ne!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.headers.get("set-cookie").is_none());
    }
    let put = Request::put("/api/v1/crates/new").header("host", "docs.test").body(Body::empty()).unwrap();
    assert_eq!(ann.send(put).status, 405);
    assert_eq!(location(&on("/foo?search=A%20B", &[])), "/foo/latest/?search=A%20B");
    let detail = on("/foo/1.0.0/x.html", &[]).detail();
    assert!(detail.ends_with("begin at /foo/1.0.0/, or at /foo/latest/"), "{detail}");
    let missing = on("/foo/1.0.0/x.html", &[("accept", "text/html")]);
    assert!(missing.status == 404 && missing.text().contains("<h1>404 Not Found</h1>"), "{}", missing.text());
    // The registry itself is where it was.
    get(&ann, "/api/v1/crates/foo", &[("host", "registry.test")]).good();
}

#[test]
fn the_host_of_documentation_has_the_limit_of_each_client() {
    let registry = TestRegistry::with(|settings| {
        settings.docs.url = Some("https://docs.test".to_owned());
        settings.address_requests = AddressRequests::new(0, TrustedProxies::default());
    });
    let status = |host: &str, path: &str| {
        let peer = ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1234)));
        let request = Request::get(path).header("host", host).extension(peer).body(Body::empty()).unwrap();
        registry.anonymous().send(request).status
    };
    assert_eq!(status("docs.test", "/foo/latest/"), 429);
    assert_eq!(status("registry.test", "/api/v1/crates/foo"), 429);
    assert_eq!(status("registry.test", "/health/live"), 200);
}

#[test]
fn redirects_keep_the_query() {
    let registry = TestRegistry::new();
    let ann = with_foo(&registry);
    upload(&ann, "1.0.0", sample("one")).good();
    for (from, to) in [
        ("/docs/foo", "/docs/foo/latest/"),
        ("/docs/foo/1.0.0", "/docs/foo/1.0.0/"),
        ("/docs/foo/1.0.0/", "/docs/foo/1.0.0/foo/"),
        ("/docs/foo/1.0.0/foo/inner", "/docs/foo/1.0.0/foo/inner/"),
        ("/docs/FOO/1.0.0/foo/", "/docs/foo/1.0.0/foo/"),
    ] {
        let answer = get(&ann, &format!("{from}?search=A%20B&go"), &[]);
        assert_eq!(location(&answer), format!("{to}?search=A%20B&go"), "{from}");
    }
}

#[test]
fn documentation_is_served_under_the_path_of_the_registry() {
    let registry = TestRegistry::with(|settings| settings.base_url = "http://registry.test/crates".to_owned());
    let ann = with_foo(&registry);
    let answer =
        ann.request(Method::PUT, "/crates/api/v1/crates/foo/1.0.0/docs", zip(&[("foo/index.html", b"a")])).good();
    assert_eq!(answer.json()["docs_url"], "http://registry.test/crates/docs/foo/1.0.0/");
    assert_eq!(location(&get(&ann, "/crates/docs/foo/1.0.0/", &[])), "/crates/docs/foo/1.0.0/foo/");
    assert_eq!(get(&ann, "/crates/docs/foo/1.0.0/foo/", &[]).good().text(), "a");
    let detail = get(&ann, "/crates/docs/foo/1.0.0/x.html", &[]).detail();
    assert!(detail.ends_with("begin at /crates/docs/foo/1.0.0/, or at /crates/docs/foo/latest/"), "{detail}");
}
