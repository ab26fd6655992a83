//! Release sets: versions that are staged, and published together or not at all.

mod approving;
mod attacks;
mod commands;
mod documented;
mod policy;
mod races;
mod rights;
mod together;
mod workspaces;

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::package::Package;

/// Publishes into a set.
pub(crate) fn stage(client: &Client<'_>, set: &str, package: &Package) -> Answer {
    client.request(Method::PUT, &format!("/stage/{set}/api/v1/crates/new"), package.body())
}

pub(crate) fn approve(client: &Client<'_>, set: &str) -> Answer {
    client.request(Method::PUT, &format!("/api/v1/release-sets/{set}/approve"), "")
}

fn reject(client: &Client<'_>, set: &str, reason: &str) -> Answer {
    let body = json!({ "reason": reason }).to_string();
    client.request(Method::PUT, &format!("/api/v1/release-sets/{set}/reject"), body)
}

fn create(client: &Client<'_>, set: &Value) -> Answer {
    client.request(Method::POST, "/api/v1/release-sets", set.to_string())
}

fn shown(client: &Client<'_>, set: &str) -> Value {
    client.get(&format!("/api/v1/release-sets/{set}")).good().json()["release_set"].clone()
}

/// The numbers that an index shows of a crate; those of yanked versions end in `!`.
fn numbers(client: &Client<'_>, index: &str, path: &str) -> Vec<String> {
    let answer = client.get(&format!("{index}/{path}"));
    if answer.status == 404 {
        return Vec::new();
    }
    let number = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        format!("{}{}", line["vers"].as_str().unwrap(), if line["yanked"] == true { "!" } else { "" })
    };
    answer.good().text().lines().map(number).collect()
}

/// Ann's registry, in which `foo` and `bar` 1.0.0 are published.
fn with_two() -> TestRegistry {
    let registry = TestRegistry::new();
    for name in ["foo", "bar"] {
        registry.user("ann").publish(&Package::new(name, "1.0.0")).good();
    }
    registry.run_jobs();
    registry
}
