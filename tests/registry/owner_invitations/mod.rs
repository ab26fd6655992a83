//! With `--owner-invitations`, users whom owners add are invited, and become owners when they accept.

mod ends;
mod pages;

use axum::http::{Method, StatusCode};
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};
use supercargo::database::access::audit::Actor;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::rate_limits::RateLimits;
use supercargo::database::access::scope::Scope;
use supercargo::database::access::teams;
use supercargo::database::catalog::ownership::{self, Change};

use crate::sign_in::logged;
use crate::support::cargo::Cargo;
use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

const MINE: &str = "/api/v1/me/crate_owner_invitations";
const OF_FOO: &str = "/api/v1/crates/foo/owner_invitations";

/// `foo` and `bar` of ann, and bob, in a registry that invites.
fn inviting() -> TestRegistry {
    with(|_| {})
}

fn with(change: impl FnOnce(&mut supercargo::jobs::Admission)) -> TestRegistry {
    let registry = TestRegistry::with(|settings| {
        settings.admission.owner_invitations = true;
        change(&mut settings.admission);
    });
    for name in ["foo", "bar"] {
        registry.user("ann").publish(&Package::new(name, "1.0.0")).good();
    }
    registry.run_jobs();
    registry.user("bob");
    registry
}

fn change(client: &Client<'_>, method: Method, users: &[&str]) -> Answer {
    client.request(method, "/api/v1/crates/foo/owners", json!({ "users": users }).to_string())
}

fn add(client: &Client<'_>, user: &str) -> String {
    change(client, Method::PUT, &[user]).good().json()["msg"].as_str().unwrap().to_owned()
}

fn answer(client: &Client<'_>, crate_id: &Value, accepted: bool) -> Answer {
    let body = json!({ "crate_owner_invite": { "crate_id": crate_id, "accepted": accepted } });
    client.request(Method::PUT, &format!("{MINE}/{crate_id}"), body.to_string())
}

fn owners(registry: &TestRegistry) -> Vec<String> {
    let list = registry.anonymous().get("/api/v1/crates/foo/owners").good().json();
    list["users"].as_array().unwrap().iter().map(|user| user["login"].as_str().unwrap().to_owned()).collect()
}

fn invitations(client: &Client<'_>) -> Vec<Value> {
    client.get(MINE).good().json()["crate_owner_invitations"].as_array().unwrap().clone()
}

/// The number of `foo`.
fn foo(registry: &TestRegistry) -> Value {
    #[derive(diesel::QueryableByName)]
    struct Id {
        #[diesel(sql_type = diesel::sql_types::Integer)]
        id: i32,
    }
    let query = diesel::sql_query("SELECT id FROM crates WHERE name = 'foo'");
    let read = |connection: &mut _| diesel::RunQueryDsl::get_result::<Id>(query, connection).unwrap().id;
    json!(registry.pool.with(read).unwrap())
}

fn execute(registry: &TestRegistry, sql: &str) {
    registry.pool.with(|connection| connection.batch_execute(sql).unwrap()).unwrap();
}

fn operator() -> Actor {
    Actor::operator("ops@host".to_owned())
}

fn by_operator(registry: &TestRegistry, change: Change) -> String {
    let name = "foo".parse().unwrap();
    let change = |connection: &mut _| ownership::change(connection, &name, &["bob".into()], change, &operator());
    registry.pool.with(change).unwrap().unwrap().sentence
}

#[test]
fn without_the_option_owners_are_added_at_once() {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    registry.user("bob");
    assert_eq!(add(&registry.user("ann"), "bob"), "bob is now an owner of foo");
    assert_eq!(owners(&registry), ["ann", "bob"]);
    assert!(invitations(&registry.user("bob")).is_empty());
}

#[test]
fn a_user_whom_an_owner_adds_is_an_owner_after_accepting() {
    let registry = inviting();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    insta::assert_snapshot!(add(&ann, "BOB"), @"bob has been invited to be an owner of foo; invitations can be accepted within 30 days, at http://registry.test/me");
    assert_eq!(owners(&registry), ["ann"]);
    assert_eq!(bob.publish(&Package::new("foo", "1.1.0")).status, StatusCode::FORBIDDEN);
    assert_eq!(change(&bob, Method::PUT, &["bob"]).status, StatusCode::FORBIDDEN);
    let list = bob.get(MINE).good().json();
    let mut invitation = list["crate_owner_invitations"][0].clone();
    let time = |value: &Value| value.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let lasts = time(&invitation["expires_at"]) - time(&invitation["created_at"]);
    assert_eq!(lasts, chrono::TimeDelta::days(30));
    for field in ["created_at", "expires_at"] {
        invitation.as_object_mut().unwrap().remove(field);
    }
    let (ann_id, bob_id) = (&list["users"][0]["id"], &list["users"][1]["id"]);
    let expected = json!({
        "invitee_id": bob_id, "inviter_id": ann_id, "invited_by_username": "ann", "crate_name": "foo", "crate_id": foo(&registry),
    });
    assert_eq!(invitation, expected);
    assert_eq!((&list["users"][0]["login"], &list["users"][1]["login"]), (&json!("ann"), &json!("bob")));
    let accepted = answer(&bob, &foo(&registry), true).good().json();
    assert_eq!(accepted, json!({ "crate_owner_invitation": { "crate_id": foo(&registry), "accepted": true } }));
    assert_eq!(owners(&registry), ["ann", "bob"]);
    bob.publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    assert!(invitations(&bob).is_empty());
    assert_eq!(answer(&bob, &foo(&registry), true).status, StatusCode::NOT_FOUND);
    assert_eq!(add(&ann, "bob"), "bob is already an owner of foo");
    assert!(invitations(&bob).is_empty());
    assert_eq!(
        logged(&registry, &["owner-invite", "owner-add"]),
        ["owner-add by bob of bob", "owner-invite by ann of bob"]
    );
    let log = registry.admin("root").get("/api/v1/admin/audit?action=owner-add").good().json();
    assert_eq!(log["entries"][0]["detail"], json!({ "invited_by": "ann" }));
}

#[test]
fn an_invitation_that_is_declined_is_gone() {
    let registry = inviting();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    add(&ann, "bob");
    let declined = answer(&bob, &foo(&registry), false).good().json();
    assert_eq!(declined["crate_owner_invitation"]["accepted"], false);
    assert_eq!(owners(&registry), ["ann"]);
    assert!(invitations(&bob).is_empty());
    let refused = answer(&bob, &foo(&registry), true);
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert!(refused.detail().contains("you have no invitation"), "{}", refused.detail());
    assert_eq!(logged(&registry, &["owner-add", "owner-invite-decline"]), ["owner-invite-decline by bob of bob"]);
}

#[test]
fn only_the_user_who_is_invited_answers_and_sees_it_beside_the_owners() {
    let registry = inviting();
    let (ann, eve) = (registry.user("ann"), registry.user("eve"));
    add(&ann, "bob");
    let foo = foo(&registry);
    for accepted in [true, false] {
        for client in [&ann, &eve, &registry.admin("root")] {
            assert_eq!(answer(client, &foo, accepted).status, StatusCode::NOT_FOUND);
        }
        assert_eq!(answer(&registry.anonymous(), &foo, accepted).status, StatusCode::UNAUTHORIZED);
    }
    assert!(invitations(&eve).is_empty());
    assert_eq!(registry.anonymous().get(MINE).status, StatusCode::UNAUTHORIZED);
    for client in [&ann, &registry.admin("root")] {
        let list = client.get(OF_FOO).good().json();
        assert_eq!(list["crate_owner_invitations"][0]["crate_name"], "foo");
        assert_eq!(list["users"].as_array().unwrap().len(), 2, "{list}");
    }
    assert_eq!(registry.anonymous().get(OF_FOO).status, StatusCode::UNAUTHORIZED);
    for client in [&eve, &registry.user("bob")] {
        assert_eq!(client.get(OF_FOO).status, StatusCode::FORBIDDEN);
    }
    assert_eq!(ann.get("/api/v1/crates/none/owner_invitations").status, StatusCode::NOT_FOUND);
    assert_eq!(owners(&registry), ["ann"]);
}

#[test]
fn a_restricted_token_needs_change_owners_for_the_crate() {
    let registry = inviting();
    add(&registry.user("ann"), "bob");
    let foo = foo(&registry);
    let token = |login: &str, scope: Scope, pattern: &str| {
        let crate_patterns = Some(vec![pattern.parse().unwrap()]);
        registry.user_with(login, NewToken { scopes: Some(vec![scope]), crate_patterns, ..NewToken::named("ci") })
    };
    let (publishes, other) = (token("bob", Scope::PublishUpdate, "*"), token("bob", Scope::ChangeOwners, "bar"));
    for accepted in [true, false] {
        let refused = answer(&publishes, &foo, accepted);
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.detail().contains("needs the scope change-owners"), "{}", refused.detail());
        let refused = answer(&other, &foo, accepted);
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.detail().contains("not valid for the crate `foo`"), "{}", refused.detail());
    }
    assert_eq!(publishes.get(MINE).status, StatusCode::FORBIDDEN);
    assert!(invitations(&other).is_empty());
    for refused in [token("ann", Scope::Yank, "foo"), token("ann", Scope::ChangeOwners, "bar")] {
        assert_eq!(refused.get(OF_FOO).status, StatusCode::FORBIDDEN);
    }
    token("ann", Scope::ChangeOwners, "foo").get(OF_FOO).good();
    let right = token("bob", Scope::ChangeOwners, "f*");
    assert_eq!(invitations(&right).len(), 1);
    answer(&right, &foo, true).good();
    assert_eq!(owners(&registry), ["ann", "bob"]);
}

#[test]
fn an_odd_answer_is_refused_and_changes_nothing() {
    let registry = inviting();
    let bob = registry.user("bob");
    add(&registry.user("ann"), "bob");
    let put = |path: &str, body: &str| bob.request(Method::PUT, &format!("{MINE}/{path}"), body.to_owned());
    let right = json!({ "crate_owner_invite": { "crate_id": foo(&registry), "accepted": true } }).to_string();
    for (path, body, status) in [
        ("x", &*right, StatusCode::NOT_FOUND),
        ("99999", &right, StatusCode::BAD_REQUEST),
        ("99999", r#"{"crate_owner_invite":{"crate_id":99999,"accepted":true}}"#, StatusCode::NOT_FOUND),
        (&foo(&registry).to_string(), "{}", StatusCode::BAD_REQUEST),
        (&foo(&registry).to_string(), r#"{"crate_owner_invite":{"crate_id":1}}"#, StatusCode::BAD_REQUEST),
    ] {
        let refused = put(path, body);
        assert_eq!(refused.status, status, "{path} {body}: {}", refused.text());
    }
    assert_eq!((owners(&registry).len(), invitations(&bob).len()), (1, 1));
}

#[test]
fn teams_and_those_whom_admins_and_operators_add_are_owners_at_once() {
    let registry = inviting();
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    registry.pool.with(|connection| teams::create(connection, "devs").unwrap()).unwrap();
    assert_eq!(add(&ann, "team:devs"), "team:devs is now an owner of foo");
    add(&ann, "bob");
    assert_eq!(add(&registry.admin("root"), "bob"), "bob is now an owner of foo");
    assert!(invitations(&bob).is_empty(), "the user is an owner otherwise");
    change(&ann, Method::DELETE, &["bob"]).good();
    assert_eq!(answer(&bob, &foo(&registry), true).status, StatusCode::NOT_FOUND, "none is left to come back with");
    add(&ann, "bob");
    assert_eq!(by_operator(&registry, Change::Add), "bob is now an owner of foo");
    assert!(invitations(&bob).is_empty());
    // An admin with a restricted token has no more rights than an owner.
    let restricted = NewToken { scopes: Some(vec![Scope::ChangeOwners]), ..NewToken::named("ci") };
    change(&ann, Method::PUT, &["root"]).good();
    answer(&registry.admin("root"), &foo(&registry), true).good();
    registry.user("cid");
    assert!(add(&registry.user_with("root", restricted), "cid").contains("cid has been invited"));
    assert_eq!(owners(&registry), ["ann", "bob", "root", "team:devs"]);
}

#[test]
fn invitations_and_answers_count_as_changes_of_owners() {
    let limits = RateLimits::configured(["none", "change-owners=1/1h"]).unwrap();
    let registry = with(|admission| admission.rate_limits = limits);
    let (ann, bob) = (registry.user("ann"), registry.user("bob"));
    add(&ann, "bob");
    assert_eq!(change(&ann, Method::PUT, &["bob"]).status, StatusCode::TOO_MANY_REQUESTS);
    let foo = foo(&registry);
    let more = json!(foo.as_i64().unwrap() + 1000);
    assert_eq!(answer(&bob, &more, true).status, StatusCode::NOT_FOUND, "what is refused does not count");
    answer(&bob, &foo, false).good();
    assert_eq!(answer(&bob, &foo, false).status, StatusCode::TOO_MANY_REQUESTS);
}

// protocol: 64, 65
#[test]
fn cargo_owner_invites_and_withdraws() {
    let mut served = Served::start(&["--owner-invitations"]);
    let (ann, bob) = (served.token("ann"), served.token("bob"));
    http::publish(&served.url, &ann, &Package::new("foo", "1.0.0")).good();
    let cargo = Cargo::new(&format!("sparse+{}/index/", served.url), &ann);
    let owner =
        |arguments: &[&str]| cargo.good(".", &[&["owner", "--registry", "supercargo", "foo"], arguments].concat());
    let mine = || http::get_as(&format!("{}{MINE}", served.url), &bob).good().json();
    let added = owner(&["--add", "bob"]);
    let expected = format!(
        "Owner bob has been invited to be an owner of foo; invitations can be accepted within 30 days, at {}/me",
        served.url
    );
    assert!(added.contains(&expected), "{added}");
    assert_eq!(mine()["crate_owner_invitations"][0]["crate_name"], "foo");
    assert!(!owner(&["--list"]).contains("bob"));
    let listed = served.run("admin owner list", &["foo"]);
    assert!(listed.lines().any(|line| line.split_whitespace().skip(1).eq(["bob", "invited"])), "{listed}");
    let listed: Value = serde_json::from_str(&served.run("admin owner list", &["foo", "--json"])).unwrap();
    assert_eq!((&listed[1]["kind"], &listed[1]["invited_by"]), (&json!("invited"), &json!("ann")));
    owner(&["--remove", "bob"]);
    assert_eq!(mine()["crate_owner_invitations"], json!([]));
    owner(&["--add", "bob"]);
    // Without the option an invitation stays.
    served.stop();
    served.set_arguments(&[]);
    served.start_again();
    let cargo = Cargo::new(&format!("sparse+{}/index/", served.url), &ann);
    let owner =
        |arguments: &[&str]| cargo.good(".", &[&["owner", "--registry", "supercargo", "foo"], arguments].concat());
    let mine = http::get_as(&format!("{}{MINE}", served.url), &bob).good().json();
    let id = mine["crate_owner_invitations"][0]["crate_id"].clone();
    let body = json!({ "crate_owner_invite": { "crate_id": id, "accepted": true } });
    http::put_json_as(&format!("{}{MINE}/{id}", served.url), &bob, &body).good();
    assert!(owner(&["--list"]).contains("ann\nbob\n"));
    served.token("cid");
    let by_operator = served.run("admin owner add", &["foo", "cid"]);
    assert!(by_operator.contains("cid is now an owner of foo"), "{by_operator}");
}
