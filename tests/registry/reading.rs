//! Reading downloads, owners, versions and tokens, and unknown paths.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::scope::Scope;
use supercargo::web::openapi;

use crate::support::harness::TestRegistry;
use crate::support::package::Package;

fn with_foo() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    registry
}

#[test]
fn a_download_of_an_unknown_version_is_a_404() {
    let registry = with_foo();
    for path in ["foo/2.0.0", "bar/1.0.0", "foo/x", "foo/1.0.0+b", "%ff/1.0.0", "foo/%00"] {
        let answer = registry.anonymous().get(&format!("/api/v1/crates/{path}/download"));
        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
    }
}

#[test]
fn a_missing_crate_file_is_an_internal_error() {
    let registry = with_foo();
    let files = registry.directory.path().join("crates");
    std::fs::remove_dir_all(&files).unwrap();
    assert_eq!(registry.anonymous().get("/api/v1/crates/foo/1.0.0/download").status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[test]
fn owners_are_listed_as_cargo_reads_them() {
    let registry = with_foo();
    let users = registry.user("bob").get("/api/v1/crates/foo/owners").good().json()["users"].clone();
    // Whoever reads a public registry reads its owners.
    assert_eq!(registry.anonymous().get("/api/v1/crates/foo/owners").good().json()["users"], users);
    assert_eq!(users.as_array().unwrap().len(), 1);
    assert!(users[0]["id"].is_u64(), "{users}");
    assert_eq!((&users[0]["login"], &users[0]["name"]), (&"ann".into(), &serde_json::Value::Null));
    let missing = registry.user("bob").get("/api/v1/crates/bar/owners");
    assert_eq!(
        (missing.status, missing.detail()),
        (StatusCode::NOT_FOUND, "there is no crate `bar` in this registry: check its name".to_owned())
    );
}

#[test]
fn a_version_has_its_state() {
    let registry = with_foo();
    let version = &registry.anonymous().get("/api/v1/crates/foo/1.0.0").good().json()["version"];
    assert_eq!(version["state"], "published");
    let head = registry.index.head().unwrap().commit.unwrap().to_string();
    assert_eq!(version["index_commit"], head);
    for path in ["/api/v1/crates/foo/1.0.1", "/api/v1/crates/bar/1.0.0", "/api/v1/crates/foo/one"] {
        assert_eq!(registry.anonymous().get(path).status, StatusCode::NOT_FOUND);
    }
}

#[test]
fn a_missing_unknown_or_revoked_token_is_refused() {
    let registry = with_foo();
    let package = Package::new("foo", "1.1.0");
    let missing = registry.anonymous().publish(&package);
    assert_eq!(missing.status, StatusCode::UNAUTHORIZED);
    assert_eq!(missing.headers["www-authenticate"], "Cargo login_url=\"http://registry.test/me\"");
    insta::assert_snapshot!(missing.detail(), @"the request has no token: run `cargo login` with one. See http://registry.test/me for how to get one");
    let mut stranger = registry.anonymous();
    stranger.token = Some("sct_0123".to_owned());
    let unknown = stranger.publish(&package);
    assert_eq!(unknown.status, StatusCode::FORBIDDEN);
    insta::assert_snapshot!(unknown.detail(), @"the token is unknown to this registry or was revoked: see http://registry.test/me for how to get one, and run `cargo login` with it");
    let mut ann = registry.user("ann");
    let token = ann.token.take().unwrap();
    for scheme in ["Bearer", "bearer", "Token", "token"] {
        ann.token = Some(format!("{scheme} {token}"));
        ann.get("/api/v1/me").good();
    }
    ann.token = Some(format!("Digest {token}"));
    let digest = ann.publish(&package);
    assert_eq!(digest.status, StatusCode::UNAUTHORIZED);
    insta::assert_snapshot!(digest.detail(), @"the Authorization header has the scheme `Digest`, which is not supported: send the token itself, alone or after `Bearer` or `Token`, or as the password of HTTP Basic. See http://registry.test/me for how to get one");
    ann.token = Some(token);
    registry
        .pool
        .with(|connection| {
            use supercargo::database::access::{revocation, tokens, users};
            let ann = users::find(connection, "ann").unwrap().unwrap();
            for (token, _) in tokens::list(connection, Some(ann.id)).unwrap() {
                assert!(revocation::revoke(connection, token.id, None).unwrap().is_some());
                assert!(revocation::revoke(connection, token.id, None).unwrap().is_none());
            }
        })
        .unwrap();
    assert_eq!(ann.publish(&package).status, StatusCode::FORBIDDEN);
}

#[test]
fn no_token_is_in_the_database_in_clear() {
    use diesel::prelude::*;
    let registry = TestRegistry::new();
    let token = registry.user("ann").token.unwrap();
    assert!(token.starts_with("sct_") && token.len() == 4 + 64, "{token}");
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        row: String,
    }
    let rows: Vec<Row> = registry
        .pool
        .with(|connection| {
            diesel::sql_query(
                "SELECT t::text AS row FROM api_tokens t JOIN users ON users.id = user_id WHERE login = 'ann'",
            )
            .load(connection)
            .unwrap()
        })
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].row.contains(&token[4..]), "{}", rows[0].row);
}

// protocol: 95
#[test]
fn an_unknown_path_is_a_json_404_and_a_wrong_method_a_json_405() {
    let registry = TestRegistry::new();
    let anyone = registry.anonymous();
    for path in
        ["/api/v1/nothing", "/api/v2/crates", "/nothing", "/api/v1/crates/a/b/c/d", "/api/v1/crates/foo/1.0.0/%2e%2e"]
    {
        let answer = anyone.get(path);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.detail().contains("/api/v1"), "{}", answer.detail());
    }
    let answer = anyone.request(Method::POST, "/api/v1/crates/new", Body::empty());
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.detail(), "/api/v1/crates/new does not accept POST");
}

// protocol: 68
#[test]
fn the_pages_show_how_to_use_the_registry_and_how_to_get_a_token() {
    let registry = TestRegistry::new();
    assert!(registry.anonymous().get("/").good().text().contains("sparse+http://registry.test/index/"));
    let me = registry.anonymous().get("/me").good();
    assert!(me.text().contains("supercargo admin token create") && me.text().contains("/api/v1/me/tokens"));
    assert!(me.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(!registry.anonymous().get("/").good().text().contains("credential-provider"));
}

/// Cargo shows the text of JSON errors, and dumps any other response with all its headers.
// protocol: 48, 84, 92
#[test]
fn an_odd_path_is_refused_with_an_error_that_cargo_can_show() {
    let registry = with_foo();
    let ann = registry.user("ann");
    let odd = ["%ff", "%c3%28", "%00", "%2e%2e", "%2f", "%20", "a%2Fb", "%F0%9F%A6%80", &"a".repeat(5000)];
    for part in odd {
        let read = [
            "",
            "/versions",
            "/downloads",
            "/reverse_dependencies",
            "/owner_user",
            "/owner_team",
            "/owner_invitations",
            "/1.0.0/readme",
            "/1.0.0/status",
        ];
        let read = read.map(|rest| (Method::GET, format!("/api/v1/crates/{part}{rest}")));
        let named = ["keywords", "categories", "users", "teams", "me/tokens", "webhooks"];
        let named = named.map(|kind| (Method::GET, format!("/api/v1/{kind}/{part}")));
        for (method, path) in read.into_iter().chain(named).chain([
            (Method::GET, format!("/api/v1/crates/{part}/1.0.0")),
            (Method::GET, format!("/api/v1/crates/foo/{part}")),
            (Method::GET, format!("/api/v1/crates/{part}/owners")),
            (Method::GET, format!("/api/v1/crates/{part}/1.0.0/download")),
            (Method::GET, format!("/api/v1/crates/foo/{part}/download")),
            (Method::GET, format!("/api/v1/crates/foo/{part}/status")),
            (Method::DELETE, format!("/api/v1/crates/{part}/1.0.0/yank")),
            (Method::DELETE, format!("/api/v1/crates/foo/{part}/yank")),
            (Method::PUT, format!("/api/v1/crates/foo/{part}/unyank")),
            (Method::DELETE, format!("/api/v1/crates/{part}")),
            (Method::PUT, format!("/api/v1/me/crate_owner_invitations/{part}")),
            (Method::DELETE, format!("/api/v1/webhooks/{part}")),
            (Method::GET, format!("/api/v1/webhooks/{part}/deliveries")),
            (Method::POST, format!("/api/v1/webhooks/{part}/test")),
            (Method::POST, format!("/api/v1/webhooks/{part}/deliveries/{part}/redeliver")),
        ]) {
            let answer = ann.request(method.clone(), &path, Body::empty());
            let shown = &path[..path.len().min(80)];
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {shown}: {}", answer.text());
            assert_eq!(answer.headers["content-type"], "application/json", "{method} {shown}: {}", answer.text());
            assert!(!answer.detail().is_empty() && answer.detail().len() < 300, "{method} {shown}: {}", answer.text());
        }
    }
    for path in odd.map(|part| [format!("{part}/1.0.0"), format!("foo/{part}")]).concat() {
        let answer = ann.request(Method::PATCH, &format!("/api/v1/crates/{path}"), r#"{"version":{"yanked":true}}"#);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text());
    }
    assert_eq!(registry.pending(), 0);
}

#[test]
fn a_head_request_has_the_headers_of_a_get() {
    let registry = with_foo();
    let anyone = registry.anonymous();
    for path in ["/api/v1/crates/foo/1.0.0/download", "/api/v1/crates/foo/1.0.0", "/index/3/f/foo"] {
        let (got, head) = (anyone.get(path).good(), anyone.request(Method::HEAD, path, Body::empty()).good());
        assert!(head.body.is_empty(), "{path}");
        for header in ["content-type", "content-length", "etag", "cache-control"] {
            assert_eq!(head.headers.get(header), got.headers.get(header), "{path}: {header}");
        }
    }
    let missing = anyone.request(Method::HEAD, "/api/v1/crates/foo/9.9.9/download", Body::empty());
    assert_eq!((missing.status, missing.body.len()), (StatusCode::NOT_FOUND, 0));
}

#[test]
fn a_compressed_body_is_refused_by_every_call_that_reads_one() {
    let registry = with_foo();
    let ann = registry.user("ann");
    registry.admin("root");
    let scopes = Some(vec![Scope::Administer]);
    let root = registry.user_with("root", NewToken { scopes, ..NewToken::named("administers") });
    let send = |method: Method, path: &str, coding: &str, body: Vec<u8>| {
        let is_for_admins = ["/api/v1/admin/", "/api/v1/advisories"].iter().any(|place| path.starts_with(place));
        let client = if is_for_admins { &root } else { &ann };
        let request = Request::builder().method(method).uri(path).header("content-encoding", coding);
        client.send(request.header("authorization", client.token.as_ref().unwrap()).body(Body::from(body)).unwrap())
    };
    let paths = openapi::description().paths.paths;
    let mut read = 0;
    for (path, item) in &paths {
        let calls = [
            (Method::PUT, &item.put),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
            (Method::POST, &item.post),
        ];
        let with_body =
            calls.into_iter().filter(|(_, call)| call.as_ref().is_some_and(|call| call.request_body.is_some()));
        for (method, call) in with_body {
            read += 1;
            assert!(call.as_ref().unwrap().responses.responses.contains_key("415"), "{method} {path}");
            for coding in ["gzip", "identity, Br", "zstd"] {
                let called = path.replace("{crate}", "foo").replace("{crate_id}", "1");
                let refused = send(method.clone(), &called, coding, b"x".repeat(100));
                assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{method} {path}: {}", refused.text());
                assert_eq!(refused.headers["accept-encoding"], "identity");
            }
        }
    }
    assert!(read >= 4, "{read}");
    let body = Package::new("foo", "1.1.0").body();
    let refused = send(Method::PUT, "/api/v1/crates/new", "gzip", body.clone());
    insta::assert_snapshot!(refused.detail(), @"the request has `Content-Encoding: gzip`, and this call accepts only bodies that are not compressed: send the body as it is, without that header");
    send(Method::PUT, "/api/v1/crates/new", "identity", body).good();
    registry.run_jobs();
}
