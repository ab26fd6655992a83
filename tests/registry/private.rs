//! A registry that answers nobody without a token.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};

use crate::support::harness::TestRegistry;
use crate::support::package::Package;

fn private() -> TestRegistry {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    registry
}

const GUARDED: [&str; 11] = [
    "/index/",
    "/index/config.json",
    "/index/3/f/foo",
    "/index/3/b/bar",
    "/api/v1/crates/foo/1.0.0",
    "/api/v1/crates/foo/1.0.0/download",
    "/api/v1/crates/foo/owners",
    "/api/v1/crates?q=foo",
    "/api/openapi.json",
    "/git/index/info/refs?service=git-upload-pack",
    "/nothing",
];

// protocol: 70, 71, 72
#[test]
fn nobody_is_answered_without_a_token_nor_with_a_bad_one() {
    let registry = private();
    let mut bad = registry.anonymous();
    bad.token = Some("sct_0123".to_owned());
    for client in [registry.anonymous(), bad] {
        for path in GUARDED {
            let refused = client.get(path);
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
            let challenge = refused.headers["www-authenticate"].to_str().unwrap();
            if path.starts_with("/git/") {
                assert_eq!(challenge, "Basic realm=\"supercargo\", charset=\"UTF-8\"");
            } else {
                assert_eq!(challenge, "Cargo login_url=\"http://registry.test/me\"");
            }
            assert!(refused.detail().contains("http://registry.test/me"), "{}", refused.detail());
        }
        let publish = client.publish(&Package::new("foo", "1.1.0"));
        assert_eq!(publish.status, StatusCode::UNAUTHORIZED);
    }
    for open in ["/", "/me"] {
        registry.anonymous().get(open).good();
    }
}

#[test]
fn with_a_token_everything_is_answered_and_nothing_may_be_shared_by_a_cache() {
    let registry = private();
    let bob = registry.user("bob");
    assert_eq!(bob.get("/index/3/f/foo").good().text(), registry.index_file("3/f/foo"));
    assert_eq!(bob.get("/index/3/b/bar").status, StatusCode::NOT_FOUND);
    let file = bob.get("/api/v1/crates/foo/1.0.0/download").good();
    assert_eq!(file.headers["cache-control"], "private, max-age=31536000, immutable");
    bob.get("/git/index/info/refs?service=git-upload-pack").good();
    let basic = Request::get("/index/3/f/foo").header("authorization", {
        use base64::Engine;
        let pair = format!("any:{}", bob.token.as_ref().unwrap());
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    });
    registry.anonymous().send(basic.body(Body::empty()).unwrap()).good();
    let head = bob.request(Method::HEAD, "/index/3/f/foo", Body::empty()).good();
    assert!(head.body.is_empty());
}
