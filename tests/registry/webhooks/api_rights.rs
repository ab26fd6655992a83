//! Who may do what with the API of webhooks.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use supercargo::database::access::new_token::NewToken;

use super::api::{WEBHOOKS, add, deliveries, execute, post, refusal, with_foo};
use crate::support::harness::{Client, TestRegistry};

fn scoped<'a>(registry: &'a TestRegistry, login: &str, scope: &str, crates: Option<&str>) -> Client<'a> {
    let token = NewToken {
        scopes: Some(vec![scope.parse().unwrap()]),
        crate_patterns: crates.map(|pattern| vec![pattern.parse().unwrap()]),
        ..NewToken::named("scoped")
    };
    registry.user_with(login, token)
}

/// The statuses of everything that somebody may try with one webhook; a success is 200.
fn attempts(registry: &TestRegistry, client: &Client<'_>, (url, whose): (&str, &Value)) -> Vec<(&'static str, u16)> {
    let root = registry.admin("root");
    let (id, _) = add(&root, url, whose);
    let delivery = deliveries(&root, id, "")["deliveries"][0]["id"].as_i64().unwrap();
    let of = whose.as_object().unwrap().iter().map(|(kind, name)| format!("?{kind}={}", name.as_str().unwrap()));
    let list = client.get(&format!("{WEBHOOKS}{}", of.collect::<String>()));
    let mut wanted = whose.clone();
    wanted["url"] = url.into();
    let update = client.request(Method::PATCH, &format!("{WEBHOOKS}/{id}"), json!({ "events": ["*"] }).to_string());
    let answers = [
        ("list", list),
        ("add", post(client, "", &wanted)),
        ("show", client.get(&format!("{WEBHOOKS}/{id}"))),
        ("update", update),
        ("deliveries", client.get(&format!("{WEBHOOKS}/{id}/deliveries"))),
        ("pause", post(client, &format!("/{id}/pause"), &json!({}))),
        ("resume", post(client, &format!("/{id}/resume"), &json!({}))),
        ("test", post(client, &format!("/{id}/test"), &json!({}))),
        ("secret", post(client, &format!("/{id}/secret"), &json!({}))),
        ("redeliver", post(client, &format!("/{id}/deliveries/{delivery}/redeliver"), &json!({}))),
        ("remove", client.request(Method::DELETE, &format!("{WEBHOOKS}/{id}"), "")),
    ];
    let statuses = answers.map(|(what, answer)| match answer.status {
        StatusCode::NO_CONTENT => (what, 200),
        status => (what, status.as_u16()),
    });
    execute(registry, "DELETE FROM webhooks");
    statuses.to_vec()
}

#[test]
fn owners_have_the_webhooks_of_crates_members_those_of_teams_and_admins_all() {
    let (registry, receiver) = with_foo();
    registry.admin("root");
    for login in ["carl", "dora"] {
        registry.user(login);
        execute(
            &registry,
            &format!(
                "INSERT INTO crate_owners (crate_id, user_id) SELECT crates.id, users.id FROM crates, users
                 WHERE login = '{login}'"
            ),
        );
        execute(
            &registry,
            &format!("INSERT INTO team_members SELECT teams.id, users.id FROM teams, users WHERE login = '{login}'"),
        );
    }
    execute(&registry, "UPDATE users SET role = 'read-only' WHERE login = 'carl'");
    execute(&registry, "UPDATE users SET role = 'auditor' WHERE login = 'dora'");
    let kinds = [json!({ "crate": "foo" }), json!({ "team": "crew" }), json!({})];
    // What a webhook is of: a crate, a team, everything.
    let rows = [
        ("an owner", registry.user("ann"), [200, 403, 403]),
        ("a member of a team that owns the crate", registry.user("bob"), [403, 200, 403]),
        ("another user", registry.user("eve"), [403, 403, 403]),
        ("an admin", registry.admin("root"), [200, 200, 200]),
        ("an owner and member who may only read", registry.user("carl"), [403, 403, 403]),
        ("an owner and member who audits", registry.user("dora"), [403, 403, 403]),
        ("an owner's token that reads", scoped(&registry, "ann", "read", None), [403, 403, 403]),
        ("an owner's token that publishes", scoped(&registry, "ann", "publish-update", None), [403, 403, 403]),
        ("an owner's token for owners", scoped(&registry, "ann", "change-owners", None), [200, 403, 403]),
        ("the same for this crate", scoped(&registry, "ann", "change-owners", Some("foo*")), [200, 403, 403]),
        ("the same for another crate", scoped(&registry, "ann", "change-owners", Some("bar")), [403, 403, 403]),
        ("a member's token for owners", scoped(&registry, "bob", "change-owners", None), [403, 403, 403]),
        ("an admin's token for owners", scoped(&registry, "root", "change-owners", None), [403, 403, 403]),
        ("somebody without a token", registry.anonymous(), [401, 401, 401]),
    ];
    for (who, client, expected) in rows {
        for (whose, expected) in kinds.iter().zip(expected) {
            for (what, status) in attempts(&registry, &client, (&receiver.url, whose)) {
                assert_eq!(status, expected, "{who}: {what} a webhook of {whose}");
            }
        }
    }
    registry.run_jobs();
    assert!(receiver.got().is_empty());
}

#[test]
fn a_refusal_says_who_may() {
    let (registry, receiver) = with_foo();
    let refused = |client: &Client<'_>, whose: &Value| {
        let mut wanted = whose.clone();
        wanted["url"] = receiver.url.clone().into();
        refusal(&post(client, "", &wanted), StatusCode::FORBIDDEN)
    };
    let (of_foo, of_crew, of_all) = (json!({ "crate": "foo" }), json!({ "team": "team:Crew" }), json!({}));
    let (eve, bob) = (registry.user("eve"), registry.user("bob"));
    insta::assert_snapshot!(refused(&eve, &of_foo), @"`eve` is not an owner of the crate `foo`: ask one of its owners (ann, team:crew) to add you");
    insta::assert_snapshot!(refused(&bob, &of_foo), @"`bob` may publish and yank `foo` as a member of a team, but cannot change its owners or settings: ask one of its owners (ann)");
    insta::assert_snapshot!(refused(&eve, &of_crew), @"`eve` is not a member of the team `crew`, whose webhooks this concerns: ask an admin");
    insta::assert_snapshot!(refused(&eve, &of_all), @"`eve` is not an admin, and admins manage the webhooks of the whole registry: name a crate or a team of yours");
    insta::assert_snapshot!(refused(&scoped(&registry, "ann", "read", None), &of_foo), @"the token `scoped` needs the scope change-owners, and has read: create a token with that scope, or one without restrictions");
    insta::assert_snapshot!(refused(&scoped(&registry, "ann", "change-owners", Some("bar")), &of_foo), @"the token `scoped` is restricted to bar and not valid for the crate `foo`: create a token for this crate, or one without restrictions");
    insta::assert_snapshot!(refused(&scoped(&registry, "bob", "change-owners", None), &of_crew), @"the token `scoped` is restricted to change-owners: use a token without restrictions");
}
