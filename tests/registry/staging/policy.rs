//! Crates that are published by approvals only.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use supercargo::database::access::teams;
use supercargo::database::staging::rules::{self, NewRule, Subject};

use super::{approve, numbers, shown, stage, with_two};
use crate::support::harness::{Client, TestRegistry};
use crate::support::package::Package;

fn require(registry: &TestRegistry, pattern: &str, approvals: i32, by_another: bool, approved_by: Option<i32>) {
    let subject = Subject::Crates(pattern.parse().unwrap());
    let rule = NewRule { subject, approvals, by_another, approved_by };
    registry.pool.with(|connection| rules::add(connection, &rule).unwrap().unwrap()).unwrap();
}

fn add_owner(client: &Client<'_>, name: &str, login: &str) {
    let body = json!({ "users": [login] }).to_string();
    client.request(Method::PUT, &format!("/api/v1/crates/{name}/owners"), body).good();
}

fn warning(answer: &Value) -> String {
    answer["warnings"]["other"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned()
}

#[test]
fn a_plain_publish_is_staged_where_an_approval_is_required() {
    let registry = with_two();
    let ann = registry.user("ann");
    require(&registry, "foo*", 1, false, None);
    let said = warning(&ann.publish(&Package::new("foo", "2.0.0")).good().json());
    assert!(said.starts_with("`foo@2.0.0` is staged in the release set `set-"), "{said}");
    assert_eq!(numbers(&ann, "/index", "3/f/foo"), ["1.0.0"]);
    // Published again, it is the same set.
    let again = warning(&ann.publish(&Package::new("foo", "2.0.0").file("src/x.rs", b"")).good().json());
    assert!(again.starts_with("`foo@2.0.0` is staged in place of the one before"), "{again}");
    // Another crate is published as ever.
    ann.publish(&Package::new("bar", "2.0.0")).good();
    registry.run_jobs();
    assert_eq!(numbers(&ann, "/index", "3/b/bar"), ["1.0.0", "2.0.0"]);
    let sets = ann.get("/api/v1/release-sets?state=open").good().json()["release_sets"].clone();
    assert_eq!(sets.as_array().unwrap().len(), 1);
    approve(&ann, sets[0]["name"].as_str().unwrap()).good();
    registry.run_jobs();
    assert_eq!(numbers(&ann, "/index", "3/f/foo"), ["1.0.0", "2.0.0"]);
}

#[test]
fn a_plain_publish_with_siblings_that_are_missing_is_refused_with_what_to_run() {
    let registry = with_two();
    let ann = registry.user("ann");
    require(&registry, "*", 1, false, None);
    let on_bar = |version: &str| {
        Package::new("foo", "2.0.0")
            .manifest(&format!(
                "[dependencies.bar]\nversion = \"{version}\"\nregistry-index = \"sparse+http://registry.test/index/\"\n"
            ))
            .metadata("deps", json!([{ "name": "bar", "version_req": version }]))
    };
    let refused = ann.publish(&on_bar("2"));
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let detail = refused.detail();
    assert!(detail.starts_with("`foo@2.0.0` depends on `bar ^2`, which this registry does not have yet"), "{detail}");
    assert!(detail.contains("CARGO_REGISTRIES_NAME_INDEX=sparse+http://registry.test/stage/set-"), "{detail}");
    assert_eq!(ann.get("/api/v1/release-sets").good().json()["release_sets"], json!([]));
    // Where the sibling is staged already, there the other one goes.
    ann.publish(&Package::new("bar", "2.0.0")).good();
    let set = ann.get("/api/v1/release-sets").good().json()["release_sets"][0]["name"].as_str().unwrap().to_owned();
    let refused = ann.publish(&on_bar("2")).detail();
    assert!(
        refused.contains(&format!("publish it into the release set `{set}`, where `bar@2.0.0` is staged")),
        "{refused}"
    );
    assert!(
        refused.contains(&format!("=sparse+http://registry.test/stage/{set}/index/ cargo publish -p foo")),
        "{refused}"
    );
    ann.publish(&on_bar("1")).good();
}

#[test]
fn another_person_has_to_approve() {
    let registry = with_two();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    add_owner(&ann, "foo", "bob");
    require(&registry, "foo", 1, true, None);
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    // Her own approval does not count, and is not noted.
    assert_eq!(approve(&ann, "next").status, StatusCode::FORBIDDEN);
    insta::assert_snapshot!(shown(&ann, "next")["missing"][0].as_str().unwrap(), @"`foo` (rule foo) needs 1 approval of users who may publish it and did not stage it, and has 0 of these; bob can approve");
    assert_eq!(shown(&ann, "next")["approved_by"], json!([]));
    assert_eq!(registry.run_jobs(), 0);
    assert_eq!(approve(&bob, "next").status, StatusCode::OK);
    registry.run_jobs();
    assert_eq!(numbers(&ann, "/index", "3/f/foo"), ["1.0.0", "2.0.0"]);
}

#[test]
fn several_of_a_team_have_to_approve_what_is_there_now() {
    let registry = with_two();
    let ann = registry.user("ann");
    let reviewers: Vec<Client<'_>> = ["rita", "rob"].map(|login| registry.user(login)).into();
    let team = registry.pool.with(|connection| {
        use diesel::RunQueryDsl;
        let team = teams::create(connection, "reviewers").unwrap();
        diesel::sql_query("INSERT INTO team_members (team_id, user_id) SELECT teams.id, users.id FROM teams, users WHERE login IN ('rita', 'rob')").execute(connection).unwrap();
        team.id
    });
    require(&registry, "foo", 2, false, Some(team.unwrap()));
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    // Those who have to approve may look.
    ann.request(Method::PATCH, "/api/v1/release-sets/next", json!({ "preview": false }).to_string()).good();
    assert_eq!(shown(&reviewers[0], "next")["preview"], false);
    reviewers[0].get("/stage/next/index/3/f/foo").good();
    // And only that, beside approving.
    for refused in [
        stage(&reviewers[0], "next", &Package::new("ritas", "1.0.0")),
        super::reject(&reviewers[0], "next", "mine"),
        reviewers[0].request(Method::PATCH, "/api/v1/release-sets/next", json!({ "preview": true }).to_string()),
        reviewers[0].request(Method::DELETE, "/api/v1/release-sets/next/crates/foo/2.0.0", ""),
    ] {
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.detail());
    }
    assert_eq!(reviewers[0].get("/api/v1/release-sets").good().json()["release_sets"].as_array().unwrap().len(), 1);
    assert_eq!(approve(&ann, "next").status, StatusCode::FORBIDDEN);
    assert_eq!(approve(&reviewers[0], "next").status, StatusCode::ACCEPTED);
    // A change makes the approvals void.
    stage(&ann, "next", &Package::new("foo", "2.0.0").file("src/x.rs", b"")).good();
    let waits = approve(&reviewers[1], "next");
    assert_eq!(waits.status, StatusCode::ACCEPTED);
    assert!(
        waits.json()["release_set"]["missing"][0]
            .as_str()
            .unwrap()
            .ends_with("needs 2 approvals of members of the team reviewers, and has 1 of these; rita can approve"),
        "{}",
        waits.text()
    );
    assert_eq!(approve(&reviewers[0], "next").status, StatusCode::OK);
    registry.run_jobs();
    assert_eq!(numbers(&ann, "/index", "3/f/foo"), ["1.0.0", "2.0.0"]);
}

#[test]
fn an_admin_overrides_with_a_reason() {
    let registry = with_two();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    require(&registry, "*", 3, true, None);
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    let overriding = |client: &Client<'_>, reason: &str| {
        client.request(Method::PUT, &format!("/api/v1/release-sets/next/approve?override={reason}"), "")
    };
    assert_eq!(overriding(&ann, "hurry").status, StatusCode::FORBIDDEN);
    assert_eq!(overriding(&root, "").status, StatusCode::BAD_REQUEST);
    assert_eq!(overriding(&root, "a+hole+is+open").status, StatusCode::OK);
    registry.run_jobs();
    assert_eq!(numbers(&ann, "/index", "3/f/foo"), ["1.0.0", "2.0.0"]);
    let log = root.get("/api/v1/admin/audit?action=set-override").good().json()["entries"][0].clone();
    assert_eq!(
        (&log["actor"], &log["detail"]["reason"], &log["detail"]["rules"]),
        (&"root".into(), &"a hole is open".into(), &json!(["*"]))
    );
}

#[test]
fn what_is_missing_names_those_who_can_approve_and_says_when_they_do_not_suffice() {
    let registry = with_two();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    registry.user("eve");
    require(&registry, "foo", 2, true, None);
    stage(&ann, "next", &Package::new("foo", "2.0.0")).good();
    let missing = || shown(&ann, "next")["missing"][0].as_str().unwrap().to_owned();
    insta::assert_snapshot!(missing(), @"`foo` (rule foo) needs 2 approvals of users who may publish it and did not stage it, and has 0 of these; no user can give it, so ask an admin");
    add_owner(&ann, "foo", "bob");
    insta::assert_snapshot!(missing(), @"`foo` (rule foo) needs 2 approvals of users who may publish it and did not stage it, and has 0 of these; only bob can approve, so ask an admin");
    registry.user("carol");
    add_owner(&ann, "foo", "carol");
    insta::assert_snapshot!(missing(), @"`foo` (rule foo) needs 2 approvals of users who may publish it and did not stage it, and has 0 of these; bob, carol can approve");
    approve(&bob, "next");
    insta::assert_snapshot!(missing(), @"`foo` (rule foo) needs 2 approvals of users who may publish it and did not stage it, and has 1 of these; carol can approve");
    // What is staged later makes his approval void.
    stage(&ann, "next", &Package::new("foo", "2.1.0")).good();
    let set = shown(&ann, "next");
    assert_eq!((&set["approved_by"], &set["formerly_approved_by"]), (&json!([]), &json!(["bob"])));
    // The name of an owner who is disabled is not among them.
    let disable = "UPDATE users SET disabled_at = now() WHERE login = 'carol'";
    registry
        .pool
        .with(|connection| diesel::RunQueryDsl::execute(diesel::sql_query(disable), connection).unwrap())
        .unwrap();
    insta::assert_snapshot!(missing(), @"`foo` (rule foo) needs 2 approvals of users who may publish it and did not stage it, and has 0 of these; only bob can approve, so ask an admin");
}
