//! `/api/v1/webhooks/{id}/pause`, `…/resume`, `…/test` and `…/secret`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DeliveryNumber, MAX_BODY, WebhookPath, bad, change, may};
use crate::database::webhooks::endpoints;
use crate::jobs::webhooks::configure::{self, MAX_OVERLAP, OVERLAP};
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::json::callers_json;
use crate::web::extract::path::{ApiPath, webhook_number};
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// Why a webhook is paused.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookPauseRequest {
    #[serde(default)]
    #[schema(example = "the receiver is being moved", max_length = 200)]
    reason: Option<String>,
}

/// What becomes of the events that wait.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookResumption {
    /// Whether they are dropped; otherwise they are delivered, in their order.
    #[serde(default)]
    drop: bool,
}

/// What a resumption did.
#[derive(Serialize, ToSchema)]
pub struct WebhookResumed {
    /// Events that are being delivered now.
    waiting: i64,
    /// Events that were dropped.
    dropped: usize,
}

/// How a secret is replaced.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookRotation {
    /// How long messages have the signature of the previous secret as well, while receivers are changed: a day by default, and
    /// at most 30 days. 0 ends it at once, as after a leak.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_seconds: Option<u32>,
}

/// A new secret.
#[derive(Serialize, ToSchema)]
pub struct WebhookSecretAnswer {
    /// The key of its signatures. It is shown only here.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
    /// Until when messages have the signature of the previous secret, too; null if they have not.
    previous_until: Option<DateTime<Utc>>,
}

/// Pause a webhook
///
/// No attempts are made until it is resumed, and events wait. A webhook that is paused already gets the new reason.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{id}/pause",
    tag = "webhooks",
    security(("token" = ["change-owners"])),
    params(WebhookPath),
    request_body = WebhookPauseRequest,
    responses((status = 204, description = "It is paused"), AnyError),
)]
pub async fn pause(
    State(app): State<App>,
    ApiPath(id): ApiPath<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let (caller, WebhookPauseRequest { reason }) = callers_json(&app, request, MAX_BODY, may).await?;
    let id = webhook_number(&id)?;
    change(&app, caller, move |connection, _, who| configure::pause(connection, id, reason.as_deref(), who)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Resume a webhook
///
/// What waits is delivered in its order, or dropped. If the webhook is not paused but failing, the next attempt is made now.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{id}/resume",
    tag = "webhooks",
    security(("token" = ["change-owners"])),
    params(WebhookPath),
    request_body = WebhookResumption,
    responses((status = 200, body = WebhookResumed, description = "It is active"), AnyError),
)]
pub async fn resume(
    State(app): State<App>,
    ApiPath(id): ApiPath<String>,
    request: Request,
) -> Result<Json<WebhookResumed>, ApiError> {
    let (caller, WebhookResumption { drop }) = callers_json(&app, request, MAX_BODY, may).await?;
    let id = webhook_number(&id)?;
    let resumed = change(&app, caller, move |connection, _, who| configure::resume(connection, id, drop, who)).await?;
    Ok(Json(WebhookResumed { waiting: resumed.waiting, dropped: resumed.dropped }))
}

/// Send a test
///
/// It is delivered after what waits; its number leads to what became of it in the list of deliveries.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{id}/test",
    tag = "webhooks",
    security(("token" = ["change-owners"])),
    params(WebhookPath),
    responses((status = 200, body = DeliveryNumber, description = "It is on its way"), AnyError),
)]
pub async fn test(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<DeliveryNumber>, ApiError> {
    let id = webhook_number(&id)?;
    let delivery =
        change(&app, caller, move |connection, registry, who| configure::test(connection, id, Some(registry), who));
    Ok(Json(DeliveryNumber { delivery: delivery.await? }))
}

/// Replace the secret of a webhook
///
/// The new one is in this response only. For a time messages have the signatures of both.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{id}/secret",
    tag = "webhooks",
    security(("token" = ["change-owners"])),
    params(WebhookPath),
    request_body = WebhookRotation,
    responses((status = 200, body = WebhookSecretAnswer, description = "The secret"), AnyError),
)]
pub async fn rotate(
    State(app): State<App>,
    ApiPath(id): ApiPath<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (caller, wanted): (_, WebhookRotation) = callers_json(&app, request, MAX_BODY, may).await?;
    let (id, overlap) = (webhook_number(&id)?, overlap(wanted.overlap_seconds)?);
    let (secret, previous_until) = change(&app, caller, move |connection, _, who| {
        let secret = configure::rotate(connection, id, overlap, who)?;
        let until = endpoints::find(connection, id)?.and_then(|webhook| webhook.previous_until);
        Ok((secret, until))
    })
    .await?;
    Ok(unstored(WebhookSecretAnswer { secret: secret.reveal(), previous_until }))
}

fn overlap(seconds: Option<u32>) -> Result<TimeDelta, ApiError> {
    let Some(seconds) = seconds else { return Ok(OVERLAP) };
    let overlap = TimeDelta::seconds(seconds.into());
    if overlap > MAX_OVERLAP {
        let most = MAX_OVERLAP.num_seconds();
        return Err(bad(format!(
            "`overlap_seconds` is {seconds}: it must be a number from 0 to {most}, which is 30 days"
        )));
    }
    Ok(overlap)
}
