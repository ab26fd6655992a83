//! A public URL with a path: everything is served under the path, as a proxy passes it on, and at the root, as a proxy
//! removes it.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::Value;
use supercargo::web::openapi;

use crate::pages::Browser;
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

const URL: &str = "http://registry.test/crates";

fn with_foo(auth_required: bool) -> TestRegistry {
    let registry = TestRegistry::with(|settings| {
        settings.base_url = URL.to_owned();
        settings.auth_required = auth_required;
    });
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    registry
}

/// The routes of the API for GET, as it describes them, for the crate foo.
fn api_routes() -> Vec<String> {
    let paths = openapi::description().paths.paths;
    let read = paths.iter().filter(|(_, item)| item.get.is_some()).map(|(path, _)| path);
    let values = [
        ("{crate}", "foo"),
        ("{version}", "1.0.0"),
        ("{login}", "ann"),
        ("{keyword}", "k"),
        ("{category}", "c"),
        ("{set}", "next"),
    ];
    read.map(|path| values.iter().fold(path.clone(), |path, (name, value)| path.replace(name, value))).collect()
}

#[test]
fn every_route_answers_under_the_path_as_at_the_root() {
    let registry = with_foo(false);
    let admin = registry.admin("root");
    let staged = Package::new("foo", "2.0.0");
    registry.user("ann").request(Method::PUT, "/crates/stage/next/api/v1/crates/new", staged.body()).good();
    let others = [
        "/release-sets",
        "/release-sets/next",
        "/release-sets/next/foo/2.0.0",
        "/stage/next/index/config.json",
        "/stage/next/index/3/f/foo",
        "/stage/next/api/v1/crates/foo/2.0.0/download",
        "/stage/next/git/index/info/refs?service=git-upload-pack",
        "/",
        "/me",
        "/search?q=foo",
        "/keywords",
        "/categories",
        "/crates/foo",
        "/crates/foo/1.0.0",
        "/crates/foo/1.0.0/dependencies",
        "/crates/foo/1.0.0/features",
        "/crates/foo/1.0.0/status",
        "/crates/foo/1.0.0/source",
        "/crates/foo/versions",
        "/crates/foo/dependents",
        "/crates/foo/diff/1.0.0...1.0.0",
        "/feeds/crates.atom",
        "/crates/foo/feed.atom",
        "/feeds/versions.atom",
        "/badges/foo.svg",
        "/sitemap.xml",
        "/opensearch.xml",
        "/email/confirm?key=x",
        "/email/unsubscribe?key=x",
        "/admin/webhooks",
        "/webhooks/1",
        "/index",
        "/index/",
        "/index/config.json",
        "/index/3/f/foo",
        "/index/3/b/bar",
        "/git/index",
        "/git/index/info/refs?service=git-upload-pack",
        "/git/index.git",
        "/api/openapi.json",
        "/health/live",
        "/health/ready",
    ];
    let routes: Vec<String> = api_routes().into_iter().chain(others.map(str::to_owned)).collect();
    assert!(routes.len() > 30, "{routes:?}");
    for route in &routes {
        let (at_root, under) = (admin.get(route), admin.get(&format!("/crates{route}")));
        assert_eq!((under.status, under.text()), (at_root.status, at_root.text()), "{route}");
        assert!(at_root.status != StatusCode::NOT_FOUND || !at_root.text().contains("there is nothing at"), "{route}");
    }
    // A URL is often written without its last slash.
    assert_eq!(admin.get("/crates").good().text(), admin.get("/").good().text());
    for nothing in ["/cratesindex/nothing", "/crates/nothing/x/y/z", "/crates/nothing/at/all/there"] {
        let refused = admin.get(nothing);
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{nothing}");
        assert!(refused.detail().contains(&format!("sparse+{URL}/index/")), "{}", refused.detail());
    }
}

/// The paths that a page leads to or loads, and to which it sends forms.
fn paths_of(html: &str) -> Vec<String> {
    let attributes = ["href", "src", "action", "data-events", "data-part"];
    let mut found = Vec::new();
    for attribute in attributes {
        let start = format!(" {attribute}=\"");
        let values = html.split(&start).skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(values.filter(|value| value.starts_with('/')).map(str::to_owned));
    }
    found
}

#[test]
fn the_pages_of_the_queue_and_of_a_status_lead_back_through_the_proxy() {
    let registry = with_foo(false);
    registry.user("ann").publish(&Package::new("queued", "1.0.0"));
    let mut browser = Browser::new(&registry);
    let token = registry.admin("root").token.unwrap();
    assert_eq!(browser.sign_in(&token).status, StatusCode::SEE_OTHER);
    let list = browser.get("/queue").good().text();
    let job = list.split_once("href=\"/crates/queue/jobs/").unwrap().1.split('"').next().unwrap();
    for page in [
        "/queue",
        "/queue?state=done",
        "/queue?fragment=1",
        &format!("/queue/jobs/{job}"),
        &format!("/queue/jobs/{job}/retry"),
        "/crates/queued",
        "/crates/queued/1.0.0/status",
        "/crates/foo/1.0.0/status",
        "/admin/users",
        "/admin/users/root",
        "/admin/teams",
        "/admin/reserved-names",
        "/admin/upstreams",
    ] {
        let (at_root, under) = (browser.get(page).good().text(), browser.get(&format!("/crates{page}")).good().text());
        let paths = paths_of(&under);
        assert!(!paths.is_empty() && paths.iter().all(|path| path.starts_with("/crates/")), "{page}: {paths:?}");
        assert_eq!(paths, paths_of(&at_root), "{page}");
        for path in paths.iter().filter(|path| !path.contains("/events")) {
            assert_ne!(browser.get(path).status, StatusCode::NOT_FOUND, "{page}: {path}");
        }
    }
    // Without a session both lead to the sign-in under the path.
    for page in ["/queue", "/crates/queue"] {
        let refused = Browser::new(&registry).get(page);
        let to = refused.headers["location"].to_str().unwrap();
        assert!(refused.status == StatusCode::SEE_OTHER && to.starts_with("/crates/sign-in"), "{page}: {to}");
    }
    registry.run_jobs();
}

#[test]
fn versions_are_published_yanked_and_deleted_under_the_path() {
    let registry = with_foo(false);
    let root = registry.admin("root");
    let ann = registry.user("ann");
    ann.request(Method::PUT, "/crates/api/v1/crates/new", Package::new("foo", "1.1.0").body()).good();
    ann.request(Method::DELETE, "/crates/api/v1/crates/foo/1.0.0/yank", Body::empty()).good();
    registry.run_jobs();
    let index = root.get("/crates/index/3/f/foo").good().text();
    assert!(index.contains("1.1.0") && index.contains("\"yanked\":true"), "{index}");
    root.request(Method::DELETE, "/crates/api/v1/crates/foo/1.1.0?reason=why", Body::empty()).good();
    registry.run_jobs();
    registry.run_jobs();
    assert!(!root.get("/crates/index/3/f/foo").good().text().contains("1.1.0"));
}

/// Every string in a document.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

#[test]
fn paths_and_urls_in_answers_lead_back_through_the_proxy() {
    let registry = with_foo(false);
    let ann = registry.user("ann");
    let mut paths = Vec::new();
    for call in [
        "/api/v1/crates",
        "/api/v1/crates/foo",
        "/api/v1/crates/foo/1.0.0",
        "/api/v1/summary",
        "/api/v1/crates/foo/versions",
    ] {
        let answer = ann.get(call).good().json();
        let mut found = Vec::new();
        texts(&answer, &mut found);
        let (own, other): (Vec<&str>, Vec<&str>) = found
            .into_iter()
            .filter(|text| text.contains("/api/v1/"))
            .partition(|text| text.starts_with("/crates/api/v1/"));
        assert!(!own.is_empty(), "{call}: {answer}");
        assert!(other.iter().all(|text| text.starts_with(&format!("{URL}/api/v1/"))), "{call}: {other:?}");
        paths.extend(own.into_iter().map(str::to_owned));
    }
    for path in paths {
        let answer = ann.get(&path);
        let is_absent = path.ends_with("/readme") && answer.text().contains("has no README");
        assert!(answer.status == StatusCode::OK || is_absent, "{path}: {}", answer.text());
    }
    let description = ann.get("/api/openapi.json").good().json();
    assert_eq!(description["servers"][0]["url"], URL);
}

#[test]
fn a_private_registry_is_guarded_under_the_path_as_well() {
    let registry = with_foo(true);
    let anyone = registry.anonymous();
    for page in ["/crates", "/crates/", "/crates/me"] {
        anyone.get(page).good();
    }
    for (path, challenge) in [
        ("/crates/index/config.json", "Cargo login_url=\"http://registry.test/crates/me\""),
        ("/crates/git/index/info/refs?service=git-upload-pack", "Basic realm=\"supercargo\", charset=\"UTF-8\""),
        ("/crates/nothing", "Cargo login_url=\"http://registry.test/crates/me\""),
    ] {
        let refused = anyone.get(path);
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(refused.headers["www-authenticate"], challenge, "{path}");
    }
}
