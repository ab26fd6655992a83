//! Requests of cargo and other clients: which forms are accepted and which are refused.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::json;
use supercargo::package::Limits;

use crate::support::cargo::Cargo;
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::{Package, frame};
use crate::support::process::{Served, succeeded};

/// Sends raw bytes and reads until the server closes the connection.
fn exchange(served: &Served, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(served.address()).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn publish_head(token: &str, more: &str) -> String {
    format!(
        "PUT /api/v1/crates/new HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nConnection: close\r\n{more}\r\n\r\n"
    )
}

// protocol: 12
#[test]
fn the_index_needs_no_header_and_negotiates_none() {
    let served = Served::start(&[]);
    for headers in [
        "",
        "cargo-protocol: version=1\r\nAccept: text/plain\r\nAccept-Encoding: deflate, gzip\r\nUser-Agent: cargo/1.95.0 (x)\r\n",
        "cargo-protocol: version=7\r\nAccept: application/nothing\r\nAccept-Language: xx\r\nUser-Agent: \u{e4}\r\n",
    ] {
        let head = format!("GET /index/config.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        let answer = exchange(&served, head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"dl\""), "{headers}: {answer}");
    }
}

// protocol: 51
#[test]
fn a_publish_may_have_a_length_or_chunks_and_any_content_type() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    for (number, kind) in
        ["", "Content-Type: application/octet-stream\r\n", "Content-Type: text/html\r\n"].into_iter().enumerate()
    {
        let body = Package::new("foo", &format!("1.{number}.0")).body();
        let mut bytes = publish_head(&token, &format!("{kind}Content-Length: {}", body.len())).into_bytes();
        bytes.extend(body);
        let answer = exchange(&served, &bytes);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{kind}: {answer}");
    }
    let mut bytes = publish_head(&token, "Transfer-Encoding: chunked").into_bytes();
    for chunk in Package::new("foo", "2.0.0").body().chunks(1000) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    let answer = exchange(&served, &bytes);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(http::index_lines(&served.url, "3/f/foo").len(), 4);
}

// protocol: 51
#[test]
fn a_crate_of_the_largest_size_gets_100_continue_and_is_accepted() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    // As much noise as fits, the tar's own bytes left out.
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u8::try_from(state >> 56).unwrap()
    });
    let package =
        Package::new("large", "1.0.0").file("noise", &noise.take(10 * 1024 * 1024 - 8 * 1024).collect::<Vec<_>>());
    let body = package.body();
    let mut stream = TcpStream::connect(served.address()).unwrap();
    let head = publish_head(&token, &format!("Expect: 100-continue\r\nContent-Length: {}", body.len()));
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        http::get(&format!("{}/api/v1/crates/large/1.0.0/download", served.url)).good().body == package.crate_file()
    );
}

// protocol: 54, 92
#[test]
fn truncated_lying_and_odd_requests_are_refused_and_leave_nothing_behind() {
    let served = Served::start_with_log("warn", &["--max-crate-size", "1000000"]);
    let token = served.token("ann");
    let package = Package::new("foo", "1.0.0");
    let body = package.body();
    for half in [0, 3, 100, body.len() - 1] {
        let mut stream = TcpStream::connect(served.address()).unwrap();
        stream.write_all(publish_head(&token, &format!("Content-Length: {}", body.len())).as_bytes()).unwrap();
        stream.write_all(&body[..half]).unwrap();
        drop(stream);
    }
    let with = |length: usize, body: &[u8]| {
        let mut bytes = publish_head(&token, &format!("Content-Length: {length}")).into_bytes();
        bytes.extend(body);
        exchange(&served, &bytes)
    };
    let shorter = with(body.len() - 5, &body[..body.len() - 5]);
    assert!(shorter.starts_with("HTTP/1.1 400 ") && shorter.contains("ends early"), "{shorter}");
    // More than the largest publish, without a length to be refused by.
    let mut endless = publish_head(&token, "Transfer-Encoding: chunked").into_bytes();
    for _ in 0..30 {
        endless.extend(b"100000\r\n");
        endless.extend(vec![0; 0x10_0000]);
        endless.extend(b"\r\n");
    }
    endless.extend(b"0\r\n\r\n");
    let refused = exchange(&served, &endless);
    assert!(refused.starts_with("HTTP/1.1 413 ") && refused.contains("more than"), "{refused}");
    for head in [
        b"PUT /api/v1/crates/new HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: \xff\xfe\r\n\r\n".to_vec(),
        b"PUT /api/v1/crates/new HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: a\tb\r\n\r\n".to_vec(),
        format!("GET /index/1/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: {}\r\n\r\n", "a".repeat(500_000))
            .into_bytes(),
        b"GET /index/\xff\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(),
        b"GET /index/1/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA b: c\r\n\r\n".to_vec(),
        publish_head(&token, "Content-Length: 5\r\nContent-Length: 6").into_bytes(),
        publish_head(&token, "Content-Length: -1").into_bytes(),
        b"nonsense\r\n\r\n".to_vec(),
    ] {
        let answer = exchange(&served, &head);
        assert!(
            answer.starts_with("HTTP/1.1 4"),
            "{}: {answer}",
            String::from_utf8_lossy(&head[..head.len().min(200)])
        );
    }
    assert_eq!(served.log(), "", "none of it is the registry's trouble");
    http::publish(&served.url, &token, &package).good();
    assert_eq!(http::index_lines(&served.url, "3/f/foo").len(), 1);
}

// protocol: 49
#[test]
fn each_refusal_has_its_status() {
    let registry = TestRegistry::with_limits(Limits { max_crate: 5000, ..Limits::default() });
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let mut stranger = registry.anonymous();
    stranger.token = Some("sct_unknown".to_owned());
    let large = Package::new("foo", "1.1.0").file("zeros", &[0; 6000]);
    for (answer, status) in [
        (registry.anonymous().publish(&Package::new("foo", "1.1.0")), StatusCode::UNAUTHORIZED),
        (stranger.publish(&Package::new("foo", "1.1.0")), StatusCode::FORBIDDEN),
        (registry.user("bob").publish(&Package::new("foo", "1.1.0")), StatusCode::FORBIDDEN),
        (ann.yank("bar", "1.0.0"), StatusCode::NOT_FOUND),
        (ann.get("/api/v1/crates/bar/owners"), StatusCode::NOT_FOUND),
        (ann.publish(&Package::new("foo", "1.0.0")), StatusCode::CONFLICT),
        (ann.publish(&large), StatusCode::PAYLOAD_TOO_LARGE),
        (ann.publish_body(Vec::new()), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(!answer.detail().is_empty());
    }
}

// protocol: 50
#[test]
fn unknown_fields_are_ignored_and_missing_ones_are_null() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let more = Package::new("foo", "1.0.0").metadata("brand_new", json!({"of": ["a", "later", "cargo"]}));
    ann.publish(&more).good();
    let less =
        json!({"name": "foo", "vers": "1.1.0", "deps": [], "features": {}, "description": "A crate", "license": "MIT"});
    ann.publish_body(frame(less.to_string().as_bytes(), &Package::new("foo", "1.1.0").crate_file())).good();
    registry.run_jobs();
    for path in
        ["/index/3/f/foo", "/api/v1/crates/foo/1.0.0", "/api/v1/crates/foo/1.0.0/download", "/api/v1/crates/foo/owners"]
    {
        assert_eq!(ann.get(&format!("{path}?unheard=of&%ff")).good().body, ann.get(path).good().body, "{path}");
    }
}

// protocol: 26, 53
#[test]
fn nothing_that_cargo_requests_is_redirected() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    for path in [
        "/",
        "/me",
        "/index",
        "/index/",
        "/index/config.json",
        "/index/3/f/foo",
        "/index/3/F/Foo",
        "/git/index",
        "/git/index/",
        "/git/index.git",
        "/api/v1/crates/new",
        "/api/v1/crates/new/",
        "//api/v1/crates/new",
        "/api/v1/crates/foo/1.0.0/download",
        "/api/v1/crates/FOO/1.0.0/download",
        "/api/v1/crates/foo/1.0.0/yank/",
        "/nowhere/",
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = ann.request(method.clone(), path, Body::empty());
            assert!(!answer.status.is_redirection(), "{method} {path}: {}", answer.status);
            assert!(!answer.headers.contains_key("location"), "{method} {path}");
        }
    }
}

// protocol: 47, 55
#[test]
fn the_response_to_a_publish_has_the_shape_that_cargo_reads() {
    let registry = TestRegistry::new();
    let answer = registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    let advice = answer.json()["warnings"]["other"].clone();
    assert!(advice.as_array().unwrap().iter().all(serde_json::Value::is_string), "{advice}");
    let warnings = json!({"invalid_categories": [], "invalid_badges": [], "other": advice});
    let krate = answer.json()["crate"].clone();
    assert_eq!(answer.json(), json!({"crate": krate, "warnings": warnings}));
    // The index does not show it yet, and clients of crates.io read these as versions.
    let numbers = [&krate["num_versions"], &krate["max_version"], &krate["newest_version"]];
    assert_eq!((&krate["name"], numbers), (&json!("foo"), [&json!(0), &json!("0.0.0"), &json!("0.0.0")]));
    registry.run_jobs();
    let again = registry.user("ann").publish(&Package::new("foo", "1.1.0")).good().json();
    assert_eq!((&again["crate"]["max_version"], &again["crate"]["id"]), (&json!("1.0.0"), &json!("foo")));
    registry.run_jobs();
}

// protocol: 17
#[test]
fn a_tag_follows_the_content_and_nothing_else() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let tag = || ann.get("/index/3/f/foo").good().headers["etag"].clone();
    let publish = |version: &str| {
        ann.publish(&Package::new("foo", version)).good();
        registry.run_jobs();
        tag()
    };
    let (first, second) = (publish("1.0.0"), publish("1.1.0"));
    ann.yank("foo", "1.0.0").good();
    registry.run_jobs();
    let yanked = tag();
    assert!(first != second && second != yanked && first != yanked);
    ann.publish(&Package::new("bar", "1.0.0")).good();
    registry.run_jobs();
    assert_eq!(tag(), yanked, "another crate is no change");
    ann.unyank("foo", "1.0.0").good();
    registry.run_jobs();
    assert_eq!(tag(), second, "the same bytes have the same tag");
}

// protocol: 28, 32, 78
#[test]
fn a_publish_that_is_answered_is_in_both_indexes() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    let clone = served.directory.path().join("clone");
    let git = |arguments: &[&str]| succeeded(Command::new("git").args(arguments).output().unwrap());
    let index = format!("{}/git/index", served.url);
    let clone = clone.to_str().unwrap();
    git(&["clone", "-q", &index, clone]);
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        // Cargo has looked before, and found nothing.
        assert!(!http::index_lines(&served.url, "3/f/foo").iter().any(|line| line["vers"] == version));
        let answer = http::publish(&served.url, &token, &Package::new("foo", version)).good();
        assert_eq!(answer.advice(), Vec::<String>::new());
        let sparse = http::get(&format!("{}/index/3/f/foo", served.url)).good().text();
        assert!(sparse.contains(&format!("\"vers\":\"{version}\"")), "{sparse}");
        git(&["-C", clone, "fetch", "-q", "origin", "+HEAD:refs/remotes/origin/HEAD"]);
        assert_eq!(git(&["-C", clone, "show", "origin/HEAD:3/f/foo"]), sparse);
        let config = http::get(&format!("{}/index/config.json", served.url)).good().text();
        assert_eq!(git(&["-C", clone, "show", "origin/HEAD:config.json"]), config);
    }
}

// protocol: 27
#[test]
fn cargo_follows_a_squashed_history() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    http::publish(&served.url, &token, &Package::new("foo", "1.1.0")).good();
    let cargo = Cargo::new(&format!("{}/git/index", served.url), "");
    cargo.binary("user", "[dependencies]\nfoo = { version = \"1\", registry = \"supercargo\" }\n", "fn main() {}\n");
    let locked = |cargo: &Cargo| std::fs::read_to_string(cargo.path("user/Cargo.lock")).unwrap();
    for fetch_with_cli in ["false", "true"] {
        let fetch = format!("net.git-fetch-with-cli={fetch_with_cli}");
        let update = ["--config", &fetch, "update"];
        cargo.good("user", &update);
        let repository = served.data_dir().join("index.git");
        let git = |arguments: &[&str]| {
            let as_us = ["-c", "user.name=x", "-c", "user.email=x@x"];
            let output = Command::new("git").args(as_us).args(arguments).current_dir(&repository).output().unwrap();
            succeeded(output).trim().to_owned()
        };
        let squashed = git(&["commit-tree", "-m", "Squash", "HEAD^{tree}"]);
        git(&["update-ref", "HEAD", &squashed]);
        let version = if fetch_with_cli == "true" { "1.3.0" } else { "1.2.0" };
        http::publish(&served.url, &token, &Package::new("foo", version)).good();
        assert_eq!(git(&["rev-list", "--count", "HEAD"]), "2");
        cargo.good("user", &update);
        assert!(locked(&cargo).contains(version), "{fetch_with_cli}: {}", locked(&cargo));
    }
}

// protocol: 80
#[test]
fn a_dependency_may_be_published_later() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let registry_url = "sparse+http://registry.test/index/";
    let package = Package::new("foo", "1.0.0")
        .manifest(&format!("[dependencies.later]\nversion = \"1\"\nregistry-index = \"{registry_url}\"\n"))
        .metadata("deps", json!([{"name": "later", "version_req": "^1", "kind": "normal"}]));
    ann.publish(&package).good();
    registry.run_jobs();
    assert!(registry.index_file("3/f/foo").contains("\"name\":\"later\""));
}

// protocol: 88
#[test]
fn a_name_in_a_namespace_is_refused() {
    let registry = TestRegistry::new();
    let refused = registry.user("ann").publish(&Package::new("foo::bar", "1.0.0"));
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.detail().contains("foo::bar"), "{}", refused.detail());
}

// protocol: 89
#[test]
fn unstable_fields_of_cargo_are_accepted_and_kept() {
    let registry = TestRegistry::new();
    let crates_io = "https://github.com/rust-lang/crates.io-index";
    let package =
        Package::new("foo", "1.0.0").manifest("[dependencies]\nlog = { version = \"1\", public = true }\n").metadata(
            "deps",
            json!([{"name": "log", "version_req": "^1", "kind": "normal", "public": true, "registry": crates_io}]),
        );
    registry.user("ann").publish(&package).good();
    registry.run_jobs();
    assert!(registry.index_file("3/f/foo").contains("\"public\":true"), "{}", registry.index_file("3/f/foo"));
}

// protocol: 94
#[test]
fn a_bomb_is_refused_when_it_has_unpacked_to_the_limit() {
    let registry = TestRegistry::with_limits(Limits { max_unpacked: 1024 * 1024, ..Limits::default() });
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(64 * 1024 * 1024);
    header.set_mode(0o644);
    archive.append_data(&mut header, "foo-1.0.0/zeros", std::io::repeat(0).take(64 * 1024 * 1024)).unwrap();
    let bomb = archive.into_inner().unwrap().finish().unwrap();
    let package = Package::new("foo", "1.0.0");
    let ann = registry.user("ann");
    let refused = ann.publish_body(frame(package.metadata_json().to_string().as_bytes(), &bomb));
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.detail().contains("unpacks to more than 1 MiB"), "{}", refused.detail());
    ann.publish(&package).good();
    registry.run_jobs();
}

#[test]
fn no_response_repeats_a_token() {
    let registry = TestRegistry::new();
    for token in ["sct_secret", "Bearer sct_secret", "Basic sct_secret", "sct_secret sct_secret"] {
        let request = Request::put("/api/v1/crates/new").header("authorization", token);
        let answer = registry.anonymous().send(request.body(Body::empty()).unwrap());
        assert!(answer.status.is_client_error());
        assert!(!answer.text().contains("secret"), "{}", answer.text());
    }
}
