//! Documentation by upload.

mod deleting;
mod private;
mod pushing;
mod serving;
mod upkeep;
mod uploading;

use std::io::Cursor;

use axum::body::Body;
use axum::http::{Method, Request};

use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::package::Package;

pub const PATH: &str = "/api/v1/crates/foo/1.0.0/docs";

/// A zip of these files, as `supercargo docs push` makes it.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let mut zip = Cursor::new(Vec::new());
    supercargo::docs_archive::pack(directory.path(), &mut zip, |_, _| {}).unwrap();
    zip.into_inner()
}

/// What `cargo doc` writes, in small.
pub fn sample(word: &str) -> Vec<u8> {
    let page = format!("<!DOCTYPE html><title>{word}</title><p>{}", word.repeat(1000));
    zip(&[
        ("foo/index.html", page.as_bytes()),
        ("foo/struct.A B.html", b"<p>A B"),
        ("foo/inner/index.html", b"<p>inner"),
        ("search-index.js", b"var index = 1;"),
        ("static.files/main-0a1b.js", b"var main = 1;"),
        ("static.files/font-0a1b.woff2", b"wOF2"),
    ])
}

/// A registry with `foo` 1.0.0 of ann, in the index.
pub fn with_foo(registry: &TestRegistry) -> Client<'_> {
    let ann = registry.user("ann");
    publish(registry, &ann, "1.0.0");
    ann
}

pub fn publish(registry: &TestRegistry, ann: &Client<'_>, num: &str) {
    ann.publish(&Package::new("foo", num)).good();
    registry.run_jobs();
}

pub fn upload(client: &Client<'_>, num: &str, zip: Vec<u8>) -> Answer {
    client.request(Method::PUT, &format!("/api/v1/crates/foo/{num}/docs"), zip)
}

/// A request for a path with these headers.
pub fn get(client: &Client<'_>, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.body(Body::empty()).unwrap())
}

pub fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).unwrap_or_else(|| panic!("no {name}: {:?}", answer.headers)).to_str().unwrap()
}

pub fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 302, "{}", answer.text());
    header(answer, "location")
}
