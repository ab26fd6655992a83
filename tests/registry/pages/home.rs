//! The home page, and what every page has.

use axum::http::StatusCode;

use super::markup::tags;
use super::{Browser, page};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

fn with_foo() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0").described("Does things")).good();
    registry.run_jobs();
    registry
}

#[test]
fn it_shows_how_to_set_up_cargo_and_what_is_new() {
    let registry = TestRegistry::new();
    let empty = page(&registry, "/");
    assert!(empty.contains("There is no crate yet"), "{empty}");
    registry.user("ann").publish(&Package::new("foo", "1.0.0").described("Does things")).good();
    registry.run_jobs();
    let html = page(&registry, "/");
    for shown in [
        "index = &quot;sparse+http://registry.test/index/&quot;",
        "index = &quot;http://registry.test/git/index&quot;",
        "min-publish-age",
        "href=\"/crates/foo\"",
        "Does things",
        ">1 crate</a>",
        "href=\"/feeds/versions.atom\"",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
}

#[test]
fn every_page_has_the_headers_that_protect_it_and_its_parts_are_found_under_their_hashes() {
    let registry = with_foo();
    let mut browser = Browser::new(&registry);
    for path in
        ["/", "/me", "/search", "/crates/foo", "/crates/nothing", "/nothing/at/all", "/sign-in", "/feeds/crates.atom"]
    {
        let answer = browser.get(path);
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
        assert_eq!(answer.headers["referrer-policy"], "same-origin", "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        // Readers get no cookies.
        assert_eq!(answer.headers.contains_key("set-cookie"), path == "/sign-in", "{path}");
    }
    let html = browser.get("/").good().text();
    let parts = tags(&html).into_iter().filter(|tag| matches!(tag.name.as_str(), "script" | "link" | "img"));
    let places = parts.filter_map(|tag| tag.get("src").or(tag.get("href")).map(str::to_owned));
    let assets: Vec<String> = places.filter(|place| place.starts_with("/assets/")).collect();
    assert!(assets.len() >= 3, "{assets:?}");
    for asset in &assets {
        let answer = browser.get(asset).good();
        assert_eq!(answer.headers["cache-control"], "public, max-age=31536000, immutable", "{asset}");
    }
    assert_eq!(browser.get("/assets/style-0123456789abcdef.css").status, StatusCode::NOT_FOUND);
}

#[test]
fn a_page_that_did_not_change_is_not_sent_again() {
    let registry = with_foo();
    let mut browser = Browser::new(&registry);
    let first = browser.get("/crates/foo").good();
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(first.headers["cache-control"], "no-cache");
    let request = axum::http::Request::get("/crates/foo").header("if-none-match", &tag);
    let again = registry.anonymous().send(request.body(axum::body::Body::empty()).unwrap());
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
}

#[test]
fn under_a_path_every_link_has_it() {
    let registry = TestRegistry::with(|settings| settings.base_url = "https://host.example/cargo".to_owned());
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    for path in ["/cargo/", "/cargo/crates/foo", "/cargo/search?q=foo", "/cargo/crates/foo/versions"] {
        let html = page(&registry, path);
        for tag in tags(&html) {
            for name in ["href", "src", "action"] {
                let target = tag.get(name).unwrap_or("/cargo/");
                assert!(!target.starts_with('/') || target.starts_with("/cargo/"), "{path}: {target}");
            }
        }
    }
    let style = tags(&page(&registry, "/cargo/")).into_iter().find(|tag| tag.get("rel") == Some("stylesheet")).unwrap();
    Browser::new(&registry).get(style.get("href").unwrap()).good();
}

#[test]
fn pages_are_of_a_size_that_a_slow_line_bears() {
    let registry = with_foo();
    for path in ["/", "/crates/foo", "/search?q=foo"] {
        let length = page(&registry, path).len();
        assert!(length < 60_000, "{path}: {length}");
    }
}
