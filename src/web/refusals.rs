//! Refused requests (401 and 403) in the log: who, from where, and why; a bounded number of lines per client.

use std::sync::LazyLock;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use super::client_address::{AddressBlock, ClientAddress};
use super::limits::client_log_limit::ClientLogLimit;
use super::measures::denials;
use crate::database::access::tokens::Token;
use crate::database::access::users::User;
use crate::package::characters::plain;

static LINES: LazyLock<ClientLogLimit> = LazyLock::new(ClientLogLimit::default);

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenProblem {
    Unknown,
    Revoked,
    Expired,
    UserDisabled,
    UserRemoved,
}

impl TokenProblem {
    /// Whether all tokens of the user are refused.
    pub fn is_of_user(self) -> bool {
        matches!(self, Self::UserDisabled | Self::UserRemoved)
    }

    /// The label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unknown => denials::UNKNOWN_TOKEN,
            Self::Revoked => denials::REVOKED_TOKEN,
            Self::Expired => denials::EXPIRED_TOKEN,
            Self::UserDisabled => "disabled_user",
            Self::UserRemoved => "removed_user",
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::UserDisabled => "user disabled",
            Self::UserRemoved => "user removed",
        }
    }
}

/// A token that is refused.
#[derive(Clone, Debug)]
pub struct RefusedToken {
    pub problem: TokenProblem,
    /// The sentence for the client.
    pub detail: String,
    /// Its user and its row, or the first digits of its SHA-256.
    pub known_as: Result<Box<(User, Token)>, String>,
}

/// Why a request was refused, as an extension of the response.
#[derive(Clone, Debug)]
pub enum RefusedRequest {
    /// A private registry asks for a token. cargo and git send one only after that, so this is no failure.
    Challenge,
    Token(Box<RefusedToken>),
    /// The status, and the sentence for the client.
    Other(u16, String),
}

/// Logs a response that is a refusal.
pub async fn log(request: Request, next: Next) -> Response {
    let client = request.extensions().get::<ClientAddress>().copied().unwrap_or_default();
    let response = next.run(request).await;
    if let Some(refusal) = response.extensions().get::<RefusedRequest>() {
        write(refusal, client);
    }
    response
}

/// The line is in the span of the request, which has its client, its id and, if the token is valid, its user.
fn write(refusal: &RefusedRequest, client: ClientAddress) {
    if let RefusedRequest::Challenge = refusal {
        tracing::debug!("asked for a token");
        return;
    }
    let Some(omitted) = LINES.count(client.ip().map(AddressBlock::from)) else { return };
    let omitted = Some(omitted).filter(|count| *count > 0);
    match refusal {
        RefusedRequest::Token(refused) => {
            let reason = refused.problem.as_str();
            match &refused.known_as {
                Ok(known) => {
                    let (user, token) = (plain(&known.0.login), plain(&known.1.name));
                    let (user, token, token_id) = (&*user, &*token, known.1.id);
                    tracing::info!(reason, user, token, token_id, omitted, "refused a token");
                }
                Err(token_sha256) => tracing::info!(reason, token_sha256, omitted, "refused a token"),
            }
        }
        RefusedRequest::Other(status, reason) => tracing::info!(status, reason, omitted, "refused a request"),
        RefusedRequest::Challenge => {}
    }
}
