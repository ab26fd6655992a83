//! Trusted publishing: CI systems publish with ID tokens instead of a token of a user.

mod cargo;
mod commands;
mod configuring;
mod exchanging;
mod hostile;
mod publishing;
mod slow;
mod staging;

use axum::http::{Method, StatusCode};
use diesel::RunQueryDsl;
use serde_json::{Value, json};

use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::issuer::Issuer;
use crate::support::package::Package;

const TOKENS: &str = "/api/v1/trusted_publishing/tokens";
/// Of the registry at `http://registry.test`.
const AUDIENCE: &str = "registry.test";

/// Runs a statement on the registry's database.
fn execute(registry: &TestRegistry, statement: &str) -> usize {
    registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap()
}

/// The number that a statement gives.
fn count(registry: &TestRegistry, statement: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let row = registry.pool.with(|connection| diesel::sql_query(statement).get_result::<Row>(connection).unwrap());
    row.unwrap().count
}

/// Has the registry accept the ID tokens of an issuer.
fn accept(registry: &TestRegistry, provider: &str, issuer: &Issuer) {
    execute(registry, &format!("INSERT INTO trusted_issuers (provider, url) VALUES ('{provider}', '{}')", issuer.url));
}

/// A GitHub whose account `acme` has the number 42.
fn github(registry: &TestRegistry) -> Issuer {
    let issuer = Issuer::new("/_services/token");
    issuer.put("/api/v3/users/acme", json!({ "login": "acme", "id": 42 }));
    accept(registry, "github", &issuer);
    issuer
}

/// A registry with ann's `foo` 1.0.0, for which `release.yml` of acme/widgets is a trusted publisher.
fn with_foo() -> (TestRegistry, Issuer) {
    let registry = TestRegistry::new();
    let issuer = github(&registry);
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    trust(&ann, &issuer, "foo").good();
    (registry, issuer)
}

/// Adds `release.yml` of acme/widgets for crates.
fn trust(client: &Client<'_>, issuer: &Issuer, crates: &str) -> Answer {
    let config = json!({
        "crate": crates, "repository_owner": "acme", "repository_name": "widgets", "workflow_filename": "release.yml",
        "environment": null, "issuer": issuer.url,
    });
    client.request(
        Method::POST,
        "/api/v1/trusted_publishing/github_configs",
        json!({ "github_config": config }).to_string(),
    )
}

fn add(client: &Client<'_>, config: &Value) -> Answer {
    client.request(Method::POST, "/api/v1/trusted_publishing/configs", json!({ "config": config }).to_string())
}

fn exchange(registry: &TestRegistry, jwt: &str) -> Answer {
    registry.anonymous().request(Method::POST, TOKENS, json!({ "jwt": jwt }).to_string())
}

/// A client with the token that an ID token is exchanged for.
fn exchanged<'a>(registry: &'a TestRegistry, jwt: &str) -> Client<'a> {
    let answer = exchange(registry, jwt).good();
    registry.with_token(answer.json()["token"].as_str().unwrap())
}

/// A client that has exchanged the ID token of a run at GitHub.
fn run<'a>(registry: &'a TestRegistry, issuer: &Issuer) -> Client<'a> {
    exchanged(registry, &issuer.key.sign(&issuer.of_github(AUDIENCE)))
}

/// The detail of a refusal with this status.
fn refusal(answer: &Answer, status: StatusCode) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.detail()
}

fn version(registry: &TestRegistry, name: &str, num: &str) -> Value {
    registry.anonymous().get(&format!("/api/v1/crates/{name}/{num}")).good().json()["version"].clone()
}
