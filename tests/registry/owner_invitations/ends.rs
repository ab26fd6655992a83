//! What ends an invitation, and what does not.

use axum::http::{Method, StatusCode};
use serde_json::json;
use supercargo::database::access::administrator::Administrator;
use supercargo::database::access::role::Role;
use supercargo::database::access::users;
use supercargo::database::catalog::ownership::Change;
use supercargo::database::catalog::user_changes;
use supercargo::jobs::leaving;

use super::{OF_FOO, add, answer, by_operator, change, execute, foo, invitations, inviting, operator, owners};
use crate::sign_in::logged;
use crate::support::harness::Client;
use crate::support::package::Package;

#[test]
fn an_invitation_expires_and_a_new_one_renews_it() {
    let registry = inviting();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    add(&ann, "bob");
    let foo = foo(&registry);
    execute(&registry, "UPDATE owner_invitations SET expires_at = now() - interval '1 second'");
    assert!(invitations(&bob).is_empty());
    assert_eq!(ann.get(OF_FOO).good().json()["crate_owner_invitations"], json!([]));
    for accepted in [true, false] {
        let refused = answer(&bob, &foo, accepted);
        assert_eq!(refused.status, StatusCode::GONE);
        assert!(refused.detail().contains("ask one of its owners to invite you again"), "{}", refused.detail());
    }
    let refused = change(&ann, Method::DELETE, &["bob"]);
    assert!(refused.detail().contains("`bob` is not an owner of `foo`"), "{}", refused.detail());
    assert_eq!(logged(&registry, &["owner-add", "owner-invite-withdraw", "owner-invite-decline"]), [""; 0]);
    add(&ann, "bob");
    let first = invitations(&bob);
    assert_eq!(first.len(), 1);
    answer(&bob, &foo, true).good();

    // One per crate and user, of the owner who invited last.
    registry.user("cid");
    add(&ann, "cid");
    add(&bob, "cid");
    let cid = registry.user("cid");
    let renewed = invitations(&cid);
    assert_eq!((renewed.len(), &renewed[0]["invited_by_username"]), (1, &json!("bob")));
}

#[test]
fn an_owner_withdraws_by_removing_and_anyone_else_cannot() {
    let registry = inviting();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    add(&ann, "bob");
    assert_eq!(change(&registry.user("eve"), Method::DELETE, &["bob"]).status, StatusCode::FORBIDDEN);
    assert_eq!(change(&bob, Method::DELETE, &["bob"]).status, StatusCode::FORBIDDEN, "the user declines");
    let removed = change(&ann, Method::DELETE, &["bob"]).good().json();
    assert_eq!(removed["msg"], "bob is no longer invited to be an owner of foo");
    assert!(invitations(&bob).is_empty());
    assert_eq!(answer(&bob, &foo(&registry), true).status, StatusCode::NOT_FOUND);
    assert_eq!(change(&ann, Method::DELETE, &["bob"]).status, StatusCode::BAD_REQUEST);
    assert_eq!(logged(&registry, &["owner-remove", "owner-invite-withdraw"]), ["owner-invite-withdraw by ann of bob"]);
    // All that a request names, or nothing.
    add(&ann, "bob");
    assert_eq!(change(&ann, Method::DELETE, &["bob", "ann"]).status, StatusCode::BAD_REQUEST);
    assert_eq!(invitations(&bob).len(), 1);
    assert_eq!(by_operator(&registry, Change::Remove), "bob is no longer invited to be an owner of foo");
    assert!(invitations(&bob).is_empty());
}

#[test]
fn disabled_users_cannot_accept_and_cannot_be_invited() {
    let registry = inviting();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    add(&ann, "bob");
    let set = |disabled: bool| {
        let set = |connection: &mut _| {
            let bob = users::find(connection, "bob").unwrap().unwrap();
            match disabled {
                true => drop(user_changes::disable(connection, &bob, &operator()).unwrap()),
                false => drop(user_changes::enable(connection, &bob, &operator()).unwrap()),
            }
        };
        registry.pool.with(set).unwrap();
    };
    set(true);
    assert_eq!(answer(&bob, &foo(&registry), true).status, StatusCode::FORBIDDEN);
    let refused = change(&ann, Method::PUT, &["bob"]);
    assert!(refused.detail().contains("the user `bob` is disabled"), "{}", refused.detail());
    set(false);
    answer(&bob, &foo(&registry), true).good();
    assert_eq!(owners(&registry), ["ann", "bob"]);
}

#[test]
fn users_who_may_only_read_are_not_invited_and_services_accept_with_a_token() {
    let registry = inviting();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    let give = |role: Role| {
        let give = |connection: &mut _| {
            let bob = users::find(connection, "bob").unwrap().unwrap();
            user_changes::set_role(connection, &bob, role, &operator()).unwrap()
        };
        assert!(registry.pool.with(give).unwrap());
    };
    for role in [Role::ReadOnly, Role::Auditor] {
        add(&ann, "bob");
        give(role);
        for accepted in [true, false] {
            let refused = answer(&bob, &foo(&registry), accepted);
            assert_eq!(refused.status, StatusCode::FORBIDDEN);
            assert!(refused.detail().contains("may only read"), "{}", refused.detail());
        }
        assert_eq!(invitations(&bob).len(), 1);
        let refused = change(&ann, Method::PUT, &["bob"]);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        let expected = format!("`bob` has the role `{role}`, and cannot accept an invitation");
        assert!(refused.detail().starts_with(&expected), "{}", refused.detail());
        change(&ann, Method::DELETE, &["bob"]).good();
        give(Role::Member);
    }
    give(Role::Service);
    add(&ann, "bob");
    answer(&bob, &foo(&registry), true).good();
    assert_eq!(owners(&registry), ["ann", "bob"]);
}

#[test]
fn a_deleted_crate_and_a_removed_user_leave_no_invitation() {
    let registry = inviting();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    let foo = foo(&registry);
    add(&ann, "bob");
    let deleted = ann.request(Method::DELETE, "/api/v1/crates/foo?message=x", "");
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    registry.run_jobs();
    assert!(invitations(&bob).is_empty());
    assert_eq!(answer(&bob, &foo, true).status, StatusCode::NOT_FOUND);
    execute(&registry, "UPDATE crates SET name_released = true WHERE name = 'foo'");
    let eve = registry.user("eve");
    eve.publish(&Package::new("foo", "2.0.0")).good();
    registry.run_jobs();
    assert_eq!(answer(&bob, &foo, true).status, StatusCode::NOT_FOUND, "the crate is of another user");
    assert_eq!(owners(&registry), ["eve"]);

    // What a removed user had, and what the user sent.
    add(&eve, "bob");
    let of_bar = json!({ "users": ["eve"] }).to_string();
    let invite = |client: &Client<'_>| client.request(Method::PUT, "/api/v1/crates/bar/owners", of_bar.clone());
    invite(&ann).good();
    registry.admin("root");
    let remove = |login: &str| {
        let remove = |connection: &mut _| {
            let user = users::find(connection, login).unwrap().unwrap();
            let to = supercargo::database::catalog::owners::Owner::find(connection, "root").unwrap().unwrap();
            leaving::remove(connection, &user, &[to], Administrator::Operator(&operator())).unwrap().unwrap();
        };
        registry.pool.with(remove).unwrap();
    };
    remove("ann");
    assert!(invitations(&eve).is_empty());
    invite(&registry.admin("root")).good();
    remove("bob");
    let pending = eve.get(OF_FOO).good().json();
    assert_eq!(pending["crate_owner_invitations"], json!([]));
    assert_eq!(
        logged(&registry, &["owner-invite-withdraw"]),
        ["owner-invite-withdraw by ops@host of bob", "owner-invite-withdraw by ops@host of eve"]
    );
}

#[test]
fn the_right_of_the_one_who_invited_does_not_matter() {
    let registry = inviting();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    change(&registry.admin("root"), Method::PUT, &["root"]).good();
    add(&ann, "bob");
    change(&registry.admin("root"), Method::DELETE, &["ann"]).good();
    answer(&bob, &foo(&registry), true).good();
    assert_eq!(owners(&registry), ["bob", "root"]);
}
