//! What users of other roles than members may do.

use axum::http::{Method, StatusCode};
use serde_json::json;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::role::Role;
use supercargo::database::access::scope::Scope;
use supercargo::database::access::users;

use super::{place, send, set_password};
use crate::pages::field;
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

fn give(registry: &TestRegistry, login: &str, role: Role) {
    registry
        .pool
        .with(|connection| {
            let user = users::find(connection, login).unwrap().unwrap();
            assert!(users::set_role(connection, user.id, role).unwrap());
        })
        .unwrap();
}

#[test]
fn a_read_only_user_changes_nothing_whatever_the_token_and_the_rights() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    registry.user("bob");
    ann.publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    let mut browser = set_password(&registry, "ann", "correct horse battery staple");
    for role in [Role::ReadOnly, Role::Auditor] {
        give(&registry, "ann", role);
        let refused = ann.publish(&Package::new("demo", "1.0.1"));
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.text().contains("and may only read"), "{}", refused.text());
        for refused in [
            ann.publish(&Package::new("new", "1.0.0")),
            ann.yank("demo", "1.0.0"),
            ann.unyank("demo", "1.0.0"),
            ann.request(Method::PUT, "/api/v1/crates/demo/owners", json!({ "users": ["bob"] }).to_string()),
            ann.request(Method::DELETE, "/api/v1/crates/demo?message=x", ""),
            ann.request(
                Method::PATCH,
                "/api/v1/crates/demo",
                json!({ "crate": { "trustpub_only": true } }).to_string(),
            ),
            ann.request(Method::POST, "/api/v1/release-sets", json!({ "release_set": { "name": "set" } }).to_string()),
        ] {
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
        }
        // Its own tokens and sign-in are no change of the registry.
        ann.request(Method::PUT, "/api/v1/me/tokens", json!({ "api_token": { "name": "reads" } }).to_string()).good();
        ann.get("/api/v1/crates/demo").good();
        let answer =
            send(&mut browser, "/me/tokens/new", "/me/tokens/new", &[("name", "x"), ("scope", "read"), ("days", "7")])
                .good();
        assert!(answer.text().contains("sct_"));
        // A session without a token has no more rights than the role.
        let owner = [("change", "add"), ("owner", "bob")];
        let refused = send(&mut browser, "/me", "/crates/demo/settings/owners", &owner);
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.text().contains("may only read"), "{}", refused.text());
        let scoped = NewToken { scopes: Some(vec![Scope::Read]), ..NewToken::named("reader") };
        let scoped = registry.user_with("ann", scoped).get("/api/v1/admin/audit");
        assert_eq!(scoped.status, StatusCode::FORBIDDEN, "{role}: {}", scoped.text());
        let audit = ann.get("/api/v1/admin/audit").status;
        assert_eq!(audit == StatusCode::OK, role == Role::Auditor, "{role}");
    }
    give(&registry, "ann", Role::Member);
    ann.publish(&Package::new("demo", "1.0.1")).good();
    registry.run_jobs();
}

/// The role was read when the request began, and is read again in the transaction of the change.
#[test]
fn a_session_of_a_member_who_becomes_read_only_is_read_only() {
    let registry = TestRegistry::new();
    let admin = registry.admin("root");
    let mut browser = set_password(&registry, "ann", "correct horse battery staple");
    registry.user("ann").publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    drop(admin);
    let html = browser.get("/me").good().text();
    assert!(html.contains("member"), "{html}");
    let form_token = field(&html, "form_token");
    give(&registry, "ann", Role::ReadOnly);
    assert!(browser.get("/me").good().text().contains("read-only"));
    let ended = browser.post("/me/sessions/end-others", &[("form_token", &form_token)]);
    assert_eq!(place(&ended), "/me?notice=ended-others");
}
