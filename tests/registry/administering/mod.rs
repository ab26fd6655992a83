//! The API for admins: users, teams, names, limits, tokens of others, and jobs.
//!
//! | file | content |
//! |---|---|
//! | `rights` | who may, and how a token gets the scope |
//! | `users` | users who come, change and leave, and their tokens |
//! | `names` | teams, reserved names and limits |
//! | `jobs` | the queue |
//! | `secrets` | what is in no log |

mod jobs;
mod names;
mod rights;
mod secrets;
mod users;

use axum::http::{Method, StatusCode};
use serde_json::Value;
use supercargo::database::access::new_token::NewToken;

use crate::support::harness::{Answer, Client, TestRegistry};

/// A token that is restricted to scopes.
fn scoped(scopes: &[&str]) -> NewToken {
    let scopes = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
    NewToken { scopes: Some(scopes), ..NewToken::named("restricted") }
}

/// An admin's program.
fn provisioner(registry: &TestRegistry) -> Client<'_> {
    registry.admin("root");
    registry.user_with("root", scoped(&["administer"]))
}

impl Client<'_> {
    fn send_json(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.request(method, &format!("/api/v1/admin/{path}"), body.to_string())
    }

    fn administer(&self, method: Method, path: &str) -> Answer {
        self.request(method, &format!("/api/v1/admin/{path}"), "")
    }
}

/// Asserts a refusal, and answers its detail.
fn refused(answer: &Answer, status: StatusCode) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.detail()
}

/// The newest entries of the audit log, `actor action subject` each, the oldest first.
fn logged(registry: &TestRegistry, count: usize) -> Vec<String> {
    let list = registry.admin("looks").get(&format!("/api/v1/admin/audit?per_page={count}")).good().json();
    let mut lines: Vec<String> = list["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |field: &str| entry[field].as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {}",
                text("actor"),
                text("action"),
                entry["subject"].as_str().or(entry["crate"].as_str()).unwrap_or("-")
            )
        })
        .collect();
    lines.reverse();
    lines
}
