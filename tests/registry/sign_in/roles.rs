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

/// A user for a program, which publishes and has no pages.
#[test]
fn a_service_account_has_tokens_and_no_way_to_sign_in() {
    let registry = TestRegistry::new();
    let (ci, root) = (registry.user("ci"), registry.admin("root"));
    let mut browser = set_password(&registry, "ci", "correct horse battery staple");
    assert!(browser.get("/me").good().text().contains("Your role is member."));
    let open = super::link(&registry, "ci");
    let operator = supercargo::database::access::audit::Actor::operator("ops@host".to_owned());
    let set_role = |login: &str, role: Role| {
        let set = |connection: &mut diesel::PgConnection| {
            supercargo::admin::users::set_role(connection, &operator, login, role).map_err(|error| error.to_string())
        };
        registry.pool.with(set).unwrap()
    };
    set_role("ci", Role::Service).unwrap();
    assert!(set_role("root", Role::Service).unwrap_err().contains("demote first"));
    // What it had is gone, and its tokens work.
    assert!(!browser.get("/").good().text().contains("Signed in as"));
    assert_eq!(crate::pages::Browser::new(&registry).get(&open).status, StatusCode::FORBIDDEN);
    ci.publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    ci.yank("demo", "1.0.0").good();
    registry.run_jobs();
    let refused = crate::pages::Browser::new(&registry).sign_in(ci.token.as_ref().unwrap());
    assert!(refused.text().contains("This token is of a service account"), "{}", refused.text());
    let mut browser = crate::pages::Browser::new(&registry);
    let form_token = crate::pages::field(&browser.get("/sign-in").good().text(), "form_token");
    let password = [("form_token", &*form_token), ("login", "ci"), ("password", "correct horse battery staple")];
    assert!(browser.post("/sign-in/password", &password).text().contains("this user has no password"));
    // No link is made for it, on a page or by an operator.
    let mut of_root = set_password(&registry, "root", "another correct battery staple");
    let page = "/admin/users/ci";
    let refused = send(&mut of_root, page, "/admin/users/ci/sign-in-link", &[]);
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text().contains("is a service account, which cannot sign in"), "{}", refused.text());
    assert_eq!(
        place(&send(&mut of_root, page, "/admin/users/ci/role", &[("role", "member")])),
        "/admin/users/ci?notice=role"
    );
    super::link(&registry, "ci");
    drop(root);
}

/// A password could be set while the role is changed.
#[test]
fn a_service_account_with_a_password_does_not_sign_in() {
    use supercargo::database::access::sessions::Origin;
    use supercargo::database::sign_in::begin;
    let registry = TestRegistry::new();
    registry.user("ci");
    give(&registry, "ci", Role::Service);
    let refused = registry.pool.with(|connection| {
        let user = users::find(connection, "ci").unwrap().unwrap();
        let arrival =
            begin::Arrival { from: (None, None), origin: Origin { address: None, browser: None }, before: None };
        begin::begin_as(connection, user.id, "password", &arrival).map(drop).unwrap_err().to_string()
    });
    assert_eq!(
        refused.unwrap(),
        "`ci` is a service account, which cannot sign in: give its programs tokens, with `supercargo admin token create --user ci`"
    );
}
