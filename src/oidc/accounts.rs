//! The numbers of accounts at GitHub. A name can be given up and taken by another account; a number cannot.

use serde::Deserialize;

use super::keys::IssuerKeys;
use crate::database::catalog::publisher_refusal::PublisherRefusal;
use crate::database::publishers::issuers::Issuer;
use crate::database::publishers::origin::server;
use crate::database::publishers::rule::Rule;

#[derive(Deserialize)]
struct Answer {
    id: i64,
}

impl IssuerKeys {
    /// Pins the number of the account that a rule names, as the server of its issuer has it. A server that does not say it, or
    /// cannot be reached, leaves it to the first ID token.
    pub fn pin_owner(&self, issuer: &Issuer, rule: &mut Rule) -> Result<(), PublisherRefusal> {
        let Rule::Workflow { owner, owner_id: id @ None, .. } = rule else { return Ok(()) };
        let Some((server, path)) = api(&issuer.url) else { return Ok(()) };
        let url = format!("{server}{path}{owner}");
        let problem = match self.http.status_and_document::<Answer>(&url, None) {
            Ok((200, Some(answer))) => {
                *id = Some(answer.id.to_string());
                return Ok(());
            }
            Ok((404, _)) => return Err(PublisherRefusal::NoAccount { owner: owner.clone(), server }),
            Ok((status, _)) => format!("{url} answered {status}"),
            Err(problem) => problem,
        };
        tracing::info!(problem, "the number of an account is pinned at its first publish");
        Ok(())
    }
}

/// The server's API, and the path of accounts. Forgejo is not asked: the ID tokens of its older versions have no number.
fn api(issuer: &str) -> Option<(String, &'static str)> {
    let server = server(issuer);
    let host = server.trim_start_matches("https://");
    match host {
        "github.com" => Some(("https://api.github.com".to_owned(), "/users/")),
        _ if host.ends_with(".ghe.com") => Some((format!("https://api.{host}"), "/users/")),
        _ => issuer.trim_end_matches('/').ends_with("/_services/token").then_some((server, "/api/v3/users/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_asked_for_where_the_server_has_them() {
        let url = |issuer| api(issuer).map(|(server, path)| server + path);
        let public = "https://api.github.com/users/";
        assert_eq!(url("https://token.actions.githubusercontent.com").as_deref(), Some(public));
        assert_eq!(url("https://token.actions.githubusercontent.com/acme").as_deref(), Some(public));
        assert_eq!(url("https://token.actions.acme.ghe.com").as_deref(), Some("https://api.acme.ghe.com/users/"));
        assert_eq!(url("https://ghes.test/_services/token").as_deref(), Some("https://ghes.test/api/v3/users/"));
        assert_eq!(url("https://forgejo.test/api/actions"), None);
        assert_eq!(url("https://token.actions.githubusercontent.com.evil.test"), None);
    }
}
