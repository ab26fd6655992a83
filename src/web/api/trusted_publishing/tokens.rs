//! `/api/v1/trusted_publishing/tokens`: exchanges an ID token for a token that publishes, for half an hour.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use diesel::Connection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{bad, from};
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::of_token;
use crate::database::access::users;
use crate::database::publishers::exchange::{self, PlainToken};
use crate::database::publishers::issuers;
use crate::jobs::trusted_publishing::exchange::{ExchangeError, Exchanged, Presented};
use crate::oidc::id_token::{LEEWAY, MAX_LENGTH, Unverified};
use crate::oidc::keys::KeyError;
use crate::package::characters::plain;
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::token;
use crate::web::extract::json::unauthenticated_json;
use crate::web::measures::reason;
use crate::web::shortened::shortened;
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// The path, which needs no token in a private registry either.
pub const EXCHANGE: &str = "/api/v1/trusted_publishing/tokens";
/// The largest body, in bytes. A longer ID token is refused with the reason.
const MAX_BODY: usize = 4 * MAX_LENGTH;

/// An ID token.
#[derive(Deserialize, ToSchema)]
#[schema(as = TrustedPublishingExchange)]
pub struct Exchange {
    /// The JWT that the CI system issued, for the audience `HOST[:PORT][/PATH]`: the public URL of this registry without
    /// `https://`.
    jwt: String,
}

/// A token.
#[derive(Serialize, ToSchema)]
#[schema(as = TrustedPublishingToken)]
pub struct Answer {
    /// Valid for 30 minutes, for the crates of the trusted publishers that the ID token is of.
    #[schema(example = "sctp_…")]
    token: String,
}

/// Exchange an ID token for a token that publishes
///
/// Each ID token is exchanged once. It has to be signed with RS256, ES256 or EdDSA by an issuer that this registry accepts.
#[utoipa::path(
    post,
    path = "/api/v1/trusted_publishing/tokens",
    tag = "trusted publishing",
    request_body = Exchange,
    responses((status = 200, body = Answer, description = "The token"), AnyError),
)]
pub async fn exchange(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let from = from(request.extensions());
    let Exchange { jwt } = unauthenticated_json(request, MAX_BODY).await?;
    let exchanged = app.waiting_for_others(move |app| exchange_now(app, &jwt, from)).await?;
    let Exchanged { plain: secret, token, login } = exchanged;
    let provenance = token.trusted.map(|trusted| trusted.provenance);
    let of_run = |get: fn(crate::database::access::provenance::Provenance) -> Option<String>| {
        provenance.clone().and_then(get).map(|text| plain(&text).into_owned()).unwrap_or_default()
    };
    let (run, commit) = (of_run(|provenance| provenance.run_id), of_run(|provenance| provenance.sha));
    tracing::info!(user = %plain(&login), token_id = token.id, run, commit, "exchanged an ID token");
    Ok(unstored(Answer { token: secret.reveal().to_owned() }))
}

fn exchange_now(app: &App, jwt: &str, from: (Option<String>, Option<String>)) -> Result<Exchanged, ApiError> {
    // As `cat` adds it.
    let jwt = jwt.trim();
    let unverified = Unverified::read(jwt).map_err(|error| refused(error.to_string()))?;
    let issuer = app.pool.with(|connection| issuers::find(connection, &unverified.issuer))??.ok_or_else(|| {
        let url = plain(&unverified.issuer);
        refused(format!(
            "this registry accepts no ID tokens of the issuer `{}`: an operator may add it with `supercargo publisher issuer add`",
            shortened(&url)
        ))
    })?;
    let keys = app.issuer_keys.find(&issuer.url, &unverified.kid).map_err(|error| match error {
        KeyError::Unknown { kid, issuer } => {
            let kid = plain(&kid);
            refused(format!(
                "the key `{}` of the ID token is not among the keys of {issuer}: if that has a new key, try again in a minute",
                shortened(&kid)
            ))
        }
        // The endpoint is public, so the answer does not say what is at which address.
        KeyError::Unavailable { issuer, .. } => {
            let detail = format!("the keys of {issuer} cannot be read now: try again in a minute. The server log has the reason");
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(60)
        }
    })?;
    let claims = unverified
        .verify(&keys, audience(&app.settings.base_url))
        .map_err(|error| refused(plain(&error.to_string())))?;
    let presented = Presented { issuer: &issuer, claims: &claims, leeway: LEEWAY, text: jwt, from };
    app.pool.with(|connection| presented.exchange(connection))?.map_err(|error| match error {
        ExchangeError::Pool(error) => error.into(),
        ExchangeError::Database(error) => error.into(),
        ExchangeError::Randomness(error) => ApiError::internal(error),
        error => refused(error.to_string()),
    })
}

/// An ID token that is not exchanged. The log has the reason.
fn refused(detail: impl Into<String>) -> ApiError {
    let detail = detail.into();
    tracing::info!(detail, "refused an ID token");
    bad(detail).because(reason::TRUSTED_PUBLISHING)
}

/// What ID tokens have to be for: the public URL without its scheme.
pub fn audience(base_url: &str) -> &str {
    base_url.split_once("://").map_or(base_url, |(_, rest)| rest).trim_end_matches('/')
}

/// Revoke a token from an exchange
#[utoipa::path(
    delete,
    path = "/api/v1/trusted_publishing/tokens",
    tag = "trusted publishing",
    security(("token" = [])),
    responses((status = 204, description = "The token is not valid any more, or never was"), AnyError),
)]
pub async fn revoke(State(app): State<App>, request: Request) -> Result<StatusCode, ApiError> {
    let (parts, _) = request.into_parts();
    let plain = token(&parts.headers).ok().and_then(|text| PlainToken::parse(&text)).ok_or_else(|| {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "this is no token from an exchange: send it after `Bearer` in the Authorization header",
        )
    })?;
    let from = from(&parts.extensions);
    app.blocking(move |app| {
        Ok(app.pool.with(|connection| {
            connection.transaction(|connection| {
                let Some((token, user)) = exchange::revoke(connection, &plain)? else { return Ok(()) };
                let actor = of_token(&users::read_to_give(connection, user)?, &token, from);
                Event::new(Action::TokenRevoke).about(&token.name).detail(token.describe()).record(connection, &actor)
            })
        })??)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audience_is_the_url_without_its_scheme() {
        for (url, expected) in [
            ("https://crates.example", "crates.example"),
            ("https://crates.example:2274/x", "crates.example:2274/x"),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
        ] {
            assert_eq!(audience(url), expected);
        }
    }
}
