//! Downloads by caches, mirrors and interrupted clients.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use supercargo::package::Checksum;

use crate::support::harness::{Answer, TestRegistry};
use crate::support::package::Package;

const PATH: &str = "/api/v1/crates/foo/1.0.0/download";

fn with_foo() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&package()).good();
    registry.run_jobs();
    registry
}

fn package() -> Package {
    Package::new("foo", "1.0.0")
}

fn ask(registry: &TestRegistry, method: Method, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(PATH);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    registry.anonymous().send(request.body(Body::empty()).unwrap())
}

fn get(registry: &TestRegistry, headers: &[(&str, &str)]) -> Answer {
    ask(registry, Method::GET, headers)
}

// protocol: 81, 82, 83
#[test]
fn a_download_is_the_stored_bytes_with_headers_for_caches_and_no_encoding() {
    let registry = with_foo();
    let file = package().crate_file();
    // Whoever accepts encodings gets the very same.
    for accepted in ["identity", "deflate, gzip", "*"] {
        let answer = get(&registry, &[("accept-encoding", accepted)]).good();
        assert_eq!(answer.body, file);
        let checksum = Checksum::of(&file);
        for (name, value) in [
            ("content-type", "application/gzip"),
            ("content-length", &file.len().to_string()),
            ("content-disposition", "attachment; filename=\"foo-1.0.0.crate\""),
            ("etag", &format!("\"{checksum}\"")),
            ("cache-control", "public, max-age=31536000, immutable"),
            ("accept-ranges", "bytes"),
        ] {
            assert_eq!(answer.headers[name], value);
        }
        for name in ["content-encoding", "last-modified", "content-range"] {
            assert!(!answer.headers.contains_key(name), "{name}");
        }
        assert!(registry.index_file("3/f/foo").contains(&format!("\"cksum\":\"{checksum}\"")));
    }
}

#[test]
fn a_known_download_is_a_304_with_its_tag_and_lifetime() {
    let registry = with_foo();
    let etag = get(&registry, &[]).headers["etag"].to_str().unwrap().to_owned();
    for known in [&etag, &format!("W/{etag}"), &format!("\"x\", {etag}"), "*"] {
        for method in [Method::GET, Method::HEAD] {
            let answer = ask(&registry, method, &[("if-none-match", known)]);
            assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
            assert_eq!(answer.headers["etag"], etag.as_str());
            assert_eq!(answer.headers["cache-control"], "public, max-age=31536000, immutable");
        }
    }
    get(&registry, &[("if-none-match", "\"x\"")]).good();
    get(&registry, &[("if-match", &etag)]).good();
    let failed = get(&registry, &[("if-match", "\"x\"")]);
    assert_eq!(
        (failed.status, &failed.headers["cache-control"]),
        (StatusCode::PRECONDITION_FAILED, &"no-store".parse().unwrap())
    );
    assert!(failed.detail().contains(&etag), "{}", failed.detail());
}

// protocol: 83
#[test]
fn a_range_is_a_206_and_one_beyond_the_end_a_416() {
    let registry = with_foo();
    let file = package().crate_file();
    let size = file.len();
    for (range, start, end) in [
        ("bytes=0-".to_owned(), 0, size),
        ("bytes=5-9".to_owned(), 5, 10),
        ("bytes=-7".to_owned(), size - 7, size),
        (format!("bytes=10-{}", 2 * size), 10, size),
    ] {
        let part = get(&registry, &[("range", &range)]);
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(part.body, file[start..end], "{range}");
        assert_eq!(part.headers["content-range"], format!("bytes {start}-{}/{size}", end - 1));
        assert_eq!(part.headers["content-length"], (end - start).to_string());
        assert_eq!(part.headers["cache-control"], "public, max-age=31536000, immutable");
        assert!(part.headers.contains_key("etag"));
    }
    let beyond = get(&registry, &[("range", &format!("bytes={size}-"))]);
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers["content-range"], format!("bytes */{size}"));
    assert_eq!(beyond.headers["cache-control"], "no-store");
    assert_eq!(beyond.detail(), format!("the range bytes={size}- is outside the file of {size} bytes"));
    for whole in ["bytes=0-1,3-4", "bytes=x", "lines=0-1", "bytes=5-2"] {
        assert_eq!(get(&registry, &[("range", whole)]).good().body, file, "{whole}");
    }
}

#[test]
fn a_conditional_range_is_of_the_same_bytes_or_the_whole_file() {
    let registry = with_foo();
    let file = package().crate_file();
    let etag = get(&registry, &[]).headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(get(&registry, &[("range", "bytes=3-5"), ("if-range", &etag)]).body, file[3..6]);
    for other in ["\"x\"", &format!("W/{etag}"), "Fri, 01 Jan 2100 00:00:00 GMT"] {
        assert_eq!(get(&registry, &[("range", "bytes=3-5"), ("if-range", other)]).good().body, file, "{other}");
    }
}

#[test]
fn head_has_the_headers_of_the_whole_file_for_any_range() {
    let registry = with_foo();
    let (got, head) = (get(&registry, &[]).good(), ask(&registry, Method::HEAD, &[("range", "bytes=0-1")]).good());
    assert!(head.body.is_empty());
    for name in ["content-type", "content-length", "content-disposition", "etag", "cache-control", "accept-ranges"] {
        assert_eq!(head.headers[name], got.headers[name], "{name}");
    }
}
