//! Who may say who publishes what, in the shapes of crates.io.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use supercargo::database::access::new_token::NewToken;

use super::{AUDIENCE, add, count, exchange, refusal, trust, with_foo};
use crate::support::harness::Client;
use crate::support::package::Package;

const GITHUB: &str = "/api/v1/trusted_publishing/github_configs";

fn scoped<'a>(registry: &'a crate::support::harness::TestRegistry, scope: &str, crates: &str) -> Client<'a> {
    let token = NewToken {
        name: "scoped".to_owned(),
        scopes: Some(vec![scope.parse().unwrap()]),
        crate_patterns: (!crates.is_empty()).then(|| vec![crates.parse().unwrap()]),
        expires_at: None,
    };
    registry.user_with("ann", token)
}

#[test]
fn a_configuration_has_the_shape_of_crates_io() {
    let (registry, issuer) = with_foo();
    let ann = registry.user("ann");
    let listed = ann.get(&format!("{GITHUB}?crate=foo")).good();
    assert_eq!(listed.headers["cache-control"], "no-store");
    let mut list = listed.json();
    let config = &mut list["github_configs"][0];
    assert!(config["created_at"].as_str().unwrap().ends_with('Z') && config["id"].is_i64());
    (config["created_at"], config["id"]) = (json!("…"), json!(1));
    let expected = json!({
        "github_configs": [{
            "id": 1, "crate": "foo", "repository_owner": "acme", "repository_owner_id": 42, "repository_name": "widgets",
            "workflow_filename": "release.yml", "environment": null, "issuer": issuer.url, "stage_only": false,
            "created_at": "…",
        }],
        "meta": { "total": 1, "next_page": null },
    });
    assert_eq!(list, expected);
    let id = ann.get("/api/v1/me").good().json()["user"]["id"].clone();
    assert_eq!(ann.get(&format!("{GITHUB}?user_id={id}")).good().json()["meta"]["total"], 1);
    assert_eq!(ann.get("/api/v1/trusted_publishing/gitlab_configs?crate=foo").good().json()["meta"]["total"], 0);
    for query in ["", "?crate=foo&user_id=1", "?user_id=x"] {
        assert_eq!(ann.get(&format!("{GITHUB}{query}")).status, StatusCode::BAD_REQUEST, "{query}");
    }
    assert_eq!(ann.get(&format!("{GITHUB}?user_id=999999")).status, StatusCode::FORBIDDEN);
    assert_eq!(ann.get(&format!("{GITHUB}?crate=nosuch")).status, StatusCode::NOT_FOUND);
}

#[test]
fn only_owners_and_admins_configure_a_crate() {
    let (registry, issuer) = with_foo();
    let (eve, root) = (registry.user("eve"), registry.admin("root"));
    let ann = registry.user("ann");
    let number = ann.get(&format!("{GITHUB}?crate=foo")).good().json()["github_configs"][0]["id"].clone();
    let path = format!("{GITHUB}/{number}");
    let other = json!({
        "crate": "foo", "provider": "github", "issuer": issuer.url, "repository": "acme/other", "workflow": "x.yml",
    });
    let attempts = |client: &Client<'_>| {
        [
            add(client, &other).status,
            client.get(&format!("{GITHUB}?crate=foo")).status,
            client.request(Method::DELETE, &path, "").status,
        ]
    };
    for (who, client) in [
        ("another user", &eve),
        ("a token that publishes", &scoped(&registry, "publish-update", "")),
        ("a token for another crate", &scoped(&registry, "trusted-publishing", "bar")),
    ] {
        assert_eq!(attempts(client), [StatusCode::FORBIDDEN; 3], "{who}");
    }
    assert_eq!(attempts(&registry.anonymous()), [StatusCode::UNAUTHORIZED; 3]);
    // A member of a team that owns the crate publishes it, and changes nothing about it.
    super::execute(&registry, "INSERT INTO teams (name) VALUES ('crew')");
    super::execute(
        &registry,
        "INSERT INTO team_members SELECT teams.id, users.id FROM teams, users WHERE login = 'eve'",
    );
    super::execute(&registry, "INSERT INTO crate_team_owners SELECT crates.id, teams.id FROM crates, teams");
    assert_eq!(attempts(&eve), [StatusCode::FORBIDDEN; 3]);
    assert_eq!(count(&registry, "SELECT count(*) FROM trusted_publishers"), 1);
    // One of another kind is not found there.
    let elsewhere = format!("/api/v1/trusted_publishing/gitlab_configs/{number}");
    assert_eq!(ann.request(Method::DELETE, &elsewhere, "").status, StatusCode::NOT_FOUND);
    add(&root, &other).good();
    let scoped = scoped(&registry, "trusted-publishing", "foo");
    assert_eq!(scoped.request(Method::DELETE, &path, "").status, StatusCode::NO_CONTENT);
    assert_eq!(scoped.request(Method::DELETE, &path, "").status, StatusCode::NOT_FOUND);
    let log = root.get("/api/v1/admin/audit?crate=foo").good().json();
    let actions: Vec<&str> =
        log["entries"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["publisher-remove", "publisher-add", "publisher-add", "publish"]);
}

#[test]
fn nothing_is_asked_of_other_servers_for_one_who_may_not() {
    let (registry, issuer) = with_foo();
    let before = issuer.requests();
    assert_eq!(trust(&registry.user("eve"), &issuer, "foo").status, StatusCode::FORBIDDEN);
    assert_eq!(issuer.requests(), before);
}

#[test]
fn owners_see_the_patterns_that_cover_their_crate() {
    let (registry, issuer) = with_foo();
    let ann = registry.user("ann");
    super::execute(&registry, "DELETE FROM trusted_publishers");
    trust(&ann, &issuer, "f*").good();
    trust(&registry.user("eve"), &issuer, "f*").good();
    let list = ann.get("/api/v1/trusted_publishing/configs?crate=foo").good().json();
    assert_eq!((&list["meta"]["total"], &list["configs"][0]["crate"]), (&json!(1), &json!("f*")));
    // It would give nothing once only trusted publishers may publish, and that of an admin would.
    let restrict =
        || ann.request(Method::PATCH, "/api/v1/crates/foo", json!({ "crate": { "trustpub_only": true } }).to_string());
    assert!(refusal(&restrict(), StatusCode::BAD_REQUEST).contains("has no trusted publisher"));
    let root = registry.admin("root");
    let config = json!({
        "crate": "f*", "provider": "github", "issuer": issuer.url, "repository": "acme/widgets", "workflow": "release.yml",
        "owner": "ann",
    });
    add(&root, &config).good();
    restrict().good();
    super::run(&registry, &issuer).publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
}

#[test]
fn a_pattern_is_its_creators_alone() {
    let (registry, issuer) = with_foo();
    let (ann, eve) = (registry.user("ann"), registry.user("eve"));
    trust(&ann, &issuer, "acme-*").good();
    let id = ann.get("/api/v1/me").json()["user"]["id"].clone();
    let list = ann.get(&format!("/api/v1/trusted_publishing/configs?user_id={id}")).good().json();
    assert_eq!((&list["meta"]["total"], &list["configs"][1]["crate"]), (&json!(2), &json!("acme-*")));
    let number = &list["configs"][1]["id"];
    let path = format!("/api/v1/trusted_publishing/configs/{number}");
    assert_eq!(eve.request(Method::DELETE, &path, "").status, StatusCode::NOT_FOUND);
    // A token for some crates cannot give itself others.
    let narrow = trust(&scoped(&registry, "trusted-publishing", "foo"), &issuer, "b-*");
    assert!(refusal(&narrow, StatusCode::FORBIDDEN).contains("restricted to"), "{}", narrow.text());
    assert_eq!(ann.request(Method::DELETE, &path, "").status, StatusCode::NO_CONTENT);
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_remedy() {
    let (registry, issuer) = with_foo();
    let ann = registry.user("ann");
    // GitHub finds an account in any case.
    issuer.put("/api/v3/users/Acme", json!({ "id": 42 }));
    let good = || {
        json!({
            "crate": "foo", "provider": "github", "issuer": issuer.url, "repository": "acme/other", "workflow": "x.yml",
        })
    };
    let rows: [(Value, StatusCode, &str); 19] = [
        (json!({ "crate": "nosuch" }), StatusCode::NOT_FOUND, "no crate `nosuch`"),
        (json!({ "crate": "a b*" }), StatusCode::BAD_REQUEST, "is not a crate pattern"),
        (json!({ "provider": "gitea" }), StatusCode::BAD_REQUEST, "use one of github, gitlab, forgejo, oidc"),
        (json!({ "issuer": "https://evil.test" }), StatusCode::BAD_REQUEST, "supercargo publisher issuer add"),
        (
            json!({ "issuer": "https://gitlab.com" }),
            StatusCode::BAD_REQUEST,
            "\"https://gitlab.com\" is not an issuer of the kind `github`",
        ),
        (json!({ "repository": "acme" }), StatusCode::BAD_REQUEST, "give OWNER/NAME"),
        (json!({ "repository": "../x" }), StatusCode::BAD_REQUEST, "repository owner"),
        (json!({ "repository": "a/b/c" }), StatusCode::BAD_REQUEST, "repository owner"),
        (json!({ "repository": "nobody/x" }), StatusCode::BAD_REQUEST, "there is no account `nobody` at"),
        (json!({ "repository": null }), StatusCode::BAD_REQUEST, "needs a repository"),
        (json!({ "workflow": null }), StatusCode::BAD_REQUEST, "needs a workflow"),
        (json!({ "workflow": ".github/workflows/x.yml" }), StatusCode::BAD_REQUEST, "without directories"),
        (json!({ "owner_id": "acme" }), StatusCode::BAD_REQUEST, "number of an owner"),
        (json!({ "environment": " " }), StatusCode::BAD_REQUEST, "environment"),
        (json!({ "claims": { "sub": "x" } }), StatusCode::BAD_REQUEST, "has no claims"),
        (json!({ "environments": "release" }), StatusCode::BAD_REQUEST, "unknown field `environments`"),
        (json!({ "provider": "oidc", "issuer": null }), StatusCode::BAD_REQUEST, "has no repository"),
        (
            json!({ "provider": "oidc", "issuer": null, "repository": null, "workflow": null, "name": "x", "claims": { "sub": "y" } }),
            StatusCode::BAD_REQUEST,
            "has to name its issuer (none yet)",
        ),
        (
            json!({ "repository": "Acme/Widgets", "workflow": "release.yml" }),
            StatusCode::CONFLICT,
            "already, with the number",
        ),
    ];
    for (changes, status, expected) in rows {
        let mut config = good();
        crate::support::issuer::merge(&mut config, &changes);
        let answer = add(&ann, &config);
        assert!(refusal(&answer, status).contains(expected), "{changes}: {}", answer.detail());
    }
    for number in 0..4 {
        let mut config = good();
        config["workflow"] = format!("{number}.yml").into();
        add(&ann, &config).good();
    }
    let sixth = add(&ann, &good());
    assert!(refusal(&sixth, StatusCode::CONFLICT).contains("has 5 trusted publishers already"), "{}", sixth.detail());
}

#[test]
fn an_account_that_nobody_tells_is_pinned_by_the_first_id_token() {
    let (registry, issuer) = with_foo();
    super::execute(&registry, "DELETE FROM trusted_publishers");
    // As a server answers that wants authentication.
    issuer.put("/api/v3/users/acme", json!("/login"));
    let ann = registry.user("ann");
    assert_eq!(trust(&ann, &issuer, "foo").good().json()["github_config"]["repository_owner_id"], json!(null));
    let first = exchange(&registry, &issuer.key.sign(&issuer.of_github(AUDIENCE))).good();
    let list = ann.get(&format!("{GITHUB}?crate=foo")).good().json();
    assert_eq!(list["github_configs"][0]["repository_owner_id"], 42);
    let mut taken_over = issuer.of_github(AUDIENCE);
    taken_over["repository_owner_id"] = "43".into();
    let answer = exchange(&registry, &issuer.key.sign(&taken_over));
    assert!(answer.detail().contains("has to be `42` and is `43`"), "{}", answer.detail());
    let token = first.json()["token"].as_str().unwrap().to_owned();
    registry.with_token(&token).publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
}
