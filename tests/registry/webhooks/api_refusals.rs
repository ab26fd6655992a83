//! What cannot be meant is refused by the API of webhooks, with the remedy.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::harness::TestRegistry;
use crate::support::package::Package;

const WEBHOOKS: &str = "/api/v1/webhooks";
const GOOD: &str = "https://ci.example.org/hook";

fn with_foo() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    registry
}

/// Stores a webhook that no job delivers to; returns its number.
fn stored(registry: &TestRegistry) -> i64 {
    let ann = registry.user("ann");
    let wanted = json!({ "url": GOOD, "crate": "foo" }).to_string();
    let made = ann.request(Method::POST, WEBHOOKS, wanted).good().json();
    let id = made["webhook"]["id"].as_i64().unwrap();
    let pause = ann.request(Method::POST, &format!("{WEBHOOKS}/{id}/pause"), "{}");
    assert_eq!(pause.status, StatusCode::NO_CONTENT);
    registry.run_jobs();
    id
}

fn refused(registry: &TestRegistry, call: (Method, &str), body: String, (status, text): (u16, &str)) {
    let (method, path) = call;
    let answer = registry.user("ann").request(method.clone(), &format!("{WEBHOOKS}{path}"), body.clone());
    assert_eq!(answer.status.as_u16(), status, "{method} {path} {body}: {}", answer.text());
    assert!(answer.detail().contains(text), "{method} {path} {body}: {}", answer.detail());
}

#[test]
fn a_webhook_that_cannot_be_meant_is_refused_with_the_remedy() {
    let registry = with_foo();
    let long = format!("https://ci.example.org/{}", "x".repeat(2000));
    let good = json!({ "url": GOOD, "crate": "foo" });
    let rows: [(Value, (u16, &str)); 20] = [
        (
            json!({ "url": "ci.example.org/hook" }),
            (400, "\"ci.example.org/hook\" cannot be the URL of a webhook: give one with https"),
        ),
        (json!({ "url": "ftp://ci.example.org/" }), (400, "cannot be the URL of a webhook")),
        (json!({ "url": "https://ann:secret@ci.example.org/" }), (400, "without user, password and fragment")),
        (json!({ "url": "https://ci.example.org/#x" }), (400, "without user, password and fragment")),
        (json!({ "url": "https://ci.example.org:0/" }), (400, "cannot be the URL of a webhook")),
        (json!({ "url": long }), (400, "of at most 2000 bytes")),
        (json!({ "url": "" }), (400, "\"\" cannot be the URL of a webhook")),
        (json!({ "url": 1 }), (400, "the request's JSON cannot be read at url")),
        (json!({ "events": [] }), (400, "give `*` for all")),
        (
            json!({ "events": ["version"] }),
            (400, "\"version\" is no type of event: use one such as `version.published`"),
        ),
        (json!({ "events": ["version.*", "other.*"] }), (400, "\"other.*\" is no type of event")),
        (json!({ "events": "version.*" }), (400, "cannot be read at events")),
        (
            json!({ "description": "x".repeat(201) }),
            (400, "the description has 201 characters, above the limit of 200: shorten it"),
        ),
        (json!({ "description": "a\u{1b}b" }), (400, "U+001B (a control character) at position 2")),
        (json!({ "team": "crew" }), (400, "leave out one of the two")),
        (json!({ "crate": "nosuch" }), (404, "there is no crate `nosuch`")),
        (json!({ "crate": "a b" }), (404, "there is no crate `a b`")),
        (json!({ "crate": null, "team": "nosuch" }), (404, "nosuch")),
        (json!({ "event": ["version.*"] }), (400, "unknown field `event`")),
        (json!({ "secret": "whsec_x" }), (400, "unknown field `secret`")),
    ];
    for (change, expected) in rows {
        let mut wanted = good.clone();
        crate::support::issuer::merge(&mut wanted, &change);
        refused(&registry, (Method::POST, ""), wanted.to_string(), expected);
    }
    refused(&registry, (Method::POST, ""), String::new(), (400, "the body is empty"));
    refused(&registry, (Method::POST, ""), format!("[\"{GOOD}\"]"), (400, "it is an array"));
    refused(&registry, (Method::POST, ""), "x".repeat(65 * 1024), (413, "65536: shorten it"));
    assert_eq!(registry.user("ann").get(&format!("{WEBHOOKS}?crate=foo")).good().json(), json!({ "webhooks": [] }));
    for (query, expected) in [
        ("?crate=foo&team=crew", (400, "leave out one of the two")),
        ("?crate=nosuch", (404, "there is no crate `nosuch`")),
        ("?crate=%00", (404, "there is no crate")),
        ("?team=nosuch", (404, "nosuch")),
        ("?team=%00", (404, "team")),
    ] {
        refused(&registry, (Method::GET, query), String::new(), expected);
    }
}

#[test]
fn a_change_that_cannot_be_meant_is_refused_with_the_remedy() {
    let registry = with_foo();
    let id = stored(&registry);
    let (itself, pause) = (format!("/{id}"), format!("/{id}/pause"));
    let (resume, secret) = (format!("/{id}/resume"), format!("/{id}/secret"));
    let rows: [(Method, &str, Value, (u16, &str)); 12] = [
        (Method::PATCH, &itself, json!({ "url": "http://" }), (400, "\"http://\" cannot be the URL of a webhook")),
        (Method::PATCH, &itself, json!({ "events": [] }), (400, "give `*` for all")),
        (Method::PATCH, &itself, json!({ "events": ["Version.*"] }), (400, "is no type of event")),
        (Method::PATCH, &itself, json!({ "description": "x".repeat(201) }), (400, "201 characters")),
        (Method::PATCH, &itself, json!({ "crate": "bar" }), (400, "unknown field `crate`")),
        (Method::POST, &pause, json!({ "reason": "x".repeat(201) }), (400, "has 201 characters")),
        (Method::POST, &pause, json!({ "reason": "a\nb" }), (400, "U+000A")),
        (Method::POST, &pause, json!({ "why": "x" }), (400, "unknown field `why`")),
        (Method::POST, &resume, json!({ "drop": "yes" }), (400, "cannot be read at drop")),
        (Method::POST, &secret, json!({ "overlap_seconds": -1 }), (400, "cannot be read at overlap_seconds")),
        (
            Method::POST,
            &secret,
            json!({ "overlap_seconds": 2_592_001 }),
            (400, "`overlap_seconds` is 2592001: it must be a number from 0 to 2592000, which is 30 days"),
        ),
        (Method::POST, &resume, Value::Null, (400, "cannot be read")),
    ];
    for (method, path, body, expected) in rows {
        refused(&registry, (method, path), body.to_string(), expected);
    }
    let shown = registry.user("ann").get(&format!("{WEBHOOKS}/{id}")).good().json()["webhook"].take();
    assert_eq!((&shown["url"], &shown["events"], &shown["state"]), (&json!(GOOD), &json!(["*"]), &json!("paused")));
    registry.user("ann").request(Method::POST, &format!("{WEBHOOKS}{secret}"), r#"{"overlap_seconds":2592000}"#).good();
}

#[test]
fn what_does_not_exist_is_not_found() {
    let registry = with_foo();
    let id = stored(&registry);
    for unknown in ["2000000000", "3000000000", "-1", "x", "1.0", "%00", "%ff"] {
        let number = if unknown.starts_with('%') { "" } else { unknown };
        let expected = (404, number);
        for (method, rest, body) in [
            (Method::GET, "", ""),
            (Method::PATCH, "", "{}"),
            (Method::DELETE, "", ""),
            (Method::POST, "/pause", "{}"),
            (Method::POST, "/resume", "{}"),
            (Method::POST, "/test", ""),
            (Method::POST, "/secret", "{}"),
            (Method::GET, "/deliveries", ""),
            (Method::POST, "/deliveries/1/redeliver", ""),
        ] {
            refused(&registry, (method, &format!("/{unknown}{rest}")), body.to_owned(), expected);
        }
    }
    for delivery in ["0", "x", "99999999999999999999"] {
        let path = format!("/{id}/deliveries/{delivery}/redeliver");
        let expected = format!("the webhook {id} has no delivery {delivery}: check its number in the list");
        refused(&registry, (Method::POST, &path), String::new(), (404, &expected));
    }
    // Nor is that of another webhook.
    let other = stored(&registry);
    let list = registry.user("ann").get(&format!("{WEBHOOKS}/{other}/deliveries")).good().json();
    let path = format!("/{id}/deliveries/{}/redeliver", list["deliveries"][0]["id"]);
    refused(&registry, (Method::POST, &path), String::new(), (404, "has no delivery"));
    assert_eq!(registry.user("ann").request(Method::DELETE, &format!("{WEBHOOKS}/{id}"), "").status, 204);
    refused(
        &registry,
        (Method::DELETE, &format!("/{id}")),
        String::new(),
        (404, &format!("there is no webhook {id}:")),
    );
}

#[test]
fn a_crate_has_twenty_webhooks_at_most() {
    let registry = with_foo();
    for _ in 0..20 {
        stored(&registry);
    }
    let wanted = json!({ "url": GOOD, "crate": "foo" }).to_string();
    let text = "the crate `foo` has 20 webhooks already: remove one of them";
    refused(&registry, (Method::POST, ""), wanted, (409, text));
    // Those of another one are counted separately.
    registry.user("ann").publish(&Package::new("bar", "1.0.0")).good();
    registry.run_jobs();
    let wanted = json!({ "url": GOOD, "crate": "bar" }).to_string();
    let other = registry.user("ann").request(Method::POST, WEBHOOKS, wanted).good().json();
    let path = format!("{WEBHOOKS}/{}", other["webhook"]["id"]);
    assert_eq!(registry.user("ann").request(Method::DELETE, &path, "").status, StatusCode::NO_CONTENT);
    registry.run_jobs();
}
