//! What the claims of an account are made of here, at each sign-in.

use axum::http::{Method, StatusCode};
use serde_json::json;
use supercargo::database::access::role::Role;
use supercargo::database::access::teams;

use super::{Site, logged, place};
use crate::support::package::Package;

fn teams_of(site: &Site, login: &str) -> Vec<String> {
    let user = site.user(login).unwrap().id;
    let teams = site.registry.pool.with(|connection| teams::of_user(connection, user).unwrap()).unwrap();
    teams.into_iter().map(|team| team.name).collect()
}

#[test]
fn teams_follow_groups_and_a_lost_group_is_lost_here() {
    let site = Site::new("new-users = \"create\"\n[teams]\n\"rust devs\" = \"devs\"\n\"ops\" = \"ops\"");
    site.account("1", "ann", &["rust devs", "ops", "chess"]);
    let (mut ann, answer) = site.sign_in("1");
    assert_eq!(place(&answer), "/me");
    assert_eq!(teams_of(&site, "ann"), ["devs", "ops"]);
    // A membership that an operator has given is none of the provider's.
    let user = site.user("ann").unwrap().id;
    let own = site.registry.pool.with(|connection| {
        let team = teams::create(connection, "friends").unwrap();
        teams::add_member(connection, team.id, user).unwrap()
    });
    assert!(own.unwrap());
    // Ops own a crate, which ann may publish as long as she is in the group.
    let boss = site.registry.user("boss");
    boss.publish(&Package::new("ops-core", "1.0.0")).good();
    site.registry.run_jobs();
    boss.request(Method::PUT, "/api/v1/crates/ops-core/owners", json!({ "users": ["team:ops"] }).to_string()).good();
    let token = site.registry.user("ann");
    token.publish(&Package::new("ops-core", "1.0.1")).good();
    site.registry.run_jobs();
    site.account("1", "ann", &["rust devs"]);
    assert_eq!(place(&site.sign_in("1").1), "/me");
    assert_eq!(teams_of(&site, "ann"), ["devs", "friends"]);
    assert_eq!(token.publish(&Package::new("ops-core", "1.0.2")).status, StatusCode::FORBIDDEN);
    assert!(ann.get("/me").good().text().contains("Signed in as ann"), "the session of before goes on");
    assert_eq!(
        logged(&site.registry, &["team-member-add", "team-member-remove", "team-create"]),
        [
            "team-member-remove by ann of ops",
            "team-member-add by ann of ops",
            "team-create by ann of ops",
            "team-member-add by ann of devs",
            "team-create by ann of devs",
        ]
    );
}

#[test]
fn admins_follow_groups_at_once_in_sessions_and_tokens() {
    let site = Site::new("new-users = \"create\"\nadmin-groups = [\"registry admins\"]");
    site.account("1", "ann", &["registry admins"]);
    let (mut first, _) = site.sign_in("1");
    assert!(site.user("ann").unwrap().is_admin);
    assert_eq!(first.get("/queue").status, StatusCode::OK);
    let token = site.registry.user("ann");
    token.get("/api/v1/admin/audit").good();
    site.account("1", "ann", &[]);
    assert_eq!(place(&site.sign_in("1").1), "/me");
    assert!(!site.user("ann").unwrap().is_admin);
    // The session that began as an admin's, and the token.
    assert_eq!(first.get("/queue").status, StatusCode::FORBIDDEN);
    assert_eq!(token.get("/api/v1/admin/audit").status, StatusCode::FORBIDDEN);
    site.account("1", "ann", &["registry admins"]);
    assert_eq!(place(&site.sign_in("1").1), "/me");
    assert_eq!(first.get("/queue").status, StatusCode::OK);
    assert_eq!(
        logged(&site.registry, &["user-promote", "user-demote"]),
        ["user-promote by ann of ann", "user-demote by ann of ann", "user-promote by ann of ann"]
    );
}

#[test]
fn an_admin_of_an_operator_stays_one_if_the_file_names_no_groups() {
    let site = Site::new("existing-users = \"by-login\"");
    site.registry.admin("ann");
    site.account("1", "ann", &[]);
    assert_eq!(place(&site.sign_in("1").1), "/me");
    assert!(site.user("ann").unwrap().is_admin);
}

#[test]
fn roles_follow_groups_and_an_admin_is_a_member() {
    let site = Site::new(
        "new-users = \"create\"\nadmin-groups = [\"admins\"]\nauditor-groups = [\"auditors\"]\nread-only-groups = [\"guests\"]",
    );
    for (groups, is_admin, role) in [
        (&["guests"][..], false, Role::ReadOnly),
        (&["guests", "auditors"], false, Role::Auditor),
        (&["admins", "guests"], true, Role::Member),
        (&["guests"], false, Role::ReadOnly),
        (&[], false, Role::Member),
    ] {
        site.account("1", "ann", groups);
        assert_eq!(place(&site.sign_in("1").1), "/me");
        let ann = site.user("ann").unwrap();
        assert_eq!((ann.is_admin, ann.role), (is_admin, role), "{groups:?}");
    }
}

#[test]
fn an_account_that_may_not_sign_in_is_refused_with_what_is_missing() {
    let site = Site::new(
        "new-users = \"create\"\nallowed-groups = [\"rust\", \"ops\"]\n[required-claims]\nemail_verified = \"true\"",
    );
    site.account("1", "ann", &["chess"]);
    let refused = site.sign_in("1").1;
    assert!(refused.text().contains("is in no group at acme SSO that may sign in here"), "{}", refused.text());
    site.provider.account("1", &json!({ "preferred_username": "ann", "email_verified": false, "groups": ["rust"] }));
    let refused = site.sign_in("1").1;
    assert!(
        crate::pages::said(&refused.text()).contains("says that its `email_verified` is false"),
        "{}",
        refused.text()
    );
    site.provider.account("1", &json!({ "preferred_username": "ann", "email_verified": true, "groups": ["rust"] }));
    assert_eq!(place(&site.sign_in("1").1), "/me");
    // Who has lost the group keeps the session until it ends, and begins no other.
    site.account("1", "ann", &[]);
    assert_eq!(site.sign_in("1").1.status, StatusCode::FORBIDDEN);
}

#[test]
fn a_login_that_is_an_address_has_to_be_verified() {
    let site = Site::new("new-users = \"create\"\nlogin-claim = \"email\"");
    let claims =
        |verified| json!({ "preferred_username": "ann", "email": "ann@acme.example", "email_verified": verified });
    site.provider.account("1", &claims(false));
    let refused = site.sign_in("1").1;
    assert!(refused.text().contains("is not verified at acme SSO"), "{}", refused.text());
    site.provider.account("1", &claims(true));
    assert_eq!(place(&site.sign_in("1").1), "/me");
    assert!(site.user("ann@acme.example").is_some());
}

#[test]
fn a_login_that_cannot_be_one_is_refused_with_the_claim() {
    let site = Site::new("new-users = \"create\"");
    site.account("1", "Ann Example", &[]);
    let refused = site.sign_in("1").1;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text().contains("login-claim"), "{}", refused.text());
    site.provider.account("2", &json!({ "email": "ann@acme.example" }));
    let refused = site.sign_in("2").1;
    assert!(crate::pages::said(&refused.text()).contains("has no claim `preferred_username`"), "{}", refused.text());
}
