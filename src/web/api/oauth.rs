//! `/api/v1/oauth`: a device gets a token without that its user copies it. Sources: RFC 8628; RFC 6749, sections 5 and 6.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{self, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::trusted_publishing::from;
use crate::database::access::caller::Denied;
use crate::database::access::scope::Scope;
use crate::database::sign_in::attempts::Attempt;
use crate::database::sign_in::devices::{self, Answer, DeviceError, Granted, INTERVAL, MAX_NAME, VALID_FOR, WAITS};
use crate::package::characters::plain;
use crate::web::answers::unstored::unstored;
use crate::web::client_address::AddressBlock;
use crate::web::extract::body;
use crate::web::extract::query::QueryParameters;
use crate::web::views::{AnyError, ErrorDetail};
use crate::web::{ApiError, App, ClientAddress};

/// The paths, which need no token in a private registry either.
pub const OPEN: [&str; 2] = ["/api/v1/oauth/device", "/api/v1/oauth/token"];
/// The only client.
const CLIENT: &str = "cargo-credential-supercargo";
const MAX_BODY: usize = 16 * 1024;
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const REFRESH_TOKEN: &str = "refresh_token";

/// What a device asks for.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct DeviceRequest {
    /// `cargo-credential-supercargo`.
    #[schema(example = "cargo-credential-supercargo")]
    client_id: String,
    /// The scopes of the token, separated by spaces; without it, all rights of the user.
    #[schema(example = "publish-update yank")]
    scope: Option<String>,
    /// What the user recognises the device by, in at most 80 characters.
    #[schema(example = "cargo on laptop")]
    device_name: Option<String>,
}

/// What the device shows to its user, and asks with.
#[derive(Serialize, ToSchema)]
pub struct DeviceAnswer {
    device_code: String,
    #[schema(example = "WDJB-MJHT")]
    user_code: String,
    /// The page on which the user enters the code.
    verification_uri: String,
    /// The same page with the code.
    verification_uri_complete: String,
    /// Seconds.
    expires_in: i64,
    /// The fewest seconds between two requests for the token.
    interval: i64,
}

/// A request for a token.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct DeviceTokenRequest {
    /// `urn:ietf:params:oauth:grant-type:device_code` or `refresh_token`.
    grant_type: String,
    client_id: Option<String>,
    /// For the first.
    device_code: Option<String>,
    /// For the second.
    refresh_token: Option<String>,
}

/// A token.
#[derive(Serialize, ToSchema)]
pub struct DeviceTokenAnswer {
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds.
    expires_in: i64,
    /// Gives another token, once, for thirty days.
    refresh_token: String,
    /// Separated by spaces; missing if the token is not restricted.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// Why there is no token: an error of this API, with what OAuth 2.0 has besides.
#[derive(Serialize)]
struct OAuthError {
    /// As OAuth 2.0 names it: `authorization_pending`, `slow_down`, `access_denied`, `expired_token`, `invalid_grant` and others.
    error: &'static str,
    error_description: String,
    /// The description once more, as every other call of this API has it.
    errors: Vec<ErrorDetail>,
}

fn no_token(error: &'static str, description: impl Into<String>) -> Response {
    let error_description = description.into();
    let errors = vec![ErrorDetail { detail: error_description.clone() }];
    let answer = OAuthError { error, error_description, errors };
    let mut response = unstored(answer);
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Reads a form, or says what is wrong with it.
async fn read(request: Request) -> response::Result<(Parts, QueryParameters)> {
    let (parts, content) = request.into_parts();
    let content = body::read(&parts, content, MAX_BODY, "16384: shorten it").await?;
    let text = std::str::from_utf8(&content)
        .map_err(|_| no_token("invalid_request", "the form is not UTF-8: send it as x-www-form-urlencoded"))?;
    Ok((parts, QueryParameters::form(text)))
}

/// Ask for a token that the user of a device allows on a page
///
/// The device shows `user_code` and `verification_uri`, and asks for the token until the user has decided. An error has `error` and
/// `error_description` as well, as in RFC 6749.
#[utoipa::path(
    post,
    path = "/api/v1/oauth/device",
    tag = "tokens",
    request_body(content = DeviceRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = DeviceAnswer, description = "What the device shows"),
        AnyError,
    ),
)]
pub async fn device(State(app): State<App>, request: Request) -> response::Result<Response> {
    let (parts, sent) = read(request).await?;
    if sent.get("client_id") != Some(CLIENT) {
        return Err(no_token("invalid_client", format!("`client_id` has to be {CLIENT}")).into());
    }
    let scopes = scopes(sent.get("scope").unwrap_or_default()).map_err(|problem| no_token("invalid_scope", problem))?;
    let name: String = plain(sent.text("device_name").unwrap_or_default().trim()).chars().take(MAX_NAME).collect();
    let name = if name.is_empty() { "a device".to_owned() } else { name };
    let client = parts.extensions.get::<ClientAddress>().and_then(|client| client.ip());
    let attempt = Attempt::of_device(&client.map(|ip| AddressBlock::from(ip).to_string()).unwrap_or_default());
    let address = client.map(|ip| ip.to_string());
    let begun = app
        .with_connection(move |connection| {
            if !attempt.count(connection)? {
                return Err(DeviceError::TooMany);
            }
            devices::begin(connection, &name, scopes, address.as_deref())
        })
        .await?;
    let (device_code, user_code) = (begun.0.reveal().to_owned(), begun.1.shown());
    let page = format!("{}/oauth/device", app.settings.base_url);
    Ok(unstored(DeviceAnswer {
        device_code,
        verification_uri_complete: format!("{page}?user_code={user_code}"),
        verification_uri: page,
        user_code,
        expires_in: WAITS.num_seconds(),
        interval: INTERVAL,
    }))
}

fn scopes(text: &str) -> Result<Option<Vec<Scope>>, String> {
    let scopes: Vec<Scope> = text
        .split([' ', ','])
        .filter(|scope| !scope.is_empty())
        .map(|scope| scope.parse().map_err(|unknown: crate::database::access::scope::UnknownScope| unknown.to_string()))
        .collect::<Result<_, _>>()?;
    if scopes.contains(&Scope::Administer) {
        return Err(Denied::MakesAdminister.to_string());
    }
    Ok(Some(scopes).filter(|scopes| !scopes.is_empty()))
}

/// Get the token of a device, or renew it
///
/// A token is valid for twelve hours. The status is 400 while the user has not decided: `error` in the body, beside `errors`, says
/// why there is no token, such as `authorization_pending`, `slow_down`, `access_denied`, `expired_token` or `invalid_grant`.
#[utoipa::path(
    post,
    path = "/api/v1/oauth/token",
    tag = "tokens",
    request_body(content = DeviceTokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = DeviceTokenAnswer, description = "The token"),
        AnyError,
    ),
)]
pub async fn token(State(app): State<App>, request: Request) -> response::Result<Response> {
    let (parts, sent) = read(request).await?;
    let field = |name| sent.text(name).unwrap_or_default();
    match sent.get("grant_type") {
        Some(DEVICE_CODE) => {
            let (code, from) = (field("device_code"), from(&parts.extensions));
            let answer = app.with_connection(move |connection| devices::ask(connection, &code, from)).await?;
            Ok(match answer {
                Answer::Granted(granted) => {
                    tracing::info!(token_id = granted.token.id, "a device got a token");
                    granted_answer(&granted)
                }
                Answer::Pending => no_token("authorization_pending", "the user has not decided yet: ask again"),
                Answer::TooSoon => no_token("slow_down", format!("ask every {INTERVAL} seconds at most")),
                Answer::Denied => {
                    no_token("access_denied", "the user has denied it, or the user's session has ended: begin again")
                }
                Answer::Expired => no_token("expired_token", "it was not allowed within ten minutes: begin again"),
                Answer::Unknown => no_token("invalid_grant", "this device code is unknown, or was used: begin again"),
            })
        }
        Some(REFRESH_TOKEN) => {
            let renewal = field("refresh_token");
            let renewed = app.with_connection(move |connection| devices::renew(connection, &renewal)).await?;
            Ok(match renewed {
                Some((granted, user)) => {
                    tracing::info!(user = user.login, token_id = granted.token.id, "a device renewed its token");
                    granted_answer(&granted)
                }
                None => no_token(
                    "invalid_grant",
                    "the token cannot be renewed: it was revoked, or not used for thirty days",
                ),
            })
        }
        _ => Ok(no_token("unsupported_grant_type", format!("`grant_type` has to be {DEVICE_CODE} or {REFRESH_TOKEN}"))),
    }
}

fn granted_answer(granted: &Granted) -> Response {
    let scopes = granted.token.scopes.as_ref().map(|scopes| scopes.texts().join(" "));
    unstored(DeviceTokenAnswer {
        access_token: granted.plain.reveal().to_owned(),
        token_type: "Bearer",
        expires_in: VALID_FOR.num_seconds(),
        refresh_token: granted.renewal.reveal().to_owned(),
        scope: scopes,
    })
}

impl From<DeviceError> for ApiError {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::TooMany => Self::new(StatusCode::TOO_MANY_REQUESTS, error.to_string()).retry_after(60),
            DeviceError::Randomness(error) => Self::internal(error),
            DeviceError::Token(error) => error.into(),
            DeviceError::Database(error) => error.into(),
        }
    }
}
