//! `POST /api/v1/admin/users/{login}/sign-in-link` and `DELETE …/sessions`: how a user gets in, and out.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::requests::administrators_json;
use super::users::LoginPath;
use crate::database::catalog::user_changes;
use crate::database::sign_in::links::LONGEST;
use crate::web::administration::{self, administer, bad, other_user};
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::ApiPath;
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// How long a link is valid by default.
const LINK_LASTS: TimeDelta = TimeDelta::days(3);

/// How long a link is valid.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInLinkRequest {
    /// In seconds; by default three days, at most 30.
    #[serde(default)]
    #[schema(example = 86400, minimum = 1, maximum = 2_592_000)]
    expires_in_seconds: Option<u32>,
}

/// A sign-in link.
#[derive(Serialize, ToSchema)]
pub struct SignInLink {
    /// Signs the user in once. It is in this response only.
    #[schema(example = "https://crates.example/sign-in/link?code=scl_…")]
    url: String,
    expires_at: DateTime<Utc>,
}

/// The sessions that ended.
#[derive(Serialize, ToSchema)]
pub struct EndedSessions {
    ended: usize,
}

/// Create a sign-in link
///
/// A link of before is void. With it somebody sets a password, or connects an account of an identity provider.
#[utoipa::path(
    post,
    path = "/api/v1/admin/users/{login}/sign-in-link",
    tag = "admin",
    params(LoginPath),
    security(("token" = ["administer"])),
    request_body = SignInLinkRequest,
    responses((status = 200, body = SignInLink, description = "The link"), AnyError),
)]
pub async fn link(
    State(app): State<App>,
    ApiPath(login): ApiPath<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (caller, wanted): (_, SignInLinkRequest) = administrators_json(&app, request).await?;
    let lasts = wanted.expires_in_seconds.map_or(LINK_LASTS, |seconds| TimeDelta::seconds(i64::from(seconds)));
    if lasts > LONGEST || lasts <= TimeDelta::zero() {
        let (given, longest) = (lasts.num_seconds(), LONGEST.num_seconds());
        return Err(bad(format!("`expires_in_seconds` is {given}: it must be a number from 1 to {longest}, 30 days")));
    }
    let expires_at = Utc::now() + lasts;
    let secret = administer(&app, caller, move |connection, actor| {
        let user = administration::user(connection, &login)?;
        user.check_active()?;
        Ok(user_changes::create_link(connection, &user, expires_at, actor)?)
    });
    let url = format!("{}/sign-in/link?code={}", app.settings.base_url, secret.await?.reveal());
    Ok(unstored(SignInLink { url, expires_at }))
}

/// End all sessions of a user
///
/// A sign-in link is void as well. Tokens stay valid.
#[utoipa::path(
    delete,
    path = "/api/v1/admin/users/{login}/sessions",
    tag = "admin",
    params(LoginPath),
    security(("token" = ["administer"])),
    responses((status = 200, body = EndedSessions, description = "The sessions are ended"), AnyError),
)]
pub async fn sign_out(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(login): ApiPath<String>,
) -> Result<Json<EndedSessions>, ApiError> {
    caller.administrator()?;
    let own = caller.user.id;
    let ended = administer(&app, caller, move |connection, actor| {
        let user = other_user(connection, &login, own)?;
        Ok(user_changes::sign_out(connection, &user, actor)?)
    });
    Ok(Json(EndedSessions { ended: ended.await? }))
}
