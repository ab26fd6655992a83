//! CORS: what web pages of other origins may read, and that they can only read.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use supercargo::web::{Settings, SharedWith};

use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed};

const PAGE: &str = "https://docs.example";

const READ: [&str; 8] = [
    "/index/config.json",
    "/index/3/f/foo",
    "/index/3/b/bar",
    "/stage/x/index/3/b/bar",
    "/upstream/x/index/3/b/bar",
    "/api/v1/crates/foo",
    "/api/v1/crates/foo/1.0.0/download",
    "/api/openapi.json",
];

fn with_foo(change: impl FnOnce(&mut Settings)) -> TestRegistry {
    let registry = TestRegistry::with(change);
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    registry
}

/// Sends what a browser sends for a page.
fn ask(client: &Client<'_>, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    let token = client.token.as_deref().map(|token| ("authorization", token));
    for (name, value) in headers.iter().copied().chain(token) {
        request = request.header(name, value);
    }
    client.send(request.body(Body::empty()).unwrap())
}

fn get(client: &Client<'_>, path: &str) -> Answer {
    ask(client, Method::GET, path, &[("origin", PAGE)])
}

/// The request by which a browser asks before it sends this method with a header.
fn preflight(client: &Client<'_>, path: &str, method: &str) -> Answer {
    let asked = [
        ("origin", PAGE),
        ("access-control-request-method", method),
        ("access-control-request-headers", "if-none-match"),
    ];
    ask(client, Method::OPTIONS, path, &asked)
}

fn shared(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| value.to_str().unwrap().to_ascii_lowercase()).unwrap_or_default()
}

/// Asserts that no header of CORS is there.
fn assert_not_shared(answer: &Answer, what: &str) {
    let found: Vec<_> = answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).collect();
    assert!(found.is_empty(), "{what}: {found:?}");
}

#[test]
fn pages_of_every_origin_may_read_the_api_the_index_and_crate_files() {
    let registry = with_foo(|_| {});
    let anyone = registry.anonymous();
    for path in READ {
        for method in [Method::GET, Method::HEAD] {
            let answer = ask(&anyone, method, path, &[("origin", PAGE)]);
            assert_eq!(answer.headers["access-control-allow-origin"], "*", "{path}");
            assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{path}");
            let exposed = shared(&answer.headers, "access-control-expose-headers");
            for name in ["etag", "retry-after", "x-request-id", "content-range"] {
                assert!(exposed.contains(name), "{path}: {exposed}");
            }
            // Caches keep one answer for all origins.
            assert!(!shared(&answer.headers, "vary").contains("origin"), "{path}: {:?}", answer.headers);
        }
        for method in ["GET", "HEAD"] {
            let allowed = preflight(&anyone, path, method).good();
            assert_eq!(allowed.headers["access-control-allow-origin"], "*", "{path}");
            assert_eq!(shared(&allowed.headers, "access-control-allow-methods"), "get,head", "{path}");
            let headers = shared(&allowed.headers, "access-control-allow-headers");
            assert!(headers.contains("if-none-match") && headers.contains("range"), "{headers}");
            assert!(!headers.contains("authorization"), "everyone can read without a token: {headers}");
            assert!(!allowed.headers.contains_key("access-control-allow-credentials"), "{path}");
        }
    }
}

#[test]
fn pages_of_other_origins_can_change_nothing_and_read_nothing_else() {
    let registry = with_foo(|settings| {
        settings.shared_with = SharedWith::Origins(vec![HeaderValue::from_static(PAGE)]);
    });
    let ann = registry.user("ann");
    let changing = [
        (Method::PUT, "/api/v1/crates/new"),
        (Method::DELETE, "/api/v1/crates/foo/1.0.0/yank"),
        (Method::PUT, "/api/v1/crates/foo/1.0.0/unyank"),
        (Method::PUT, "/api/v1/crates/foo/owners"),
        (Method::DELETE, "/api/v1/me/tokens/1"),
        (Method::PUT, "/api/v1/me/crate_owner_invitations/1"),
        (Method::POST, "/git/index/git-upload-pack"),
    ];
    for (method, path) in changing {
        assert_not_shared(&ask(&ann, method.clone(), path, &[("origin", PAGE)]), path);
        let asked = preflight(&ann, path, method.as_str());
        assert_eq!(asked.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_not_shared(&asked, path);
    }
    registry.run_jobs();
    assert_not_shared(&ask(&ann, Method::OPTIONS, "/api/v1/crates/foo", &[("origin", PAGE)]), "no preflight request");
    for path in ["/", "/me", "/git/index/info/refs?service=git-upload-pack", "/health/live", "/nothing"] {
        assert_not_shared(&get(&ann, path), path);
    }
}

#[test]
fn only_pages_of_named_origins_may_read_if_there_are_some() {
    let registry = with_foo(|settings| {
        settings.shared_with =
            SharedWith::Origins(vec![PAGE.parse().unwrap(), "http://localhost:8080".parse().unwrap()]);
    });
    let anyone = registry.anonymous();
    for path in READ {
        let answer = get(&anyone, path);
        assert_eq!(answer.headers["access-control-allow-origin"], PAGE, "{path}");
        for origin in ["https://docs.example.evil.example", "http://docs.example", "null"] {
            let other = ask(&anyone, Method::GET, path, &[("origin", origin)]);
            assert!(!other.headers.contains_key("access-control-allow-origin"), "{path} {origin}");
            let vary: Vec<_> = other.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
            assert!(vary.contains(&"origin"), "{path}: {vary:?}");
        }
    }
    let allowed = preflight(&anyone, READ[0], "GET").good();
    assert!(shared(&allowed.headers, "access-control-allow-headers").contains("authorization"));
}

#[test]
fn a_private_registry_that_names_an_origin_lets_its_pages_send_a_token() {
    let registry = with_foo(|settings| {
        settings.auth_required = true;
        settings.shared_with = SharedWith::Origins(vec![HeaderValue::from_static(PAGE)]);
    });
    // A browser sends no token when it asks.
    let allowed = preflight(&registry.anonymous(), "/index/3/f/foo", "GET").good();
    assert_eq!(allowed.headers["access-control-allow-origin"], PAGE);
    assert!(shared(&allowed.headers, "access-control-allow-headers").contains("authorization"));
    let refused = get(&registry.anonymous(), "/index/3/f/foo");
    assert_eq!(
        (refused.status, refused.headers["access-control-allow-origin"].as_bytes()),
        (StatusCode::UNAUTHORIZED, PAGE.as_bytes())
    );
    assert!(shared(&refused.headers, "access-control-expose-headers").contains("www-authenticate"));
    let read = get(&registry.user("bob"), "/index/3/f/foo").good();
    assert_eq!(read.headers["access-control-allow-origin"], PAGE);
    assert!(!read.headers.contains_key("access-control-allow-credentials"));
}

/// The header of a public page of the API, without a token.
fn allowed_by(arguments: &[&str]) -> Option<String> {
    let served = Served::start(arguments);
    http::header(&format!("{}/index/config.json", served.url), &[("origin", PAGE)], "access-control-allow-origin")
}

#[test]
fn a_public_registry_shares_with_everyone_and_a_private_one_with_nobody_unless_the_option_says_otherwise() {
    assert_eq!(allowed_by(&[]).as_deref(), Some("*"));
    assert_eq!(allowed_by(&["--cors-origin", "none"]), None);
    assert_eq!(allowed_by(&["--cors-origin", "http://a.example,https://DOCS.example:443/"]).as_deref(), Some(PAGE));
    assert_eq!(allowed_by(&["--auth-required"]), None);
    assert_eq!(allowed_by(&["--auth-required", "--cors-origin", "*"]).as_deref(), Some("*"));
}

#[test]
fn origins_that_contradict_each_other_are_refused_before_the_start() {
    let stopped = Served::stopped();
    // It ends in any case: the port is taken.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let refusal = |arguments: &[&str], code| {
        failed(stopped.command("serve").args(["--listen", &listen]).args(arguments).output().unwrap(), code)
    };
    let both = refusal(&["--cors-origin", "none", "--cors-origin", PAGE], 1);
    insta::assert_snapshot!(both.trim(), @"supercargo: --cors-origin none cannot be combined with other values: use it alone");
    let path = refusal(&["--cors-origin", "https://docs.example/page"], 2);
    assert!(path.contains("use an origin such as https://docs.example.com, without a path"), "{path}");
}
