//! `/api/v1/webhooks` and `/api/v1/webhooks/{id}`: the webhooks themselves.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{MAX_BODY, WebhookAnswer, WebhookPath, WebhookView, change, may, read, view, views};
use crate::jobs::webhooks::configure::{self, Update, Wanted};
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::json::callers_json;
use crate::web::extract::path::{ApiPath, webhook_number};
use crate::web::extract::query::QueryParameters;
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// A webhook to add. Unknown fields are rejected: a misspelled restriction would add a webhook without it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhookRequest {
    /// Where events are sent. The registry reaches addresses of the Internet with `https`, and others if its operator allows
    /// their network.
    #[schema(example = "https://ci.example.org/hooks/registry", max_length = 2000)]
    url: String,
    /// A line for people.
    #[serde(default)]
    #[schema(max_length = 200)]
    description: Option<String>,
    /// The crate of which it is sent events. Its owners may add one.
    #[serde(rename = "crate", default)]
    #[schema(example = "demo")]
    krate: Option<String>,
    /// The team of whose crates and members it is sent events. Its members may add one. Without crate and team it is sent the
    /// events of the registry, and only admins may add it.
    #[serde(default)]
    team: Option<String>,
    /// Types of events, groups of them such as `version.*`, or `*`; null: all.
    #[serde(default)]
    #[schema(example = json!(["version.*"]), min_items = 1)]
    events: Option<Vec<String>>,
}

/// Changes of a webhook; what is absent or null stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookUpdate {
    #[serde(default)]
    #[schema(example = "https://ci.example.org/hooks/registry", max_length = 2000)]
    url: Option<String>,
    /// An empty one is removed.
    #[serde(default)]
    #[schema(max_length = 200)]
    description: Option<String>,
    #[serde(default)]
    #[schema(example = json!(["version.*"]), min_items = 1)]
    events: Option<Vec<String>>,
}

/// A new webhook, with its secret.
#[derive(Serialize, ToSchema)]
pub struct NewWebhookAnswer {
    webhook: WebhookView,
    /// The key of its signatures. It is shown only here.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

/// Webhooks, the oldest first.
#[derive(Serialize, ToSchema)]
pub struct WebhookList {
    webhooks: Vec<WebhookView>,
}

/// Whose webhooks are listed: at most one of the two. Without either all are, which only admins may see.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct WebhooksQuery {
    /// Those of this crate.
    #[param(rename = "crate", example = "demo")]
    krate: Option<String>,
    /// Those of this team.
    team: Option<String>,
}

/// List webhooks
#[utoipa::path(
    get,
    path = "/api/v1/webhooks",
    tag = "webhooks",
    security(("token" = ["change-owners"])),
    params(WebhooksQuery),
    responses((status = 200, body = WebhookList, description = "The webhooks"), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let (krate, team) = (query.text("crate"), query.text("team"));
    let webhooks = read(&app, caller, move |connection, who| {
        let found = configure::list(connection, krate.as_deref(), team.as_deref(), who)?;
        Ok(views(connection, found)?)
    });
    Ok(unstored(WebhookList { webhooks: webhooks.await? }))
}

/// Add a webhook
///
/// The secret is in this response only. The webhook is sent a test at once.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks",
    tag = "webhooks",
    security(("token" = ["change-owners"])),
    request_body = NewWebhookRequest,
    responses((status = 200, body = NewWebhookAnswer, description = "The webhook"), AnyError),
)]
pub async fn add(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let (caller, new): (_, NewWebhookRequest) = callers_json(&app, request, MAX_BODY, may).await?;
    let NewWebhookRequest { url, description, krate, team, events } = new;
    let wanted = Wanted { url, description, krate, team, events };
    let (webhook, secret) = change(&app, caller, move |connection, registry, who| {
        let (webhook, secret) = configure::add(connection, &wanted, Some(registry), who)?;
        Ok((view(connection, webhook)?, secret))
    })
    .await?;
    Ok(unstored(NewWebhookAnswer { webhook, secret: secret.reveal() }))
}

/// Show a webhook
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{id}",
    tag = "webhooks",
    security(("token" = ["change-owners"])),
    params(WebhookPath),
    responses((status = 200, body = WebhookAnswer, description = "The webhook"), AnyError),
)]
pub async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(id): ApiPath<String>,
) -> Result<Response, ApiError> {
    let id = webhook_number(&id)?;
    let webhook = read(&app, caller, move |connection, who| {
        let found = configure::show(connection, id, who)?;
        view(connection, found)
    });
    Ok(unstored(WebhookAnswer { webhook: webhook.await? }))
}

/// Change a webhook
///
/// What waits is sent to the new URL, too. Whose webhook it is does not change: add another one.
#[utoipa::path(
    patch,
    path = "/api/v1/webhooks/{id}",
    tag = "webhooks",
    security(("token" = ["change-owners"])),
    params(WebhookPath),
    request_body = WebhookUpdate,
    responses((status = 200, body = WebhookAnswer, description = "The webhook"), AnyError),
)]
pub async fn update(
    State(app): State<App>,
    ApiPath(id): ApiPath<String>,
    request: Request,
) -> Result<Json<WebhookAnswer>, ApiError> {
    let (caller, wanted): (_, WebhookUpdate) = callers_json(&app, request, MAX_BODY, may).await?;
    let id = webhook_number(&id)?;
    let WebhookUpdate { url, description, events } = wanted;
    let update = Update { url, description, events };
    let webhook = change(&app, caller, move |connection, _, who| {
        let changed = configure::update(connection, id, &update, who)?;
        view(connection, changed)
    });
    Ok(Json(WebhookAnswer { webhook: webhook.await? }))
}

/// Remove a webhook
///
/// What waits for it is not delivered.
#[utoipa::path(
    delete,
    path = "/api/v1/webhooks/{id}",
    tag = "webhooks",
    security(("token" = ["change-owners"])),
    params(WebhookPath),
    responses((status = 204, description = "It is removed"), AnyError),
)]
pub async fn remove(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    let id = webhook_number(&id)?;
    change(&app, caller, move |connection, _, who| configure::remove(connection, id, who)).await?;
    Ok(StatusCode::NO_CONTENT)
}
