//! What a leaked token leaves behind: tokens that were made with it, and as many as somebody likes.

use std::sync::Barrier;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};
use supercargo::database::access::new_token::MAX_TOKENS;

use crate::support::harness::{Client, TestRegistry};
use crate::support::http;
use crate::support::process::{Served, failed};

/// Makes a token; answers its number and a client with it.
fn make<'a>(registry: &'a TestRegistry, client: &Client<'_>, name: &str) -> (i64, Client<'a>) {
    let wanted = json!({ "api_token": { "name": name } }).to_string();
    let made = client.request(Method::PUT, "/api/v1/me/tokens", wanted).good().json();
    let mut with_it = registry.anonymous();
    with_it.token = made["api_token"]["token"].as_str().map(str::to_owned);
    (made["api_token"]["id"].as_i64().unwrap(), with_it)
}

fn revoke(client: &Client<'_>, id: i64, descendants: bool) -> crate::support::harness::Answer {
    let path = format!("/api/v1/me/tokens/{id}?descendants={descendants}");
    client.request(Method::DELETE, &path, Body::empty())
}

fn is_valid(client: &Client<'_>) -> bool {
    client.get("/api/v1/me").status == StatusCode::OK
}

#[test]
fn revoking_with_descendants_revokes_what_was_made_with_a_token_directly_or_not() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let (leaked, thief) = make(&registry, &ann, "leaked");
    let (child, second) = make(&registry, &thief, "child");
    let (grandchild, third) = make(&registry, &second, "grandchild");
    let (_, sibling) = make(&registry, &ann, "sibling");

    let tokens = ann.get("/api/v1/me/tokens").good().json();
    let maker = |id: i64| {
        let listed = tokens["api_tokens"].as_array().unwrap();
        listed.iter().find(|token| token["id"] == id).unwrap()["created_by_token"].clone()
    };
    assert_eq!((maker(child), maker(grandchild)), (json!(leaked), json!(child)));

    let path = format!("/api/v1/me/tokens/{leaked}?descendants=yes");
    let unclear = ann.request(Method::DELETE, &path, Body::empty());
    assert_eq!(unclear.status, StatusCode::BAD_REQUEST);
    assert_eq!(unclear.detail(), "the query parameter `descendants` is `yes`: it must be true or false");

    // Alone: the answer names what is left.
    let revoked = revoke(&ann, leaked, false).good().json();
    assert_eq!(revoked, json!({ "revoked": [leaked], "valid_descendants": [child, grandchild] }));
    assert!(!is_valid(&thief) && is_valid(&second) && is_valid(&third));
    // That was forgotten; it can be made up for, also through a token that is revoked.
    assert_eq!(revoke(&ann, child, false).good().json()["valid_descendants"], json!([grandchild]));
    let revoked = revoke(&ann, leaked, true).good().json();
    assert_eq!(revoked, json!({ "revoked": [grandchild], "valid_descendants": [] }));
    assert!(!is_valid(&third) && is_valid(&sibling) && is_valid(&ann));
    assert_eq!(revoke(&ann, leaked, true).status, StatusCode::NOT_FOUND);
    // Nor is it anybody else's business.
    let (mine, _) = make(&registry, &ann, "mine");
    assert_eq!(revoke(&registry.user("bob"), mine, true).status, StatusCode::NOT_FOUND);

    let log = registry.admin("root").get("/api/v1/admin/audit?action=token-revoke").good().json();
    let entries: Vec<_> = log["entries"].as_array().unwrap().iter().rev().collect();
    let about: Vec<_> = entries.iter().map(|entry| entry["subject"].as_str().unwrap()).collect();
    assert_eq!(about, ["leaked", "child", "grandchild"]);
    assert_eq!(entries[2]["detail"]["descendant_of"], leaked);
    assert_eq!(entries[2]["detail"]["created_by_token"], child);
}

#[test]
fn an_operator_sees_what_a_revoked_token_has_made_and_revokes_it() {
    let served = Served::start(&["--no-worker"]);
    let token = served.token("ann");
    let make = |token: &str, name: &str| {
        let wanted = json!({ "api_token": { "name": name } });
        let made = http::put_json_as(&format!("{}/api/v1/me/tokens", served.url), token, &wanted).good().json();
        (made["api_token"]["id"].to_string(), made["api_token"]["token"].as_str().unwrap().to_owned())
    };
    let (child, child_token) = make(&token, "child");
    let (grandchild, _) = make(&child_token, "grandchild");
    let list = || -> Vec<Value> {
        serde_json::from_str(&served.run("admin token list", &["--user", "ann", "--json"])).unwrap()
    };
    let first = list()[0]["id"].to_string();
    let said = served.run("admin token revoke", &[&first]);
    assert_eq!(
        said,
        format!(
            "revoked the token {first}\nstill valid, created with it: {child}, {grandchild}; revoke them too with \
             `supercargo admin token revoke {first} --with-descendants`\n"
        )
    );
    let listed = list();
    assert_eq!((&listed[0]["created_by_token"], &listed[0]["state"]), (&Value::Null, &json!("revoked")));
    assert_eq!(listed[1]["created_by_token"].to_string(), first);
    assert_eq!((&listed[1]["created_by_token_state"], &listed[1]["state"]), (&json!("revoked"), &json!("valid")));
    let table = served.run("admin token list", &["--user", "ann"]);
    assert!(table.contains(&format!("{first} (revoked)")) && table.contains("CREATED WITH"), "{table}");

    let said = served.run("admin token revoke", &[&first, "--with-descendants"]);
    assert_eq!(said, format!("revoked 2 tokens: {child}, {grandchild}\n"));
    assert_eq!(http::get_as(&format!("{}/api/v1/me", served.url), &child_token).status, 403);
    let again = served.command("admin token revoke").args([&first, "--with-descendants"]).output().unwrap();
    assert!(failed(again, 1).contains("that is not revoked"));
}

#[test]
fn of_many_requests_for_a_token_at_once_no_more_succeed_than_are_allowed() {
    const LEFT: i64 = 7;
    const REQUESTS: usize = 50;
    let served = Served::start(&["--no-worker"]);
    let token = served.token("ann");
    served
        .database
        .connect()
        .batch_execute(&format!(
            "INSERT INTO api_tokens (user_id, name, token_sha256)
             SELECT users.id, 'many', sha256(number::text::bytea) FROM users, generate_series(1, {}) AS number
             WHERE login = 'ann'",
            MAX_TOKENS - 1 - LEFT
        ))
        .unwrap();
    let barrier = Barrier::new(REQUESTS);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let requests: Vec<_> = (0..REQUESTS)
            .map(|number| {
                let (barrier, token, url) = (&barrier, &token, format!("{}/api/v1/me/tokens", served.url));
                scope.spawn(move || {
                    let wanted = json!({ "api_token": { "name": format!("token {number}") } });
                    barrier.wait();
                    http::put_json_as(&url, token, &wanted).status
                })
            })
            .collect();
        requests.into_iter().map(|request| request.join().unwrap()).collect()
    });
    let count = |wanted: u16| i64::try_from(statuses.iter().filter(|status| **status == wanted).count()).unwrap();
    assert_eq!((count(200), count(400)), (LEFT, REQUESTS as i64 - LEFT), "{statuses:?}");
}
