//! Removing a user who leaves, on the page of the user.

use axum::http::StatusCode;
use diesel::RunQueryDsl;
use supercargo::database::access::{teams, users};

use super::{Browser, said};
use crate::sign_in::{logged, place, send, set_password};
use crate::support::harness::{Answer, TestRegistry};
use crate::support::package::Package;

const PASSWORD: &str = "correct horse battery staple";
const ANN: &str = "/admin/users/ann";

/// A registry in which ann owns `alone`, `shared` together with bob, and is a member of a team.
fn filled() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.admin("root");
    registry.user("bob");
    registry.user("cat");
    let ann = registry.user("ann");
    for name in ["alone", "shared"] {
        ann.publish(&Package::new(name, "1.0.0")).good();
    }
    registry.run_jobs();
    let fill = |connection: &mut diesel::PgConnection| {
        let ann = users::find(connection, "ann").unwrap().unwrap();
        let crew = teams::create(connection, "crew").unwrap();
        assert!(teams::add_member(connection, crew.id, ann.id).unwrap());
    };
    registry.pool.with(fill).unwrap();
    execute(
        &registry,
        "INSERT INTO crate_owners (crate_id, user_id)
         SELECT crates.id, users.id FROM crates, users WHERE crates.name = 'shared' AND users.login = 'bob'",
    );
    registry
}

fn execute(registry: &TestRegistry, statement: &str) -> usize {
    registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap()
}

fn remove(root: &mut Browser<'_>, to: &str) -> Answer {
    send(root, ANN, "/admin/users/ann/remove", &[("to", to)])
}

fn owners(registry: &TestRegistry, name: &str) -> Vec<String> {
    let path = format!("/api/v1/crates/{name}/owners");
    let owners = registry.user("cat").get(&path).good().json();
    owners["users"].as_array().unwrap().iter().map(|owner| owner["login"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_user_who_leaves_hands_over_the_crates() {
    let registry = filled();
    let ann = registry.user("ann");
    let mut of_ann = set_password(&registry, "ann", PASSWORD);
    let mut root = set_password(&registry, "root", PASSWORD);
    let html = root.get(ANN).good().text();
    let (_, form) = html.split_once("id=\"remove\"").unwrap();
    // Of the crates, one needs another user, and the page says so first.
    assert!(
        form.contains("is the only active user among the owners of <a href=\"/crates/alone/settings\">alone</a>:"),
        "{form}"
    );
    assert!(!form.contains("shared") && form.contains(" required"), "{form}");
    assert_eq!(place(&remove(&mut root, "bob, team:crew")), "/admin/users/ann?notice=removed");
    assert_eq!(
        (owners(&registry, "alone"), owners(&registry, "shared")),
        (vec!["bob".to_owned(), "team:crew".to_owned()], vec!["bob".to_owned(), "team:crew".to_owned()])
    );
    assert_eq!(ann.get("/api/v1/me").status, StatusCode::FORBIDDEN);
    assert!(!of_ann.get("/").good().text().contains("Signed in as"));
    let html = root.get(ANN).good().text();
    assert!(
        html.contains("removed") && !html.contains("Remove the user") && html.contains("Enable the user"),
        "{html}"
    );
    // Once more, as by a second click.
    assert_eq!(place(&remove(&mut root, "bob")), "/admin/users/ann?notice=same");
    assert_eq!(logged(&registry, &["user-remove"]), ["user-remove by root of ann"]);
    assert_eq!(
        logged(&registry, &["owner-add", "owner-remove"]).iter().filter(|entry| entry.contains("by root")).count(),
        5
    );
}

#[test]
fn wrong_owners_are_refused_and_nothing_is_half_done() {
    let registry = filled();
    let mut root = set_password(&registry, "root", PASSWORD);
    execute(&registry, "UPDATE users SET disabled_at = now() WHERE login = 'cat'");
    for (to, status, why) in [
        (
            "",
            StatusCode::CONFLICT,
            "`ann` is the only active user among the owners of alone: name a user who becomes an owner",
        ),
        ("team:crew", StatusCode::CONFLICT, "because teams cannot change owners"),
        ("ann", StatusCode::CONFLICT, "`ann` cannot take over its own crates: name another user or team"),
        ("cat", StatusCode::CONFLICT, "The user `cat` is disabled"),
        ("bob nobody", StatusCode::NOT_FOUND, "There is no user \"nobody\" in this registry"),
        ("bob,team:none", StatusCode::NOT_FOUND, "There is no team \"team:none\" in this registry"),
    ] {
        let refused = remove(&mut root, to);
        let html = refused.text();
        assert!(said(&html).replace("&quot;", "\"").contains(why), "{to}: {html}");
        assert!(html.contains(&format!("value=\"{to}\"")) || to.is_empty(), "{to}: {html}");
        assert_eq!(refused.status, status, "{to}");
    }
    execute(&registry, "UPDATE users SET disabled_at = NULL WHERE login = 'cat'");
    assert_eq!((owners(&registry, "alone").len(), owners(&registry, "shared").len()), (1, 2));
    registry.user("ann").get("/api/v1/me").good();
    assert_eq!(logged(&registry, &["user-remove", "token-revoke"]), Vec::<String>::new());
}

/// The own user is not removed, so one admin stays: the other one.
#[test]
fn the_last_admin_stays() {
    let registry = filled();
    let mut root = set_password(&registry, "root", PASSWORD);
    let html = root.get("/admin/users/root").good().text();
    assert!(!html.contains("Remove the user"), "{html}");
    let refused = send(&mut root, "/admin/users", "/admin/users/root/remove", &[("to", "bob")]);
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text().contains("This is your own user: another admin has to change it"), "{}", refused.text());
    root.get("/admin/users").good();
    assert_eq!(send(&mut root, "/admin/users", "/admin/users/nobody/remove", &[]).status, StatusCode::NOT_FOUND);
    assert_eq!(logged(&registry, &["user-remove"]), Vec::<String>::new());
}

/// Somebody without crates needs no new owners, and a disabled user is removed as well.
#[test]
fn a_disabled_user_without_crates_is_removed() {
    let registry = filled();
    let mut root = set_password(&registry, "root", PASSWORD);
    execute(&registry, "UPDATE users SET disabled_at = now() WHERE login = 'cat'");
    let page = "/admin/users/cat";
    let html = root.get(page).good().text();
    assert!(html.contains("Remove the user") && !html.contains("name=\"to\""), "{html}");
    assert_eq!(place(&send(&mut root, page, "/admin/users/cat/remove", &[])), "/admin/users/cat?notice=removed");
    assert_eq!(logged(&registry, &["user-remove"]), ["user-remove by root of cat"]);
}
