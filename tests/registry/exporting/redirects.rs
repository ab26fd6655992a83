//! Downloads that are redirected to the bucket, or to a public place that has its files.

use std::path::Path;

use crate::support::cargo::Cargo;
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::nginx::{Nginx, Port};
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::s3::{S3Server, path_of};

struct Answer {
    status: u16,
    location: Option<String>,
    cache_control: Option<String>,
}

/// A request whose redirect is not followed.
fn ask(method: &str, url: &str, headers: &[(&str, &str)]) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let request =
        headers.iter().fold(ureq::http::Request::builder().method(method).uri(url), |request, (name, value)| {
            request.header(*name, *value)
        });
    let response = agent.run(request.body(()).unwrap()).unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    Answer { status: response.status().as_u16(), location: header("location"), cache_control: header("cache-control") }
}

fn serve(server: &S3Server, more: &[&str]) -> Served {
    let arguments = server.arguments();
    Served::start(&arguments.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>())
}

fn downloads(served: &Served, token: &str) -> u64 {
    let krate = http::get_as(&format!("{}/api/v1/crates/foo", served.url), token).good().json();
    krate["crate"]["downloads"].as_u64().unwrap()
}

#[test]
fn a_presigned_url_is_for_those_who_may_download_and_for_one_method() {
    let server = S3Server::start();
    let served =
        serve(&server, &["--auth-required", "--download-redirect", "presigned", "--download-flush-interval", "1s"]);
    let token = served.token("ann");
    let package = Package::new("foo", "1.0.0").file("src/data.bin", &[7; 30_000]);
    http::publish(&served.url, &token, &package).good();
    let (url, content) = (format!("{}/api/v1/crates/foo/1.0.0/download", served.url), package.crate_file());
    let refused = ask("GET", &url, &[]);
    assert_eq!((refused.status, refused.location), (401, None));
    for _ in 0..2 {
        // The second time from memory.
        let answer = ask("GET", &url, &[("authorization", &token)]);
        assert_eq!((answer.status, answer.cache_control.as_deref()), (302, Some("no-store")));
        let place = answer.location.unwrap();
        assert!(place.contains("X-Amz-Expires=300") && place.starts_with(&server.endpoint()), "{place}");
        assert_eq!(http::get(&place).good().body, content);
        let part = http::get_part(&place, "bytes=100-109");
        assert_eq!((part.status, &part.body[..]), (206, &content[100..110]));
        assert_eq!(http::head(&place).status, 403);
    }
    let head = ask("HEAD", &url, &[("authorization", &token)]);
    assert_eq!(http::head(&head.location.unwrap()).good().header("content-length"), content.len().to_string());
    let later = ask("GET", &url, &[("authorization", &token), ("range", "bytes=100-")]);
    assert_eq!(later.status, 302);
    let tag = format!("\"{}\"", supercargo::package::Checksum::of(&content));
    assert_eq!(ask("GET", &url, &[("authorization", &token), ("if-none-match", &tag)]).status, 304);
    wait_until("the downloads are counted", || downloads(&served, &token) == 2);
    let missing = ask("GET", &url.replace("1.0.0", "2.0.0"), &[("authorization", &token)]);
    assert_eq!(missing.status, 404);
}

#[test]
fn a_presigned_url_expires() {
    let server = S3Server::start();
    let served = serve(&server, &["--download-redirect", "presigned", "--download-redirect-expiry", "1s"]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let place = ask("GET", &format!("{}/api/v1/crates/foo/1.0.0/download", served.url), &[]).location.unwrap();
    wait_until("it is refused", || http::get(&place).status == 403);
}

#[test]
fn cargo_follows_a_presigned_url_of_a_private_registry() {
    let server = S3Server::start();
    let served = serve(&server, &["--auth-required", "--download-redirect", "presigned"]);
    let token = served.token("ann");
    builds(&served, &token);
}

/// Cargo publishes a library and builds a program that uses it.
fn builds(served: &Served, token: &str) {
    let cargo = Cargo::new(&format!("sparse+{}/index/", served.url), token);
    cargo.library("leaf", "1.0.0", "", "pub fn seven() -> u32 { 7 }\n");
    cargo.publish("leaf");
    cargo.forget();
    cargo.binary(
        "app",
        "[dependencies]\nleaf = { version = \"1\", registry = \"supercargo\" }\n",
        "fn main() { assert_eq!(leaf::seven(), 7); }\n",
    );
    cargo.good("app", &["run"]);
}

#[test]
fn a_public_place_delivers_what_the_store_has() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("crates");
    let port = Port::free();
    let http =
        format!("server {{ listen 127.0.0.1:{}; location /crates/ {{ alias {}/; }} }}", port.number, store.display());
    let nginx = Nginx::start(&port, &http);
    let public = format!("public=http://127.0.0.1:{}/crates/", port.number);
    let served = Served::start(&[
        "--crate-store",
        store.to_str().unwrap(),
        "--download-redirect",
        &public,
        "--download-flush-interval",
        "1s",
    ]);
    let token = served.token("ann");
    builds(&served, &token);
    let log = nginx.access_log();
    assert!(log.contains("GET /crates/") && log.contains(".crate HTTP/1.1\" 200"), "{log}");
    let package = Package::new("foo", "1.0.0");
    http::publish(&served.url, &token, &package).good();
    let url = format!("{}/api/v1/crates/foo/1.0.0/download", served.url);
    let place = Path::new("/crates").join(path_of(&package.crate_file()));
    // The first answer is the router's, the others are from memory.
    for _ in 0..3 {
        let answer = ask("GET", &url, &[]);
        assert_eq!(answer.location.unwrap(), format!("http://127.0.0.1:{}{}", port.number, place.display()));
    }
    assert_eq!(http::get(&url).good().body, package.crate_file());
    let named = http::get_with(&url, &[("accept", "application/json")]).good().json();
    assert_eq!(named["url"], url);
    wait_until("the downloads are counted", || downloads(&served, &token) == 4);
}
