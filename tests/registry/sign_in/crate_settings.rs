//! The settings of a crate: owners, and trusted publishers.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{place, send, set_password};
use crate::pages::Browser;
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

const PASSWORD: &str = "correct horse battery staple";
const SETTINGS: &str = "/crates/demo/settings";

fn with_demo() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    registry
}

fn owners(registry: &TestRegistry) -> Vec<String> {
    let owners = registry.anonymous().get("/api/v1/crates/demo/owners").good().json();
    owners["users"].as_array().unwrap().iter().map(|user| user["login"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_owner_adds_and_removes_owners() {
    let registry = with_demo();
    registry.user("bob");
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let mut change = |change: &str, owner: &str| {
        send(&mut ann, SETTINGS, "/crates/demo/settings/owners", &[("change", change), ("owner", owner)])
    };
    assert_eq!(place(&change("add", "bob")), "/crates/demo/settings?notice=done");
    assert_eq!(owners(&registry), ["ann", "bob"]);
    assert_eq!(place(&change("remove", "bob")), "/crates/demo/settings?notice=done");
    assert_eq!(owners(&registry), ["ann"]);
    for (what, owner, status) in [
        ("add", "nobody", StatusCode::NOT_FOUND),
        ("remove", "ann", StatusCode::BAD_REQUEST),
        ("give", "bob", StatusCode::BAD_REQUEST),
    ] {
        let refused = change(what, owner);
        assert_eq!(refused.status, status, "{owner}: {}", refused.text());
    }
    assert_eq!(owners(&registry), ["ann"]);
}

#[test]
fn only_owners_and_admins_see_and_change_them() {
    let registry = with_demo();
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let add = [("provider", "github"), ("repository", "acme/demo"), ("workflow", "release.yml")];
    send(&mut ann, SETTINGS, "/crates/demo/settings/publishers", &add);
    let html = ann.get(SETTINGS).good().text();
    let id = html.split_once("name=\"id\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let mut eve = set_password(&registry, "eve", PASSWORD);
    assert_eq!(eve.get(SETTINGS).status, StatusCode::FORBIDDEN);
    for (path, fields) in [
        ("owners", &[("change", "add"), ("owner", "eve")][..]),
        ("publishers", &[("provider", "github"), ("repository", "eve/demo"), ("workflow", "x.yml")]),
        ("publishers/remove", &[("id", &*id)]),
        ("restriction", &[("trustpub_only", "true")]),
    ] {
        let refused = send(&mut eve, "/me", &format!("{SETTINGS}/{path}"), fields);
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}: {}", refused.text());
    }
    let html = ann.get(SETTINGS).good().text();
    assert!(html.contains("release.yml in acme/demo") && !html.contains("eve/demo"), "{html}");
    assert_eq!(owners(&registry), ["ann"]);
    registry.admin("root");
    set_password(&registry, "root", PASSWORD).get(SETTINGS).good();
    assert_eq!(eve.get("/crates/nothing/settings").status, StatusCode::NOT_FOUND);
    assert!(place(&Browser::new(&registry).get(SETTINGS)).starts_with("/sign-in?to="));
}

#[test]
fn an_owner_who_has_just_signed_in_lets_tokens_publish_again_and_a_token_does_not() {
    let registry = with_demo();
    let token = registry.user("ann");
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let add = [("provider", "github"), ("repository", "acme/demo"), ("workflow", "release.yml")];
    assert_eq!(
        place(&send(&mut ann, SETTINGS, "/crates/demo/settings/publishers", &add)),
        "/crates/demo/settings?notice=done"
    );
    assert!(ann.get(SETTINGS).good().text().contains("release.yml in acme/demo"));
    let restrict = |browser: &mut Browser<'_>, only: &str| {
        send(browser, SETTINGS, "/crates/demo/settings/restriction", &[("trustpub_only", only)])
    };
    assert_eq!(place(&restrict(&mut ann, "true")), "/crates/demo/settings?notice=done");
    assert_eq!(token.publish(&Package::new("demo", "1.0.1")).status, StatusCode::FORBIDDEN);
    // The token, and a session that began with it, however fresh it is.
    let undo = json!({ "crate": { "trustpub_only": false } }).to_string();
    let refused = token.request(Method::PATCH, "/api/v1/crates/demo", undo);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text().contains("a token of an owner cannot undo that"), "{}", refused.text());
    let mut by_token = Browser::new(&registry);
    by_token.sign_in(token.token.as_ref().unwrap());
    assert_eq!(restrict(&mut by_token, "false").status, StatusCode::FORBIDDEN);
    let more = [("provider", "github"), ("repository", "eve/demo"), ("workflow", "release.yml")];
    assert_eq!(send(&mut by_token, SETTINGS, "/crates/demo/settings/publishers", &more).status, StatusCode::FORBIDDEN);
    // A session whose proof is old.
    let pass = "UPDATE web_sessions SET proven_at = proven_at - interval '11 minutes'";
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(pass), connection).unwrap())
        .unwrap();
    assert_eq!(place(&restrict(&mut ann, "false")), "/sign-in/again?to=%2Fcrates%2Fdemo%2Fsettings&unsent=true");
    assert_eq!(token.publish(&Package::new("demo", "1.0.1")).status, StatusCode::FORBIDDEN);
    assert_eq!(
        place(&send(&mut ann, "/sign-in/again", "/sign-in/again", &[("to", SETTINGS), ("password", PASSWORD)])),
        SETTINGS
    );
    assert_eq!(place(&restrict(&mut ann, "false")), "/crates/demo/settings?notice=done");
    token.publish(&Package::new("demo", "1.0.1")).good();
    registry.run_jobs();
    let html = ann.get(SETTINGS).good().text();
    let id = html.split_once("name=\"id\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let removed = send(&mut ann, SETTINGS, "/crates/demo/settings/publishers/remove", &[("id", &id)]);
    assert_eq!(place(&removed), "/crates/demo/settings?notice=done");
    assert!(!ann.get(SETTINGS).good().text().contains("release.yml in"));
}
