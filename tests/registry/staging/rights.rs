//! Who may stage, look and approve.

use axum::http::{Method, StatusCode};
use serde_json::json;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::scope::Scope;

use super::{approve, create, numbers, reject, shown, stage, with_two};
use crate::support::package::Package;

fn scoped(scopes: &[Scope]) -> NewToken {
    let name = scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    NewToken { scopes: Some(scopes.to_vec()), ..NewToken::named(&name) }
}

#[test]
fn a_token_may_only_stage_or_only_approve() {
    let registry = with_two();
    let ann = registry.user("ann");
    let stages = registry.user_with("ann", scoped(&[Scope::StageUpdate]));
    let publishes = registry.user_with("ann", scoped(&[Scope::PublishUpdate, Scope::PublishNew]));
    let approves = registry.user_with("ann", scoped(&[Scope::Approve]));
    stage(&stages, "next", &Package::new("foo", "2.0.0")).good();
    assert_eq!(stages.publish(&Package::new("foo", "2.1.0")).status, StatusCode::FORBIDDEN);
    let new = stage(&stages, "next", &Package::new("new-one", "0.1.0"));
    assert_eq!(new.status, StatusCode::FORBIDDEN);
    assert!(new.detail().contains("needs the scope stage-new"), "{}", new.detail());
    stage(&publishes, "next", &Package::new("bar", "2.0.0")).good();
    assert_eq!(stage(&approves, "next", &Package::new("bar", "2.0.1")).status, StatusCode::FORBIDDEN);
    for client in [&stages, &publishes] {
        let refused = approve(client, "next");
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.detail().contains("needs the scope approve"), "{}", refused.detail());
    }
    assert_eq!(shown(&ann, "next")["state"], "open");
    approve(&approves, "next").good();
    registry.run_jobs();
    assert_eq!(numbers(&ann, "/index", "3/f/foo"), ["1.0.0", "2.0.0"]);
}

#[test]
fn a_private_set_is_for_its_members() {
    let registry = with_two();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    create(&ann, &json!({ "name": "secret", "preview": false })).good();
    stage(&ann, "secret", &Package::new("foo", "2.0.0")).good();
    for path in [
        "/stage/secret/index/config.json",
        "/stage/secret/index/3/f/foo",
        "/stage/secret/index/3/b/bar",
        "/stage/secret/api/v1/crates/foo/2.0.0/download",
    ] {
        let asked = registry.anonymous().get(path);
        assert_eq!(asked.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(asked.headers.contains_key("www-authenticate"), "{path}");
        assert_eq!(bob.get(path).status, StatusCode::FORBIDDEN, "{path}");
        ann.get(path).good();
    }
    assert_eq!(ann.get("/stage/secret/index/config.json").json()["auth-required"], true);
    assert_eq!(bob.get("/api/v1/release-sets/secret").status, StatusCode::FORBIDDEN);
    let listed = |client: &crate::support::harness::Client<'_>| {
        client.get("/api/v1/release-sets?state=open").good().json()["release_sets"].as_array().unwrap().len()
    };
    assert_eq!((listed(&ann), listed(&bob), listed(&registry.admin("root"))), (1, 0, 1));
    for refused in [
        stage(&bob, "secret", &Package::new("bobs", "1.0.0")),
        approve(&bob, "secret"),
        reject(&bob, "secret", "mine"),
        bob.request(Method::PATCH, "/api/v1/release-sets/secret", json!({ "preview": true }).to_string()),
        bob.request(Method::DELETE, "/api/v1/release-sets/secret/crates/foo/2.0.0", ""),
    ] {
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.detail());
    }
    // Whoever may publish one of its crates belongs to it.
    let owners = json!({ "users": ["bob"] }).to_string();
    ann.request(Method::PUT, "/api/v1/crates/foo/owners", owners).good();
    bob.get("/stage/secret/index/3/f/foo").good();
    assert_eq!(listed(&bob), 1);
}

#[test]
fn what_has_changed_since_refuses_the_whole_set() {
    let registry = with_two();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    let owners = |client: &crate::support::harness::Client<'_>, method: Method, name: &str| {
        client.request(method, &format!("/api/v1/crates/{name}/owners"), json!({ "users": ["bob"] }).to_string()).good()
    };
    let bob = registry.user("bob");
    for name in ["foo", "bar"] {
        owners(&ann, Method::PUT, name);
    }
    stage(&bob, "next", &Package::new("foo", "2.0.0")).good();
    stage(&bob, "next", &Package::new("bar", "2.0.0")).good();
    owners(&ann, Method::DELETE, "bar");
    let refused = approve(&root, "next");
    assert_eq!(refused.status, StatusCode::CONFLICT);
    insta::assert_snapshot!(refused.detail(), @"the release set `next` cannot be approved, and nothing was published: `bar@2.0.0`: `bob`, who staged it, is not an owner of the crate: have an owner stage it again");
    // Bob cannot approve what he may no longer publish.
    let waits = approve(&bob, "next");
    assert_eq!(waits.status, StatusCode::ACCEPTED);
    assert_eq!(
        waits.json()["release_set"]["missing"],
        json!(["`bar` needs 1 approval of users who may publish it, and has 0 of these; ann can approve"])
    );
    assert_eq!(registry.run_jobs(), 0);
    assert_eq!(numbers(&ann, "/index", "3/f/foo"), ["1.0.0"]);
    assert_eq!(shown(&bob, "next")["state"], "open");
    stage(&ann, "next", &Package::new("bar", "2.0.0")).good();
    approve(&ann, "next").good();
    registry.run_jobs();
    assert_eq!(numbers(&ann, "/index", "3/b/bar"), ["1.0.0", "2.0.0"]);
    let log = root.get("/api/v1/admin/audit?action=set-approve").good().json();
    assert_eq!((&log["entries"][0]["actor"], &log["entries"][0]["subject"]), (&"ann".into(), &"next".into()));
    let published = root.get("/api/v1/admin/audit?action=publish&crate=foo").good().json()["entries"][0].clone();
    assert_eq!((&published["actor"], &published["detail"]["approved_by"]), (&"bob".into(), &"ann".into()));
}

#[test]
fn an_operators_set_is_for_everyone_who_may_publish() {
    let registry = with_two();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    let set = "INSERT INTO release_sets (name, is_preview, expires_at) VALUES ('all', true, now() + interval '1 day')";
    registry.pool.with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(set), connection).unwrap()).unwrap();
    stage(&ann, "all", &Package::new("foo", "2.0.0")).good();
    stage(&bob, "all", &Package::new("bobs", "1.0.0")).good();
    assert_eq!(stage(&bob, "all", &Package::new("bar", "2.0.0")).status, StatusCode::FORBIDDEN);
    // Each may approve only what they may publish.
    let waits = approve(&bob, "all");
    assert_eq!(waits.status, StatusCode::ACCEPTED);
    assert_eq!(
        waits.json()["release_set"]["missing"],
        json!(["`foo` needs 1 approval of users who may publish it, and has 0 of these; ann can approve"])
    );
    approve(&ann, "all").good();
    registry.run_jobs();
    let owners = ann.get("/api/v1/crates/bobs/owners").good().json();
    assert_eq!(owners["users"][0]["login"], "bob");
    create(&bob, &json!({ "name": "bobs-own" })).good();
}

#[test]
fn every_user_belongs_to_an_operators_set_and_no_stranger_does() {
    let registry = with_two();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    let set = "INSERT INTO release_sets (name, is_preview, expires_at) VALUES ('all', false, now() + interval '1 day')";
    registry.pool.with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(set), connection).unwrap()).unwrap();
    assert_eq!(numbers(&bob, "/stage/all/index", "3/f/foo"), ["1.0.0"]);
    stage(&ann, "all", &Package::new("foo", "2.0.0")).good();
    assert_eq!(numbers(&bob, "/stage/all/index", "3/f/foo"), ["1.0.0", "2.0.0"]);
    assert_eq!(listed(&bob), 1);
    assert_eq!(registry.anonymous().get("/stage/all/index/3/f/foo").status, StatusCode::UNAUTHORIZED);
    assert_eq!(approve(&bob, "all").status, StatusCode::FORBIDDEN);
    assert_eq!(registry.run_jobs(), 0);
}

fn listed(client: &crate::support::harness::Client<'_>) -> usize {
    client.get("/api/v1/release-sets").good().json()["release_sets"].as_array().unwrap().len()
}

#[test]
fn a_user_who_has_staged_only_a_change_belongs_to_the_set() {
    let registry = with_two();
    let (ann, bob, eve) = (registry.user("ann"), registry.user("bob"), registry.user("eve"));
    create(&ann, &json!({ "name": "next", "preview": false })).good();
    let owners = json!({ "users": ["bob"] }).to_string();
    ann.request(Method::PUT, "/api/v1/crates/foo/owners", owners.clone()).good();
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    bob.request(Method::DELETE, "/stage/next/api/v1/crates/foo/1.0.0/yank", "").good();
    // The yank alone remains of what made him a member.
    ann.request(Method::DELETE, "/api/v1/release-sets/next/crates/foo/2.0.0", "").good();
    ann.request(Method::DELETE, "/api/v1/crates/foo/owners", owners).good();
    assert_eq!((listed(&ann), listed(&bob), listed(&eve)), (1, 1, 0));
    assert_eq!(numbers(&bob, "/stage/next/index", "3/f/foo"), ["1.0.0!"]);
    assert_eq!(eve.get("/stage/next/index/3/f/foo").status, StatusCode::FORBIDDEN);
    assert_eq!(approve(&eve, "next").status, StatusCode::FORBIDDEN);
}

#[test]
fn a_token_for_some_crates_makes_no_private_set_public() {
    let registry = with_two();
    let ann = registry.user("ann");
    let only_foo = NewToken { crate_patterns: Some(vec!["foo".parse().unwrap()]), ..NewToken::named("only foo") };
    let only_foo = registry.user_with("ann", only_foo);
    create(&ann, &json!({ "name": "next", "preview": false })).good();
    let change = |client: &crate::support::harness::Client<'_>, preview: bool| {
        let update = json!({ "preview": preview }).to_string();
        client.request(Method::PATCH, "/api/v1/release-sets/next", update)
    };
    let refused = change(&only_foo, true);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    insta::assert_snapshot!(refused.detail(), @"the token `only foo` is restricted to foo: use a token without restrictions");
    assert_eq!(shown(&ann, "next")["preview"], false);
    change(&ann, true).good();
    change(&only_foo, false).good();
}

#[test]
fn refusals_name_the_scopes_and_the_parameter_that_are_missing() {
    let registry = with_two();
    let reader = NewToken { scopes: Some(vec![Scope::Read]), ..NewToken::named("reader") };
    let reader = registry.user_with("ann", reader);
    let refused = create(&reader, &json!({ "name": "next" }));
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    insta::assert_snapshot!(refused.detail(), @"the token `reader` needs the scope stage-new or stage-update, and has read: create a token with that scope, or one without restrictions");
    let root = registry.admin("root");
    create(&root, &json!({ "name": "next" })).good();
    insta::assert_snapshot!(reject(&reader, "next", "mine").detail(), @"the token `reader` needs the scope approve, stage-new or stage-update, and has read: create a token with that scope, or one without restrictions");
    let unsaid = root.request(Method::PUT, "/api/v1/release-sets/next/reject", "");
    assert_eq!(unsaid.status, StatusCode::BAD_REQUEST);
    insta::assert_snapshot!(unsaid.detail(), @"the request's JSON cannot be read: the body is empty; send an object, as /api/openapi.json describes it");
    let unsaid = root.request(Method::PUT, "/api/v1/release-sets/next/reject", "{}");
    insta::assert_snapshot!(unsaid.detail(), @"the rejection needs a reason of 1 to 1000 characters: the users who staged the versions read it");
    let refused = root.request(Method::DELETE, "/stage/next/api/v1/crates/foo/1.0.0", "");
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    insta::assert_snapshot!(refused.detail(), @"the deletion needs a reason of 1 to 1000 characters, such as `?reason=it+leaks+a+key`: it is shown in place of the version");
}

#[test]
fn a_new_crate_in_a_set_belongs_to_the_user_who_staged_it() {
    let registry = with_two();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    let set = "INSERT INTO release_sets (name, is_preview, expires_at) VALUES ('all', true, now() + interval '1 day')";
    registry.pool.with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(set), connection).unwrap()).unwrap();
    stage(&ann, "all", &Package::new("anns", "1.0.0")).good();
    for number in ["1.0.0", "1.1.0"] {
        let taken = stage(&bob, "all", &Package::new("anns", number));
        assert_eq!(taken.status, StatusCode::FORBIDDEN);
        assert!(taken.detail().starts_with("the new crate `anns` was staged by `ann`"), "{}", taken.detail());
    }
    stage(&bob, "all", &Package::new("bobs", "1.0.0")).good();
    // Bob neither removes it, nor ends the set, nor approves it.
    let remove = |client: &crate::support::harness::Client<'_>, name: &str| {
        client.request(Method::DELETE, &format!("/api/v1/release-sets/all/crates/{name}/1.0.0"), "")
    };
    for refused in [
        remove(&bob, "anns"),
        reject(&bob, "all", "mine"),
        bob.request(Method::DELETE, "/api/v1/release-sets/all/crates", ""),
    ] {
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.detail());
    }
    assert_eq!(approve(&bob, "all").status, StatusCode::ACCEPTED);
    assert_eq!(registry.run_jobs(), 0);
    // His last version is gone, and so is his part in the set; the answer has it still.
    remove(&bob, "bobs").good();
    approve(&ann, "all").good();
    registry.run_jobs();
    assert_eq!(ann.get("/api/v1/crates/anns/owners").good().json()["users"][0]["login"], "ann");
}

#[test]
fn a_token_for_some_crates_decides_over_no_others() {
    let registry = with_two();
    let ann = registry.user("ann");
    let only_foo = NewToken {
        scopes: Some(vec![Scope::StageUpdate, Scope::Approve]),
        crate_patterns: Some(vec!["foo".parse().unwrap()]),
        ..NewToken::named("only foo")
    };
    let only_foo = registry.user_with("ann", only_foo);
    create(&ann, &json!({ "name": "next", "preview": false })).good();
    stage(&only_foo, "next", &Package::new("foo", "2.0.0")).good();
    stage(&ann, "next", &Package::new("bar", "2.0.0")).good();
    for refused in [
        approve(&only_foo, "next"),
        reject(&only_foo, "next", "mine"),
        only_foo.request(Method::PATCH, "/api/v1/release-sets/next", json!({ "preview": true }).to_string()),
        only_foo.request(Method::DELETE, "/api/v1/release-sets/next/crates", ""),
        only_foo.request(Method::DELETE, "/api/v1/release-sets/next/crates/bar/2.0.0", ""),
    ] {
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.detail());
        assert!(
            refused.detail().contains("is restricted to foo and not valid for the crate `bar`"),
            "{}",
            refused.detail()
        );
    }
    only_foo.request(Method::DELETE, "/api/v1/release-sets/next/crates/foo/2.0.0", "").good();
}
