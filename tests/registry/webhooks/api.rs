//! The API of webhooks: what is shown, and what becomes of deliveries.

use axum::http::{Method, StatusCode};
use diesel::RunQueryDsl;
use serde_json::{Value, json};

use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::package::Package;
use crate::support::webhook_receiver::{BROKEN, GOOD, WebhookReceiver};

pub(super) const WEBHOOKS: &str = "/api/v1/webhooks";

pub(super) fn execute(registry: &TestRegistry, statement: &str) {
    registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap();
}

/// A registry with ann's `foo`, which the team `crew` publishes as well. bob is the only member of that.
pub(super) fn with_foo() -> (TestRegistry, WebhookReceiver) {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    registry.user("bob");
    execute(&registry, "INSERT INTO teams (name) VALUES ('crew')");
    execute(&registry, "INSERT INTO team_members SELECT teams.id, users.id FROM teams, users WHERE login = 'bob'");
    execute(&registry, "INSERT INTO crate_team_owners SELECT crates.id, teams.id FROM crates, teams");
    (registry, WebhookReceiver::start())
}

pub(super) fn post(client: &Client<'_>, path: &str, body: &Value) -> Answer {
    client.request(Method::POST, &format!("{WEBHOOKS}{path}"), body.to_string())
}

/// Adds a webhook; its number, and the whole answer.
pub(super) fn add(client: &Client<'_>, url: &str, whose: &Value) -> (i64, Value) {
    let mut wanted = whose.clone();
    wanted["url"] = url.into();
    let answer = post(client, "", &wanted).good().json();
    (answer["webhook"]["id"].as_i64().unwrap(), answer)
}

fn shown(client: &Client<'_>, id: i64) -> Value {
    client.get(&format!("{WEBHOOKS}/{id}")).good().json()["webhook"].take()
}

pub(super) fn deliveries(client: &Client<'_>, id: i64, query: &str) -> Value {
    client.get(&format!("{WEBHOOKS}/{id}/deliveries{query}")).good().json()
}

pub(super) fn refusal(answer: &Answer, status: StatusCode) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.detail()
}

#[test]
fn a_webhook_is_shown_with_what_became_of_its_deliveries() {
    let (registry, receiver) = with_foo();
    let ann = registry.user("ann");
    let wanted = json!({
        "url": receiver.url, "crate": "FOO", "events": ["version.*", " owner.added", "version.*"], "description": " builds ",
    });
    let answer = post(&ann, "", &wanted).good();
    assert_eq!(answer.headers["cache-control"], "no-store");
    let mut answer = answer.json();
    let id = answer["webhook"]["id"].as_i64().unwrap();
    for changing in ["created_at", "waiting_since"] {
        assert!(answer["webhook"][changing].as_str().unwrap().ends_with('Z'));
        answer["webhook"][changing] = "…".into();
    }
    let expected = json!({
        "id": id, "url": receiver.url, "description": "builds", "crate": "foo", "team": null,
        "events": ["version.*", "owner.added"], "created_by": "ann", "created_at": "…", "previous_until": null,
        "state": "active", "pause": null, "waiting": 1, "waiting_since": "…", "last_delivered_at": null, "attempts": 0,
        "error": null, "next_attempt_at": null,
    });
    assert_eq!(answer["webhook"], expected);
    receiver.then(&[BROKEN]);
    assert_eq!(registry.drain().failed.len(), 1);
    let failing = shown(&ann, id);
    assert_eq!(
        (&failing["state"], &failing["attempts"], &failing["waiting"]),
        (&json!("failing"), &json!(1), &json!(1))
    );
    assert!(failing["error"].as_str().unwrap().contains("500") && failing["next_attempt_at"].is_string(), "{failing}");
    let first = deliveries(&ann, id, "")["deliveries"][0].take();
    assert_eq!((&first["attempts"], &first["error"]), (&json!(1), &failing["error"]));
    assert_eq!((&first["delivered_at"], &first["dead"]), (&Value::Null, &json!(false)));
    // Without a pause it ends the wait for the next attempt.
    assert_eq!(post(&ann, &format!("/{id}/resume"), &json!({})).good().json(), json!({ "waiting": 1, "dropped": 0 }));
    registry.run_jobs();
    let active = shown(&ann, id);
    assert_eq!((&active["state"], &active["waiting"], &active["error"]), (&json!("active"), &json!(0), &Value::Null));
    assert!(active["last_delivered_at"].is_string());
    assert_eq!(ann.get(&format!("{WEBHOOKS}?crate=foo")).good().json(), json!({ "webhooks": [active] }));
    let nothing = registry.user("bob").get(&format!("{WEBHOOKS}?team=crew")).good().json();
    assert_eq!(nothing, json!({ "webhooks": [] }));
}

#[test]
fn admins_list_the_webhooks_of_everybody() {
    let (registry, receiver) = with_foo();
    let root = registry.admin("root");
    for whose in [json!({ "crate": "foo" }), json!({ "team": "team:crew" }), json!({})] {
        add(&root, &receiver.url, &whose);
    }
    let list = root.get(WEBHOOKS).good();
    assert_eq!(list.headers["cache-control"], "no-store");
    let list = list.json();
    let of: Vec<_> = list["webhooks"].as_array().unwrap().iter().map(|one| (&one["crate"], &one["team"])).collect();
    let (foo, crew) = (json!("foo"), json!("crew"));
    assert_eq!(of, [(&foo, &Value::Null), (&Value::Null, &crew), (&Value::Null, &Value::Null)]);
    registry.run_jobs();
}

#[test]
fn the_secret_is_shown_once() {
    let (registry, receiver) = with_foo();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    let (id, answer) = add(&ann, &receiver.url, &json!({ "crate": "foo" }));
    let first = answer["secret"].as_str().unwrap().to_owned();
    assert!(first.starts_with("whsec_") && first.len() == 6 + 44, "{first}");
    let rotate = |body: Value| {
        let answer = post(&ann, &format!("/{id}/secret"), &body).good();
        assert_eq!(answer.headers["cache-control"], "no-store");
        answer.json()
    };
    let second = rotate(json!({}));
    let until = second["previous_until"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let hours = (until - chrono::Utc::now()).num_minutes();
    assert!((23 * 60..=24 * 60).contains(&hours), "{until}");
    assert_eq!(shown(&ann, id)["previous_until"], second["previous_until"]);
    let third = rotate(json!({ "overlap_seconds": 0 }));
    assert_eq!((&third["previous_until"], &shown(&ann, id)["previous_until"]), (&Value::Null, &Value::Null));
    let secrets = [first, second["secret"].as_str().unwrap().to_owned(), third["secret"].as_str().unwrap().to_owned()];
    assert!(secrets[0] != secrets[1] && secrets[1] != secrets[2]);
    registry.run_jobs();
    let update = json!({ "description": "x" }).to_string();
    let answers = [
        ann.get(&format!("{WEBHOOKS}?crate=foo")),
        ann.get(&format!("{WEBHOOKS}/{id}")),
        ann.get(&format!("{WEBHOOKS}/{id}/deliveries")),
        ann.request(Method::PATCH, &format!("{WEBHOOKS}/{id}"), update),
        root.get(WEBHOOKS),
        root.get("/api/v1/admin/audit"),
    ];
    for answer in answers.map(Answer::good) {
        for secret in &secrets {
            assert!(!answer.text().contains(&secret["whsec_".len()..]), "{}", answer.text());
        }
        assert!(!answer.text().contains("whsec_") && !answer.text().contains("\"secret\":"), "{}", answer.text());
    }
    assert_eq!(receiver.kinds(), ["webhook.test"]);
}

/// What the audit log has of a URL, whose path may be a secret of the receiver.
fn origin(url: &str) -> String {
    url::Url::parse(url).unwrap().origin().ascii_serialization()
}

#[test]
fn every_change_is_in_the_audit_log() {
    let (registry, receiver) = with_foo();
    let (ann, root) = (registry.user("ann"), registry.admin("root"));
    let (id, _) = add(&ann, &receiver.url, &json!({ "crate": "foo", "events": ["version.*"] }));
    let update = |body: Value| ann.request(Method::PATCH, &format!("{WEBHOOKS}/{id}"), body.to_string()).good();
    let other = format!("{}/other", receiver.url);
    let changed = update(json!({ "url": other, "events": ["*"], "description": "builds" })).json();
    assert_eq!((&changed["webhook"]["url"], &changed["webhook"]["events"]), (&json!(other), &json!(["*"])));
    // What changes nothing is not logged.
    update(json!({ "url": other, "description": null }));
    assert_eq!(update(json!({ "description": "" })).json()["webhook"]["description"], Value::Null);
    for reason in ["moving", "moving"] {
        let paused = post(&ann, &format!("/{id}/pause"), &json!({ "reason": reason }));
        assert_eq!(paused.status, StatusCode::NO_CONTENT);
    }
    for _ in 0..2 {
        post(&root, &format!("/{id}/resume"), &json!({})).good();
    }
    post(&ann, &format!("/{id}/secret"), &json!({ "overlap_seconds": 60 })).good();
    post(&ann, &format!("/{id}/test"), &json!({})).good();
    registry.run_jobs();
    assert_eq!(ann.request(Method::DELETE, &format!("{WEBHOOKS}/{id}"), "").status, StatusCode::NO_CONTENT);
    let log = root.get("/api/v1/admin/audit?crate=foo").good().json();
    let entries = log["entries"].as_array().unwrap();
    let found: Vec<String> = entries
        .iter()
        .rev()
        .filter(|entry| entry["action"] != "publish")
        .map(|entry| {
            assert_eq!(entry["subject"], id.to_string());
            format!("{} by {}", entry["action"].as_str().unwrap(), entry["actor"].as_str().unwrap())
        })
        .collect();
    let expected = [
        "webhook-add by ann",
        "webhook-update by ann",
        "webhook-update by ann",
        "webhook-pause by ann",
        "webhook-resume by root",
        "webhook-secret by ann",
        "webhook-remove by ann",
    ];
    assert_eq!(found, expected);
    let of = |action: &str| {
        let found = entries.iter().rev().find(|entry| entry["action"] == action);
        found.unwrap()["detail"].clone()
    };
    assert_eq!(of("webhook-add"), json!({ "at": origin(&receiver.url), "events": ["version.*"] }));
    assert_eq!(of("webhook-update"), json!({ "at": origin(&other), "events": ["*"], "has_moved": true }));
    assert_eq!(of("webhook-pause"), json!({ "reason": "moving" }));
    assert_eq!(of("webhook-remove"), json!({ "at": origin(&other) }));
    // One that is of no crate is logged, too.
    let (everything, _) = add(&root, &receiver.url, &json!({}));
    let log = root.get("/api/v1/admin/audit?action=webhook-add").good().json();
    assert_eq!(log["entries"][0]["subject"], everything.to_string());
    assert_eq!(log["entries"][0]["crate"], Value::Null);
    registry.run_jobs();
}

#[test]
fn what_waits_during_a_pause_is_delivered_in_its_order() {
    let (registry, receiver) = with_foo();
    let ann = registry.user("ann");
    let (id, _) = add(&ann, &receiver.url, &json!({ "crate": "foo" }));
    let call = |what: &str, body: Value| post(&ann, &format!("/{id}/{what}"), &body);
    for _ in 0..2 {
        call("test", json!({})).good();
    }
    assert_eq!(call("pause", json!({ "reason": " moving " })).status, StatusCode::NO_CONTENT);
    registry.run_jobs();
    assert!(receiver.got().is_empty());
    let paused = shown(&ann, id);
    assert_eq!((&paused["state"], &paused["waiting"]), (&json!("paused"), &json!(3)));
    assert_eq!((&paused["pause"]["by"], &paused["pause"]["reason"]), (&json!("ann"), &json!("moving")));
    let waiting = deliveries(&ann, id, "");
    let waiting = waiting["deliveries"].as_array().unwrap();
    assert!(waiting.iter().all(|one| one["job"].is_null() && one["delivered_at"].is_null()), "{waiting:?}");
    for what in ["test", &format!("deliveries/{}/redeliver", waiting[0]["id"])] {
        let detail = refusal(&call(what, json!({})), StatusCode::CONFLICT);
        assert_eq!(detail, format!("the webhook {id} is paused: resume it first"));
    }
    assert_eq!(call("resume", json!({})).good().json(), json!({ "waiting": 3, "dropped": 0 }));
    registry.run_jobs();
    let got: Vec<String> = receiver.got().iter().map(|one| one.id().to_owned()).collect();
    let in_order: Vec<&str> = waiting.iter().rev().map(|one| one["event"].as_str().unwrap()).collect();
    assert_eq!(got, in_order);
    assert_eq!(shown(&ann, id)["pause"], Value::Null);
    // What is dropped is not delivered, and what comes later is.
    receiver.kinds();
    call("test", json!({})).good();
    call("pause", json!({}));
    assert_eq!(call("resume", json!({ "drop": true })).good().json(), json!({ "waiting": 0, "dropped": 1 }));
    registry.run_jobs();
    assert!(receiver.got().is_empty());
    call("test", json!({})).good();
    registry.run_jobs();
    assert_eq!(receiver.kinds(), ["webhook.test"]);
}

#[test]
fn deliveries_are_listed_in_pages_and_repeated() {
    let (registry, receiver) = with_foo();
    let ann = registry.user("ann");
    let (id, _) = add(&ann, &receiver.url, &json!({ "crate": "foo" }));
    let test = post(&ann, &format!("/{id}/test"), &json!({})).good().json()["delivery"].clone();
    registry.run_jobs();
    let got = receiver.got();
    let list = deliveries(&ann, id, "");
    let newest = &list["deliveries"][0];
    assert_eq!((&newest["id"], &newest["event"]), (&test, &json!(got[1].id())));
    assert_eq!(newest["body"], got[1].json());
    assert_eq!(
        newest["body"]["data"],
        json!({
            "crate": null, "version": null, "subject": null, "by": "ann", "detail": {}, "registry": "http://registry.test",
        })
    );
    assert_eq!((&newest["type"], &newest["status"]), (&json!("webhook.test"), &json!(204)));
    assert!(newest["took_ms"].is_i64() && newest["delivered_at"].is_string() && newest["error"].is_null(), "{newest}");
    let again = post(&ann, &format!("/{id}/deliveries/{test}/redeliver"), &json!({})).good().json();
    receiver.always(GOOD);
    registry.run_jobs();
    assert_eq!(receiver.got()[2].id(), got[1].id());
    let numbers = |list: &Value| -> Vec<i64> {
        list["deliveries"].as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()).collect()
    };
    let all = deliveries(&ann, id, "");
    assert_eq!((numbers(&all)[0], numbers(&all).len()), (again["delivery"].as_i64().unwrap(), 3));
    assert_eq!(all["next"], Value::Null);
    let first = deliveries(&ann, id, "?per_page=2");
    assert_eq!((numbers(&first), &first["next"]), (numbers(&all)[..2].to_vec(), &json!(numbers(&all)[1])));
    let second = deliveries(&ann, id, &format!("?per_page=2&before={}", first["next"]));
    assert_eq!((numbers(&second), &second["next"]), (numbers(&all)[2..].to_vec(), &Value::Null));
    // Full pages have no empty one behind them.
    assert_eq!(deliveries(&ann, id, "?per_page=3")["next"], Value::Null);
    for (query, expected) in [
        ("per_page=0", "the query parameter `per_page` is `0`: it must be a number from 1 to 100"),
        ("per_page=101", "the query parameter `per_page` is `101`: it must be a number from 1 to 100"),
        ("before=x", "the query parameter `before` is `x`: it must be the number that `next` of the previous page has"),
    ] {
        let refused = ann.get(&format!("{WEBHOOKS}/{id}/deliveries?{query}"));
        assert_eq!(refusal(&refused, StatusCode::BAD_REQUEST), expected);
    }
}

#[test]
fn the_types_of_events_are_public() {
    let registry = TestRegistry::new();
    let list = registry.anonymous().get(&format!("{WEBHOOKS}/events")).good().json();
    let types = list["events"].as_array().unwrap();
    assert_eq!(types[0], json!({ "type": "version.published", "tells": "the index shows a new version" }));
    assert!(types.len() > 20 && types.iter().any(|one| one["type"] == "webhook.test"), "{list}");
    for method in [Method::PATCH, Method::DELETE] {
        let refused = registry.admin("root").request(method, &format!("{WEBHOOKS}/events"), "{}");
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{}", refused.text());
    }
}
