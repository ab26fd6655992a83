//! The numbers of accounts at GitHub. A name can be given up and taken by somebody else; a number cannot.

use serde::Deserialize;

use super::keys::IssuerKeys;
use crate::database::publishers::origin::GITHUB;

/// What a server says about an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    Found(String),
    /// There is no such account.
    Missing {
        server: String,
    },
    /// The server did not say: it wants authentication, or cannot be reached.
    Unknown,
}

#[derive(Deserialize)]
struct Answer {
    id: i64,
}

impl IssuerKeys {
    /// Asks the server of an issuer for the number of an account.
    pub fn account(&self, issuer: &str, name: &str) -> Account {
        let Some((server, path)) = api(issuer) else { return Account::Unknown };
        let url = format!("{server}{path}{name}");
        match self.status_and_document::<Answer>(&url) {
            Ok((200, Some(answer))) => Account::Found(answer.id.to_string()),
            Ok((404, _)) => Account::Missing { server },
            Ok((status, _)) => {
                tracing::info!(url, status, "the number of an account is pinned at its first publish");
                Account::Unknown
            }
            Err(problem) => {
                tracing::info!(problem, "the number of an account is pinned at its first publish");
                Account::Unknown
            }
        }
    }
}

/// The server's API, and the path of accounts. Forgejo is not asked: the ID tokens of its older versions have no number.
fn api(issuer: &str) -> Option<(String, &'static str)> {
    let issuer = issuer.trim_end_matches('/');
    if issuer == GITHUB || issuer.starts_with(&format!("{GITHUB}/")) {
        return Some(("https://api.github.com".to_owned(), "/users/"));
    }
    if let Some(host) = issuer.strip_prefix("https://token.actions.").filter(|host| host.ends_with(".ghe.com")) {
        return Some((format!("https://api.{host}"), "/users/"));
    }
    Some((issuer.strip_suffix("/_services/token")?.to_owned(), "/api/v3/users/"))
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
