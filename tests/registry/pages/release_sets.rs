//! The pages of release sets.

use axum::http::{Method, StatusCode};
use serde_json::json;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::scope::Scope;

use super::queue::{admin, text};
use super::{Browser, field};
use crate::support::harness::{Client, TestRegistry};
use crate::support::package::Package;

fn stage(client: &Client<'_>, set: &str, package: &Package) {
    client.request(Method::PUT, &format!("/stage/{set}/api/v1/crates/new"), package.body()).good();
}

/// Ann's `foo` 1.0.0, and her set `next` with `foo` 1.1.0, the new crate `fresh` and the yank of `foo` 1.0.0.
fn with_a_set() -> TestRegistry {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    stage(&ann, "next", &Package::new("foo", "1.1.0").file("build.rs", b"fn main() {}\n").file("a.bin", b"\0\x01\xff"));
    stage(
        &ann,
        "next",
        &Package::new("fresh", "0.1.0").manifest("[features]\nfast = []\n").metadata("features", json!({ "fast": [] })),
    );
    ann.request(Method::DELETE, "/stage/next/api/v1/crates/foo/1.0.0/yank", "").good();
    registry
}

/// A user who is signed in.
fn signed_in<'a>(registry: &'a TestRegistry, login: &str) -> Browser<'a> {
    let client = registry.user(login);
    let mut browser = Browser::new(registry);
    assert_eq!(browser.sign_in(&client.token.unwrap()).status, StatusCode::SEE_OTHER);
    browser
}

#[test]
fn a_set_is_looked_at_and_approved() {
    let registry = with_a_set();
    let mut ann = signed_in(&registry, "ann");
    let list = ann.get("/release-sets").good().text();
    assert!(list.contains("href=\"/release-sets/next\"") && text(&list).contains("2 versions, 1 change"), "{list}");
    let shown = ann.get("/release-sets/next").good().text();
    for said in [
        "Nothing of it is published yet.",
        "foo needs 1 approval of users who may publish it, and has 0 of these; ann can approve",
        "fresh needs 1 approval",
        "yank",
        "sparse+http://registry.test/stage/next/index/",
    ] {
        assert!(text(&shown).contains(said), "{said}: {}", text(&shown));
    }
    let approve = [("form_token", field(&shown, "form_token")), ("revision", field(&shown, "revision"))];
    let approve: Vec<(&str, &str)> = approve.iter().map(|(name, value)| (*name, &**value)).collect();
    // What has changed since is not approved.
    stage(&registry.user("ann"), "next", &Package::new("foo", "1.2.0"));
    let changed = ann.post("/release-sets/next/approve", &approve);
    assert_eq!(changed.status, StatusCode::CONFLICT);
    assert!(text(&changed.text()).contains("look again"), "{}", changed.text());
    assert!(changed.text().contains("href=\"/release-sets/next\""), "{}", changed.text());
    let shown = ann.get("/release-sets/next").good().text();
    let revision = field(&shown, "revision");
    // Without the token of the form nothing happens.
    assert_eq!(ann.post("/release-sets/next/approve", &[("revision", &revision)]).status, StatusCode::FORBIDDEN);
    let unnamed = ann.post("/release-sets/next/approve", &approve[..1]);
    assert_eq!(unnamed.status, StatusCode::BAD_REQUEST, "{}", unnamed.text());
    assert_eq!(registry.pending(), 0);
    let done = ann.post("/release-sets/next/approve", &[approve[0], ("revision", &revision)]);
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    assert_eq!(done.headers["location"], "/release-sets/next");
    registry.run_jobs();
    let shown = ann.get("/release-sets/next").good().text();
    assert!(text(&shown).contains("Approved by ann just now: all of it became public at one moment."), "{shown}");
    assert!(shown.contains("href=\"/crates/fresh/0.1.0\"") && !shown.contains("<form class=\"sign-in\""), "{shown}");
    assert!(text(&shown).contains("by ann with the token test"), "{}", text(&shown));
    assert!(registry.index_file("3/f/foo").contains("1.1.0"));
    // A link to the review leads to the version now.
    let review = ann.get("/release-sets/next/fresh/0.1.0");
    assert_eq!(
        (review.status, &review.headers["location"]),
        (StatusCode::SEE_OTHER, &"/crates/fresh/0.1.0".parse().unwrap())
    );
    assert!(ann.get("/release-sets?state=approved").good().text().contains("/release-sets/next"));
    assert!(text(&ann.get("/release-sets").good().text()).contains("There is no open release set that you may see."));
}

#[test]
fn what_a_staged_version_changes_is_shown_to_a_reviewer() {
    let registry = with_a_set();
    let mut ann = signed_in(&registry, "ann");
    let changed = ann.get("/release-sets/next/foo/1.1.0").good().text();
    for said in ["From 1.0.0 to 1.1.0", "new: build.rs", "a.bin", "by ann", "Cargo.toml", "1 in this registry"] {
        let expected = said != "1 in this registry";
        assert_eq!(text(&changed).contains(said), expected, "{said}: {}", text(&changed));
    }
    // The staged package has no pages of its own, and the published one has.
    assert!(changed.contains("href=\"/crates/foo/1.0.0/source\""), "{changed}");
    assert!(!changed.contains("/crates/foo/1.1.0"), "{changed}");
    let one = ann.get("/release-sets/next/foo/1.1.0?file=build.rs&fragment=1").good().text();
    assert!(one.starts_with("<section") && text(&one).contains("fn main() {}"), "{one}");
    let fresh = ann.get("/release-sets/next/fresh/0.1.0").good().text();
    for said in ["A new crate: all its files", "none yet: the crate will belong to ann", "added fast", "Cargo.toml"] {
        assert!(text(&fresh).contains(said), "{said}: {}", text(&fresh));
    }
    assert!(!text(&fresh).contains("unchanged:"), "{}", text(&fresh));
    let absent = ann.get("/release-sets/next/fresh/9.9.9");
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
    assert!(text(&absent.text()).contains("fresh@9.9.9 is not staged"), "{}", text(&absent.text()));
}

#[test]
fn a_set_is_rejected_with_a_reason() {
    let registry = with_a_set();
    let mut ann = signed_in(&registry, "ann");
    let form_token = field(&ann.get("/release-sets/next").good().text(), "form_token");
    let refused = ann.post("/release-sets/next/reject", &[("form_token", &form_token), ("reason", "  ")]);
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(text(&refused.text()).contains("needs a reason"), "{}", refused.text());
    let done = ann.post("/release-sets/next/reject", &[("form_token", &form_token), ("reason", "wrong <licence>")]);
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    let shown = ann.get("/release-sets/next").good().text();
    assert!(shown.contains("wrong &lt;licence&gt;") && text(&shown).contains("Rejected by ann"), "{shown}");
    registry.user("ann").publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
}

#[test]
fn the_pages_are_for_users_and_each_sees_their_own() {
    let registry = with_a_set();
    // Everyone reads a preview, and only members decide.
    let shown = signed_in(&registry, "carl").get("/release-sets/next").good().text();
    assert!(text(&shown).contains("You cannot approve it: you do not belong to this set"), "{}", text(&shown));
    assert!(text(&shown).contains("You cannot reject it: that takes its creator"), "{}", text(&shown));
    assert!(!shown.contains("/release-sets/next/approve\"") && !shown.contains("/release-sets/next/reject"), "{shown}");
    let private = json!({ "preview": false }).to_string();
    registry.user("ann").request(Method::PATCH, "/api/v1/release-sets/next", private).good();
    for path in ["/release-sets", "/release-sets/next", "/release-sets/next/foo/1.1.0"] {
        let stranger = Browser::new(&registry).get(path);
        assert_eq!(stranger.status, StatusCode::SEE_OTHER, "{path}");
        assert!(stranger.headers["location"].to_str().unwrap().starts_with("/sign-in?to="), "{path}");
    }
    let mut bob = signed_in(&registry, "bob");
    assert!(!bob.get("/release-sets").good().text().contains("/release-sets/next"));
    for path in ["/release-sets/next", "/release-sets/next/foo/1.1.0"] {
        assert_eq!(bob.get(path).status, StatusCode::FORBIDDEN, "{path}");
    }
    let form_token = field(&bob.get("/release-sets").good().text(), "form_token");
    for decision in ["approve", "reject"] {
        let fields = [("form_token", &*form_token), ("revision", "1"), ("reason", "mine")];
        let refused = bob.post(&format!("/release-sets/next/{decision}"), &fields);
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{decision}");
    }
    assert_eq!(bob.get("/release-sets/unknown").status, StatusCode::NOT_FOUND);
    assert_eq!(bob.get("/release-sets/NO").status, StatusCode::NOT_FOUND);
    assert_eq!(bob.get("/release-sets?state=odd").status, StatusCode::BAD_REQUEST);
}

#[test]
fn an_admin_overrides_a_rule_and_a_token_that_may_not_approve_says_so() {
    let registry = with_a_set();
    let rule = "INSERT INTO staging_rules (subject, canonical, is_prefix, approvals, by_another)
                VALUES ('foo', 'foo', false, 2, true)";
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(rule), connection).unwrap())
        .unwrap();
    let mut ann = signed_in(&registry, "ann");
    let shown = ann.get("/release-sets/next").good().text();
    let fields = [("form_token", field(&shown, "form_token")), ("revision", field(&shown, "revision"))];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
    assert_eq!(ann.post("/release-sets/next/approve", &fields).status, StatusCode::SEE_OTHER);
    let shown = ann.get("/release-sets/next").good().text();
    assert!(text(&shown).contains("You have approved this revision."), "{}", text(&shown));
    assert!(
        text(&shown).contains(
            "of users who may publish it and did not stage it, and has 0 of these; no user can give it, so ask an admin"
        ),
        "{}",
        text(&shown)
    );
    assert!(!shown.contains("name=\"override\""), "{shown}");
    assert_eq!(registry.pending(), 0);
    let withdrawn = ann.post("/release-sets/next/withdraw", &fields[..1]);
    assert_eq!(withdrawn.status, StatusCode::SEE_OTHER, "{}", withdrawn.text());
    let shown = ann.get("/release-sets/next").good().text();
    assert!(!text(&shown).contains("You have approved this revision."), "{}", text(&shown));
    assert_eq!(ann.post("/release-sets/next/approve", &fields).status, StatusCode::SEE_OTHER);
    stage(&registry.user("ann"), "next", &Package::new("foo", "1.2.0"));
    let shown = ann.get("/release-sets/next").good().text();
    assert!(text(&shown).contains("Approved by ann in an earlier revision."), "{}", text(&shown));
    // A token that only stages.
    let stager = NewToken { scopes: Some(vec![Scope::StageUpdate]), ..NewToken::named("stager") };
    let mut stager_only = Browser::new(&registry);
    stager_only.sign_in(&registry.user_with("ann", stager).token.unwrap());
    let shown = stager_only.get("/release-sets/next").good().text();
    assert!(
        text(&shown).contains("the token stager needs the scope approve, and has stage-update"),
        "{}",
        text(&shown)
    );
    let mut root = admin(&registry, "root");
    let shown = root.get("/release-sets/next").good().text();
    let fields = [("form_token", field(&shown, "form_token")), ("revision", field(&shown, "revision"))];
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
    fields.push(("override", " "));
    assert_eq!(root.post("/release-sets/next/approve", &fields).status, StatusCode::BAD_REQUEST);
    fields[2].1 = "the fix cannot wait";
    assert_eq!(root.post("/release-sets/next/approve", &fields).status, StatusCode::SEE_OTHER);
    registry.run_jobs();
    assert!(registry.index_file("3/f/foo").contains("1.1.0"));
    let shown = ann.get("/release-sets/next").good().text();
    assert!(text(&shown).contains("The rules of approvals were overridden: the fix cannot wait"), "{}", text(&shown));
    let log = registry.admin("root").get("/api/v1/admin/audit?action=set-override").good().json();
    assert_eq!(log["entries"][0]["detail"]["reason"], "the fix cannot wait");
}
