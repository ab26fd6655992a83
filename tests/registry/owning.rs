//! Owners: users, and teams whose members may publish and yank.

use axum::http::{Method, StatusCode};
use serde_json::json;
use supercargo::database::access::{teams, users};

use crate::support::cargo::Cargo;
use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

/// `foo` 1.0.0 of ann; bob, cid and dee; the team devs with cid.
fn with_foo() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    for login in ["bob", "cid", "dee"] {
        registry.user(login);
    }
    registry
        .pool
        .with(|connection| {
            let team = teams::create(connection, "devs").unwrap();
            let cid = users::find(connection, "cid").unwrap().unwrap();
            assert!(teams::add_member(connection, team.id, cid.id).unwrap());
        })
        .unwrap();
    registry
}

fn add(client: &Client<'_>, users: &[&str]) -> Answer {
    client.request(Method::PUT, "/api/v1/crates/foo/owners", json!({ "users": users }).to_string())
}

fn remove(client: &Client<'_>, users: &[&str]) -> Answer {
    client.request(Method::DELETE, "/api/v1/crates/foo/owners", json!({ "users": users }).to_string())
}

fn owners(client: &Client<'_>) -> Vec<String> {
    let list = client.get("/api/v1/crates/foo/owners").good().json();
    list["users"].as_array().unwrap().iter().map(|user| user["login"].as_str().unwrap().to_owned()).collect()
}

// protocol: 64
#[test]
fn owners_are_added_and_removed_with_a_message_each() {
    let registry = with_foo();
    let ann = registry.user("ann");
    let added = add(&ann, &["BOB", "team:devs", "ann"]).good().json();
    assert_eq!(added["ok"], true);
    insta::assert_snapshot!(added["msg"].as_str().unwrap(), @"bob is now an owner of foo, team:devs is now an owner of foo, ann is already an owner of foo");
    assert_eq!(owners(&ann), ["ann", "bob", "team:devs"]);
    let list = ann.get("/api/v1/crates/foo/owners").good().json();
    assert_eq!((&list["users"][2]["kind"], &list["users"][2]["name"]), (&json!("team"), &json!("devs")));
    let removed = remove(&ann, &["bob", "team:devs"]).good().json();
    assert_eq!(removed["ok"], true);
    insta::assert_snapshot!(removed["msg"].as_str().unwrap(), @"bob is no longer an owner of foo, team:devs is no longer an owner of foo");
    assert_eq!(owners(&ann), ["ann"]);
}

// protocol: 65
#[test]
fn the_last_user_among_the_owners_stays_even_beside_a_team() {
    let registry = with_foo();
    let ann = registry.user("ann");
    add(&ann, &["team:devs"]).good();
    let refused = remove(&ann, &["ann"]);
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    insta::assert_snapshot!(refused.detail(), @"`ann` is the last user among the owners of `foo`: add another user first, because teams cannot change owners");
    add(&ann, &["bob"]).good();
    let refused = remove(&ann, &["ann", "bob"]);
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(owners(&ann), ["ann", "bob", "team:devs"], "all of them or none");
    remove(&ann, &["ann"]).good();
    assert_eq!(add(&ann, &["ann"]).status, StatusCode::FORBIDDEN);
}

// rule: 7
#[test]
fn a_member_of_a_team_publishes_and_yanks_and_does_not_change_owners() {
    let registry = with_foo();
    let (ann, cid) = (registry.user("ann"), registry.user("cid"));
    assert_eq!(cid.publish(&Package::new("foo", "1.1.0")).status, StatusCode::FORBIDDEN);
    assert_eq!(cid.yank("foo", "1.0.0").status, StatusCode::FORBIDDEN);
    add(&ann, &["team:devs"]).good();
    cid.publish(&Package::new("foo", "1.1.0")).good();
    cid.yank("foo", "1.0.0").good();
    registry.run_jobs();
    let refused = add(&cid, &["cid"]);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    insta::assert_snapshot!(refused.detail(), @"`cid` may publish and yank `foo` as a member of a team, but cannot change its owners or settings: ask one of its owners (ann)");
    let stranger = registry.user("dee").publish(&Package::new("foo", "1.2.0"));
    insta::assert_snapshot!(stranger.detail(), @"`dee` is not an owner of the crate `foo`: ask one of its owners (ann, team:devs) to add you");
    registry
        .pool
        .with(|connection| {
            let team = teams::find(connection, "Devs").unwrap().unwrap();
            let cid = users::find(connection, "cid").unwrap().unwrap();
            assert!(teams::remove_member(connection, team.id, cid.id).unwrap());
        })
        .unwrap();
    assert_eq!(cid.publish(&Package::new("foo", "1.2.0")).status, StatusCode::FORBIDDEN);
}

#[test]
fn an_admin_changes_the_owners_of_any_crate_and_yanks_but_does_not_publish() {
    let registry = with_foo();
    let root = registry.admin("root");
    root.yank("foo", "1.0.0").good();
    registry.run_jobs();
    assert_eq!(root.publish(&Package::new("foo", "1.1.0")).status, StatusCode::FORBIDDEN);
    add(&root, &["root"]).good();
    root.publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
}

// protocol: 65
#[test]
fn who_is_unknown_or_nobody_is_refused_by_name() {
    let registry = with_foo();
    let ann = registry.user("ann");
    for (refused, text) in [
        (add(&ann, &["eve"]), "there is no user \"eve\""),
        (add(&ann, &["bob", "team:ops"]), "there is no team \"team:ops\""),
        (add(&ann, &["a\0b"]), "there is no user"),
    ] {
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text());
        assert!(refused.detail().contains(text), "{text}: {}", refused.detail());
    }
    let cases = [
        (add(&ann, &[]), "names no owner"),
        (add(&ann, &["bob"; 101]), "101 owners"),
        (remove(&ann, &["bob"]), "`bob` is not an owner of `foo`: see `cargo owner --list foo`"),
        (ann.request(Method::PUT, "/api/v1/crates/foo/owners", "{"), "cannot be read"),
        (ann.request(Method::PUT, "/api/v1/crates/foo/owners", r#"{"users":"bob"}"#), "users"),
    ];
    for (refused, text) in cases {
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text());
        assert!(refused.detail().contains(text), "{text}: {}", refused.detail());
    }
    assert_eq!(owners(&ann), ["ann"]);
    let missing = ann.request(Method::PUT, "/api/v1/crates/bar/owners", r#"{"users":["bob"]}"#);
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let anonymous = registry.anonymous();
    assert_eq!(add(&anonymous, &["bob"]).status, StatusCode::UNAUTHORIZED);
    assert_eq!(add(&registry.user("bob"), &["bob"]).status, StatusCode::FORBIDDEN);
}

// protocol: 64, 65
#[test]
fn cargo_owner_lists_adds_and_removes() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    served.run("admin user create", &["bob"]);
    served.run("admin team create", &["devs"]);
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let cargo = Cargo::new(&format!("sparse+{}/index/", served.url), &token);
    let owner =
        |arguments: &[&str]| cargo.good(".", &[&["owner", "--registry", "supercargo", "foo"], arguments].concat());
    let added = owner(&["--add", "bob", "--add", "team:devs"]);
    assert!(added.contains("bob is now an owner of foo, team:devs is now an owner of foo"), "{added}");
    let listed = owner(&["--list"]);
    assert!(listed.contains("ann\nbob\nteam:devs (devs)\n"), "{listed}");
    owner(&["--remove", "bob", "--remove", "team:devs"]);
    assert!(!owner(&["--list"]).contains("bob"));
    let refused = cargo.bad(".", &["owner", "--registry", "supercargo", "foo", "--remove", "ann"]);
    assert!(refused.contains("`ann` is the last user among the owners of `foo`"), "{refused}");
}
