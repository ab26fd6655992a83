//! Scopes, expiry, creation and revocation of tokens, and rate limits of users.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use chrono::{TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::{Value, json};
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::rate_limits::RateLimits;
use supercargo::jobs::{Admission, NewCrates};

use crate::support::harness::{Client, TestRegistry};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

fn scoped(scopes: &[&str], crates: &[&str]) -> NewToken {
    fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Option<Vec<T>> {
        Some(texts.iter().map(|text| text.parse().unwrap()).collect()).filter(|_| !texts.is_empty())
    }
    NewToken { name: "ci".to_owned(), scopes: parsed(scopes), crate_patterns: parsed(crates), expires_at: None }
}

/// A registry with ann's `foo` and `foo-bar` 1.0.0.
fn with_foo() -> TestRegistry {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for name in ["foo", "foo-bar"] {
        ann.publish(&Package::new(name, "1.0.0")).good();
    }
    registry.run_jobs();
    registry
}

fn change_owners(client: &Client<'_>, method: Method, body: &Value) -> crate::support::harness::Answer {
    client.request(method, "/api/v1/crates/foo/owners", body.to_string())
}

// rule: 6
#[test]
fn a_token_may_do_what_its_scopes_allow_and_nothing_else() {
    let registry = with_foo();
    let all = ["publish-new", "publish-update", "yank", "change-owners", "read"];
    for scope in all {
        let token = registry.user_with("ann", scoped(&[scope], &[]));
        let new = Package::new(&format!("new-{scope}"), "1.0.0");
        let answers = [
            ("publish-new", token.publish(&new)),
            ("publish-update", token.publish(&Package::new("foo", &format!("2.0.0-{scope}")))),
            ("yank", token.yank("foo", "1.0.0")),
            ("yank", token.unyank("foo", "1.0.0")),
            ("change-owners", change_owners(&token, Method::PUT, &json!({"users": ["ann"]}))),
        ];
        for (needed, answer) in answers {
            if needed == scope {
                answer.good();
            } else {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{scope} {needed}: {}", answer.text());
                // Which kind of publish it is, nobody has read when a token for neither is refused.
                let is_publish = |name: &str| name.starts_with("publish-");
                let either = is_publish(needed) && !is_publish(scope);
                let needed = if either { "publish-new or publish-update" } else { needed };
                assert!(answer.detail().contains(&format!("needs the scope {needed}, and has {scope}")));
            }
        }
        // Cargo reads before it does anything else.
        token.get("/api/v1/me").good();
    }
    registry.run_jobs();
    let refused = registry.user_with("ann", scoped(&["read", "yank"], &[])).publish(&Package::new("foo", "3.0.0"));
    insta::assert_snapshot!(refused.detail(), @"the token `ci` needs the scope publish-new or publish-update, and has read, yank: create a token with one of them, or one without restrictions");
}

// rule: 6
#[test]
fn a_token_for_some_crates_is_matched_on_the_canonical_name() {
    let registry = with_foo();
    let token = registry.user_with("ann", scoped(&[], &["Foo_B*", "other"]));
    token.publish(&Package::new("foo-bar", "1.1.0")).good();
    token.publish(&Package::new("other", "1.0.0")).good();
    token.yank("foo-bar", "1.0.0").good();
    for refused in [
        token.publish(&Package::new("foo", "1.1.0")),
        token.publish(&Package::new("others", "1.0.0")),
        token.yank("foo", "1.0.0"),
        change_owners(&token, Method::PUT, &json!({"users": ["ann"]})),
    ] {
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    }
    let refused = token.yank("foo", "1.0.0");
    insta::assert_snapshot!(refused.detail(), @"the token `ci` is restricted to Foo_B*, other and not valid for the crate `foo`: create a token for this crate, or one without restrictions");
    registry.run_jobs();
}

// rule: 6
#[test]
fn an_expired_token_is_refused_by_its_name_and_date() {
    let registry = with_foo();
    let soon = NewToken { expires_at: Some(Utc::now() + TimeDelta::hours(1)), ..scoped(&[], &[]) };
    let token = registry.user_with("ann", soon);
    token.get("/api/v1/me").good();
    registry
        .pool
        .with(|connection| {
            diesel::sql_query("UPDATE api_tokens SET expires_at = '2020-02-03 04:05:06+00' WHERE name = 'ci'")
                .execute(connection)
                .unwrap()
        })
        .unwrap();
    let refused = token.publish(&Package::new("foo", "1.1.0"));
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    insta::assert_snapshot!(refused.detail(), @"the token `ci` has expired on 2020-02-03 at 04:05 UTC: see http://registry.test/me for how to get another one, and run `cargo login` with it");
}

#[test]
fn a_user_creates_lists_and_revokes_tokens() {
    let registry = with_foo();
    let ann = registry.user("ann");
    let end = "2999-01-01T00:00:00Z";
    let wanted = json!({"api_token": {
        "name": "deploy", "endpoint_scopes": ["publish-update"], "crate_scopes": ["foo"], "expired_at": end,
    }});
    // A restriction under another name would be lost, and the token good for everything.
    let misspelt = json!({"api_token": { "name": "deploy", "scopes": ["publish-update"] }});
    let refused = ann.request(Method::PUT, "/api/v1/me/tokens", misspelt.to_string());
    assert_eq!((refused.status.as_u16(), refused.detail().contains("`scopes`")), (400, true), "{}", refused.text());
    let made = ann.request(Method::PUT, "/api/v1/me/tokens", wanted.to_string()).good().json();
    let made = &made["api_token"];
    let mut deploy = registry.anonymous();
    deploy.token = made["token"].as_str().map(str::to_owned);
    deploy.publish(&Package::new("foo", "1.1.0")).good();
    assert_eq!(deploy.publish(&Package::new("foo-bar", "1.1.0")).status, StatusCode::FORBIDDEN);
    registry.run_jobs();

    let listed = ann.get("/api/v1/me/tokens").good().json();
    let found = listed["api_tokens"].as_array().unwrap().iter().find(|one| one["id"] == made["id"]).unwrap();
    assert_eq!(found["name"], "deploy");
    assert_eq!(found["endpoint_scopes"], json!(["publish-update"]));
    assert_eq!(found["crate_scopes"], json!(["foo"]));
    assert_eq!(found["expired_at"], end);
    assert!(found["last_used_at"].is_string() && found["token"].is_null(), "{found}");

    let path = format!("/api/v1/me/tokens/{}", made["id"]);
    let bob = registry.user("bob");
    assert_eq!(ann.get(&path).good().json(), json!({ "api_token": found }));
    // A restricted token shows itself, and no other one.
    assert_eq!(deploy.get(&path).good().json()["api_token"]["name"], "deploy");
    assert_eq!(deploy.get("/api/v1/me/tokens/1").status, StatusCode::FORBIDDEN);
    let missing = bob.get(&path);
    let none = (StatusCode::NOT_FOUND, format!("you have no token {}", made["id"]));
    assert_eq!((missing.status, missing.detail()), none);
    assert_eq!(registry.anonymous().get(&path).status, StatusCode::UNAUTHORIZED);
    assert_eq!(bob.request(Method::DELETE, &path, Body::empty()).status, StatusCode::NOT_FOUND);
    deploy.get("/api/v1/me").good();
    ann.request(Method::DELETE, &path, Body::empty()).good();
    assert_eq!(ann.request(Method::DELETE, &path, Body::empty()).status, StatusCode::NOT_FOUND);
    assert_eq!(ann.get(&path).status, StatusCode::NOT_FOUND);
    assert_eq!(deploy.get("/api/v1/me").status, StatusCode::FORBIDDEN);
    bob.get("/api/v1/me").good();
    let gone = bob.request(Method::DELETE, "/api/v1/tokens/current", Body::empty());
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(bob.get("/api/v1/me").status, StatusCode::FORBIDDEN);
}

#[test]
fn a_user_is_shown_with_the_fields_of_crates_io_and_the_crates_that_the_user_owns() {
    let registry = with_foo();
    let user = registry.anonymous().get("/api/v1/users/ann").good().json()["user"].clone();
    assert!(user["created_at"].is_string(), "{user}");
    let me = registry.user_with("ann", scoped(&["read"], &[])).get("/api/v1/me").good().json();
    assert_eq!(
        me["user"],
        json!({
            "id": user["id"], "login": "ann", "name": null, "avatar": null, "email": null, "email_verified": false,
            "email_verification_sent": false, "is_admin": false, "publish_notifications": false,
            "url": "http://registry.test/api/v1/users/ann", "created_at": user["created_at"],
        })
    );
    let owned: Vec<_> = me["owned_crates"].as_array().unwrap().iter().collect();
    assert_eq!(owned.iter().map(|one| &one["name"]).collect::<Vec<_>>(), [&json!("foo"), &json!("foo-bar")]);
    assert!(owned.iter().all(|one| one["id"].is_u64() && one["email_notifications"] == false), "{me}");
    assert_eq!(registry.user("bob").get("/api/v1/me").good().json()["owned_crates"], json!([]));
    assert_eq!(registry.admin("root").get("/api/v1/me").good().json()["user"]["is_admin"], true);
}

#[test]
fn a_restricted_token_creates_no_token_and_no_token_outlives_its_creator() {
    let registry = with_foo();
    let make = |client: &Client<'_>, end: Value| {
        let wanted = json!({"api_token": {"name": "more", "expired_at": end}}).to_string();
        client.request(Method::PUT, "/api/v1/me/tokens", wanted)
    };
    for restricted in [scoped(&["change-owners"], &[]), scoped(&[], &["foo"])] {
        let token = registry.user_with("ann", restricted);
        assert_eq!(make(&token, Value::Null).status, StatusCode::FORBIDDEN);
        assert_eq!(token.get("/api/v1/me/tokens").status, StatusCode::FORBIDDEN);
        // Ending itself is always allowed.
        let gone = token.request(Method::DELETE, "/api/v1/tokens/current", Body::empty());
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
    }
    let end = Utc::now() + TimeDelta::hours(2);
    let token = registry.user_with("ann", NewToken { expires_at: Some(end), ..scoped(&[], &[]) });
    for later in [Value::Null, json!(end + TimeDelta::hours(1))] {
        let refused = make(&token, later);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text());
        assert!(refused.detail().contains("give an earlier end"), "{}", refused.detail());
    }
    make(&token, json!(end - TimeDelta::hours(1))).good();
}

#[test]
fn a_token_may_expire_in_the_last_year_of_rfc_3339() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let end = "9999-12-31T23:59:59Z";
    let wanted = json!({ "api_token": { "name": "long", "expired_at": end } }).to_string();
    let made = ann.request(Method::PUT, "/api/v1/me/tokens", wanted).good().json();
    assert_eq!(made["api_token"]["expired_at"], end);
    assert_eq!(ann.get("/api/v1/me/tokens").good().json()["api_tokens"][1]["expired_at"], end);
}

#[test]
fn an_invalid_request_for_a_token_is_rejected_with_the_value() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let cases = [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        (r#"{"api_token":{}}"#, "name"),
        (r#"{"api_token":{"name":""}}"#, "is not a valid token name"),
        (r#"{"api_token":{"name":"a\u0000b"}}"#, "is not a valid token name"),
        (r#"{"api_token":{"name":"a","endpoint_scopes":["publish"]}}"#, "\"publish\" is not a scope"),
        (r#"{"api_token":{"name":"a","endpoint_scopes":[]}}"#, "empty list of scopes"),
        (r#"{"api_token":{"name":"a","crate_scopes":["*x"]}}"#, "\"*x\" is not a crate pattern"),
        (r#"{"api_token":{"name":"a","expired_at":"soon"}}"#, "api_token.expired_at"),
        (r#"{"api_token":{"name":"a","expired_at":"2020-01-01T00:00:00Z"}}"#, "already be expired"),
        (r#"{"api_token":{"name":"a","expired_at":"+10000-01-01T00:00:00Z"}}"#, "cannot expire in the year 10000"),
        (r#"{"api_token":{"name":"a","expired_at":"+262142-12-31T23:59:59Z"}}"#, "cannot expire in the year 262142"),
        (r#"{"api_token":{"name":"a","expired_at":"-262143-01-01T00:00:00Z"}}"#, "already be expired"),
        (r#"{"api_token":{"name":"a"}} x"#, "cannot be read"),
    ];
    for (body, text) in cases {
        let refused = ann.request(Method::PUT, "/api/v1/me/tokens", body.to_owned());
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}: {}", refused.text());
        assert!(refused.detail().contains(text), "{body}: {}", refused.detail());
    }
    let deep = "[".repeat(60_000);
    assert_eq!(ann.request(Method::PUT, "/api/v1/me/tokens", deep).status, StatusCode::BAD_REQUEST);
    let large = " ".repeat(70_000);
    let large = ann.request(Method::PUT, "/api/v1/me/tokens", large);
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(large.detail().ends_with("above the limit of 65536: shorten it"), "{}", large.detail());
    assert_eq!(ann.request(Method::DELETE, "/api/v1/me/tokens/x", Body::empty()).status, StatusCode::NOT_FOUND);
}

// protocol: 49
// rule: 8
#[test]
fn a_user_above_the_rate_limit_gets_retry_after_and_loses_nothing() {
    let limits = RateLimits::configured(["none", "publish-new=2/1h", "yank=1/30m"]).unwrap();
    let registry = TestRegistry::with(|settings| settings.admission.rate_limits = limits);
    let ann = registry.user("ann");
    // What is refused for another reason costs nothing.
    for _ in 0..3 {
        assert_eq!(ann.publish(&Package::new("std", "1.0.0")).status, StatusCode::BAD_REQUEST);
    }
    ann.publish(&Package::new("one", "1.0.0")).good();
    ann.publish(&Package::new("two", "1.0.0")).good();
    let refused = ann.publish(&Package::new("three", "1.0.0"));
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1700..=1801).contains(&wait), "{wait}");
    let detail = refused.detail();
    assert!(
        detail.starts_with("rate limit exceeded (`ann` may publish new crates 2 times in 1h): try again in "),
        "{detail}"
    );
    assert!(detail.ends_with(" GMT"), "{detail}");
    // Other actions and other users are not concerned.
    ann.publish(&Package::new("one", "1.1.0")).good();
    registry.user("bob").publish(&Package::new("four", "1.0.0")).good();
    ann.yank("one", "1.0.0").good();
    assert_eq!(ann.unyank("one", "1.0.0").status, StatusCode::TOO_MANY_REQUESTS);
    registry.run_jobs();
    registry
        .pool
        .with(|connection| {
            diesel::sql_query("UPDATE rate_limit_buckets SET filled_at = filled_at - interval '31 minutes'")
                .execute(connection)
                .unwrap()
        })
        .unwrap();
    ann.publish(&Package::new("three", "1.0.0")).good();
    assert_eq!(ann.publish(&Package::new("five", "1.0.0")).status, StatusCode::TOO_MANY_REQUESTS);
    ann.unyank("one", "1.0.0").good();
    registry.run_jobs();
}

#[test]
fn a_registry_has_rate_limits_unless_the_operator_removes_them() {
    for (arguments, expected) in
        [(&[][..], 429), (&["--rate-limit", "yank=unlimited"], 200), (&["--rate-limit", "none"], 200)]
    {
        let arguments = [&["--no-worker", "--publish-wait", "0s"], arguments].concat();
        let served = Served::start(&arguments);
        let token = served.token("ann");
        http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
        served
            .database
            .connect()
            .batch_execute(
                "INSERT INTO rate_limit_buckets (user_id, action, tokens, filled_at)
                 SELECT id, 'yank', 0, clock_timestamp() FROM users WHERE login = 'ann'",
            )
            .unwrap();
        let yank = format!("{}/api/v1/crates/foo/1.0.0/yank", served.url);
        let answered = http::delete_as(&yank, &token);
        assert_eq!(answered.status, expected, "{arguments:?}: {}", answered.text());
        if expected == 429 {
            assert!(answered.text().contains("may yank and unyank 1000 times in 1h"), "{}", answered.text());
            assert!(answered.retry_after.is_some_and(|wait| (3..=5).contains(&wait)), "{answered:?}");
        }
    }
}

#[test]
fn new_crates_can_be_left_to_admins_and_names_reserved() {
    let registry = TestRegistry::with(|settings| {
        settings.admission = Admission { new_crates: NewCrates::Admins, ..Admission::default() };
    });
    let ann = registry.user("ann");
    let refused = ann.publish(&Package::new("foo", "1.0.0"));
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    insta::assert_snapshot!(refused.detail(), @"the crate `foo` does not exist yet, and only admins of this registry may publish new crates: ask one to publish its first version and to add you to its owners");
    let root = registry.admin("root");
    root.publish(&Package::new("foo", "1.0.0")).good();
    change_owners(&root, Method::PUT, &json!({"users": ["ann"]})).good();
    ann.publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
}

// rule: 3
#[test]
fn a_name_that_an_operator_reserved_is_refused_with_the_reason() {
    use supercargo::database::catalog::reserved_names;
    let registry = TestRegistry::new();
    let name = "Acme-Core".parse().unwrap();
    registry.pool.with(|connection| reserved_names::reserve(connection, &name, "kept for acme").unwrap()).unwrap();
    let refused = registry.user("ann").publish(&Package::new("acme_core", "1.0.0"));
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    insta::assert_snapshot!(refused.detail(), @"the name `acme_core` is reserved in this registry (kept for acme): choose another name for the crate");
    registry.admin("root").publish(&Package::new("acme_core", "1.0.0")).good();
    registry.run_jobs();
}
