//! Who administers through the API.

use axum::http::{Method, StatusCode};
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::users;

use super::{provisioner, refused, scoped};
use crate::support::harness::TestRegistry;

/// Every change, with a body that is good.
fn changes() -> Vec<(Method, &'static str, Value)> {
    vec![
        (Method::POST, "users", json!({ "login": "new" })),
        (Method::PATCH, "users/ann", json!({ "role": "auditor" })),
        (Method::DELETE, "users/ann", json!(null)),
        (Method::POST, "users/ann/sign-in-link", json!({})),
        (Method::DELETE, "users/ann/sessions", json!(null)),
        (Method::POST, "users/ann/tokens", json!({ "api_token": { "name": "x" } })),
        (Method::DELETE, "tokens/1", json!(null)),
        (Method::POST, "teams", json!({ "name": "devs" })),
        (Method::DELETE, "teams/ops", json!(null)),
        (Method::PUT, "teams/ops/members/ann", json!(null)),
        (Method::DELETE, "teams/ops/members/ann", json!(null)),
        (Method::PUT, "reserved-names/acme", json!({ "reason": "ours" })),
        (Method::DELETE, "reserved-names/acme", json!(null)),
        (Method::PUT, "crate-limits/acme", json!({ "features": 5 })),
    ]
}

const READS: [&str; 10] = [
    "users",
    "users/ann",
    "users/ann/tokens",
    "teams",
    "teams/ops",
    "reserved-names",
    "crate-limits",
    "crate-limits/acme",
    "jobs",
    "audit",
];

const CHANGES_OF_JOBS: [(&str, &str); 3] =
    [("jobs/1/retry", ""), ("jobs/1/discard", r#"{"reason": "x"}"#), ("jobs/retry-dead", r#"{"kind": "x"}"#)];

fn with_a_team() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.user("ann");
    let root = provisioner(&registry);
    root.send_json(Method::POST, "teams", &json!({ "name": "ops" })).good();
    registry
}

fn rows(registry: &TestRegistry) -> Vec<(String, i64)> {
    use diesel::prelude::*;
    use diesel::sql_types::BigInt;
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let tables = ["users", "teams", "team_members", "reserved_names", "crate_limits", "api_tokens", "audit_log"];
    let count = |table: &&str| {
        let query = format!("SELECT count(*) FROM {table}");
        let row: Row =
            registry.pool.with(|connection| diesel::sql_query(query).get_result(connection).unwrap()).unwrap();
        ((*table).to_owned(), row.count)
    };
    tables.iter().map(count).collect()
}

#[test]
fn an_unrestricted_token_of_an_admin_sees_everything_and_changes_only_jobs() {
    let registry = with_a_team();
    let root = registry.admin("root");
    let before = rows(&registry);
    for (method, path, body) in changes() {
        let detail = refused(&root.send_json(method.clone(), path, &body), StatusCode::FORBIDDEN);
        assert!(detail.contains("needs the scope administer"), "{method} {path}: {detail}");
    }
    assert_eq!(rows(&registry), before);
    for path in READS {
        root.administer(Method::GET, path).good();
    }
    for (path, body) in CHANGES_OF_JOBS {
        let answer = root.request(Method::POST, &format!("/api/v1/admin/{path}"), body);
        assert_ne!(answer.status, StatusCode::FORBIDDEN, "{path}: {}", answer.text());
    }
    insta::assert_snapshot!(refused(&root.send_json(Method::POST, "users", &json!({ "login": "new" })), StatusCode::FORBIDDEN), @"the token `test` may not change users, teams and names: that needs the scope administer, which tokens without restrictions do not have. An operator creates one with `supercargo admin token create --user root --scope administer`, and an admin on the page /me/tokens/new");
}

#[test]
fn nobody_else_sees_or_changes_anything() {
    let registry = with_a_team();
    registry.admin("root");
    registry.admin("bob");
    let former = registry.user_with("bob", scoped(&["administer"]));
    let for_crates = registry.user_with("root", NewToken { name: "for crates".to_owned(), ..scoped(&["administer"]) });
    // As older programs may have left them.
    let change = "UPDATE users SET is_admin = false WHERE login = 'bob';
        UPDATE api_tokens SET crate_patterns = '{acme-*}' WHERE name = 'for crates'";
    registry.pool.with(|connection| connection.batch_execute(change).unwrap()).unwrap();
    let clients = [
        ("no admin", registry.user("ann")),
        ("no admin with the scope", former),
        ("an admin with another scope", registry.user_with("root", scoped(&["yank", "change-owners"]))),
        ("an admin with the scope for some crates", for_crates),
    ];
    let before = rows(&registry);
    for (who, client) in &clients {
        for (method, path, body) in changes() {
            let answer = client.send_json(method.clone(), path, &body);
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{who}: {method} {path}: {}", answer.text());
        }
        for path in READS {
            let answer = client.administer(Method::GET, path);
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{who}: {path}: {}", answer.text());
        }
        for (path, body) in CHANGES_OF_JOBS {
            let answer = client.request(Method::POST, &format!("/api/v1/admin/{path}"), body);
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{who}: {path}: {}", answer.text());
        }
    }
    for (method, path, body) in changes() {
        let answer = registry.anonymous().send_json(method, path, &body);
        assert!(
            [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
    }
    assert_eq!(rows(&registry), before);
}

#[test]
fn the_scope_gives_no_other_right() {
    let registry = with_a_team();
    let root = provisioner(&registry);
    let publish = root.publish(&crate::support::package::Package::new("foo", "1.0.0"));
    assert!(refused(&publish, StatusCode::FORBIDDEN).contains("needs the scope"));
    assert_eq!(root.get("/api/v1/me/tokens").status, StatusCode::FORBIDDEN);
    assert_eq!(root.request(Method::DELETE, "/api/v1/crates/foo?message=x", "").status, StatusCode::FORBIDDEN);
    let webhook = json!({ "url": "https://example.org/" }).to_string();
    assert_eq!(root.request(Method::POST, "/api/v1/webhooks", webhook).status, StatusCode::FORBIDDEN);
}

#[test]
fn no_token_makes_one_that_administers() {
    let registry = TestRegistry::new();
    let root = registry.admin("root");
    let wanted = json!({ "api_token": { "name": "more", "endpoint_scopes": ["administer"] } }).to_string();
    let answer = root.request(Method::PUT, "/api/v1/me/tokens", wanted);
    insta::assert_snapshot!(refused(&answer, StatusCode::FORBIDDEN), @"tokens with the scope administer are created by an operator, with `supercargo admin token create`, or on the page /me/tokens/new by an admin who has just signed in");
    let asked = registry.anonymous().request(
        Method::POST,
        "/api/v1/oauth/device",
        "client_id=cargo-credential-supercargo&scope=administer",
    );
    assert_eq!((asked.status, &asked.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_scope")));
    let tokens = root.get("/api/v1/me/tokens").good().json();
    assert_eq!(tokens["api_tokens"].as_array().unwrap().len(), 1);
}

#[test]
fn a_demoted_admin_changes_nothing() {
    let registry = with_a_team();
    let root = provisioner(&registry);
    registry.pool.with(|connection| connection.batch_execute("UPDATE users SET is_admin = false").unwrap()).unwrap();
    let detail = refused(&root.send_json(Method::POST, "users", &json!({ "login": "new" })), StatusCode::FORBIDDEN);
    assert!(detail.contains("`root` is not an admin"), "{detail}");
}

#[test]
fn a_token_that_would_administer_nothing_is_not_created() {
    let registry = TestRegistry::new();
    registry.admin("root");
    registry.user("ann");
    let create = |login: &str, token: NewToken| {
        let created = registry.pool.with(|connection| {
            let user = users::find(connection, login).unwrap().unwrap();
            token.create(connection, user.id)
        });
        created.unwrap().err().map(|error| error.to_string())
    };
    assert_eq!(create("root", scoped(&["administer"])), None);
    let crates = NewToken { crate_patterns: Some(vec!["acme-*".parse().unwrap()]), ..scoped(&["administer"]) };
    insta::assert_snapshot!(create("root", crates).unwrap(), @"a token with the scope administer cannot be restricted to crates: leave out one of the two");
    insta::assert_snapshot!(create("ann", scoped(&["administer"])).unwrap(), @"`ann` is no admin, so a token with the scope administer would do nothing: make the user an admin first");
}

#[test]
fn a_demoted_admin_loses_the_tokens_that_administer() {
    let registry = TestRegistry::new();
    let root = provisioner(&registry);
    registry.admin("bob");
    let bob = registry.user_with("bob", scoped(&["administer"]));
    for role in ["member", "admin"] {
        root.send_json(Method::PATCH, "users/bob", &json!({ "role": role })).good();
    }
    let answer = bob.administer(Method::GET, "users");
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
    assert!(answer.detail().contains("revoked"), "{}", answer.text());
    // The others stay.
    registry.user("bob").get("/api/v1/me").good();
}
