//! `/api/v1/webhooks/{id}/deliveries`: what was sent, and what waits.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{DeliveryNumber, WebhookPath, change, read};
use crate::database::webhooks::deliveries::Delivery;
use crate::jobs::webhooks::configure;
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::path::{ApiPath, as_in_a_url, webhook_number};
use crate::web::extract::query::{QueryParameters, refused};
use crate::web::shortened::shortened;
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

const MAX_PER_PAGE: i64 = 100;
const PER_PAGE_IS: &str = "a number from 1 to 100";

/// An event on its way to a webhook, or there.
#[derive(Serialize, ToSchema)]
pub struct WebhookDelivery {
    id: i64,
    /// The id of the event, which messages have as `webhook-id`. A delivery that is repeated has the same one.
    #[schema(example = "evt_0192f3a64c3b4e0d8f1f2a7b5c6d7e8f")]
    event: String,
    #[serde(rename = "type")]
    #[schema(example = "version.published")]
    kind: String,
    /// When the event was recorded.
    happened_at: DateTime<Utc>,
    /// Null while it waits.
    delivered_at: Option<DateTime<Utc>>,
    /// The status that the receiver accepted it with.
    status: Option<i16>,
    /// How long that answer took, in milliseconds.
    took_ms: Option<i32>,
    /// Attempts so far, while it waits; null if no job delivers it, as during a pause.
    attempts: Option<i32>,
    /// Why the last attempt failed.
    error: Option<String>,
    /// The number of its job in the queue; null during a pause.
    job: Option<i64>,
    /// Whether the job is dead, and an operator has to retry it.
    dead: bool,
    /// The JSON that is sent.
    #[schema(value_type = Object)]
    body: Value,
}

impl From<Delivery> for WebhookDelivery {
    fn from(delivery: Delivery) -> Self {
        let body = serde_json::from_str(&delivery.body).unwrap_or(Value::String(delivery.body));
        Self {
            id: delivery.id,
            event: delivery.public_id,
            kind: delivery.kind,
            happened_at: delivery.happened_at,
            delivered_at: delivery.delivered_at,
            status: delivery.status,
            took_ms: delivery.took_ms,
            attempts: delivery.attempts,
            error: delivery.error,
            job: delivery.job,
            dead: delivery.is_dead,
            body,
        }
    }
}

/// Deliveries, newest first.
#[derive(Serialize, ToSchema)]
pub struct WebhookDeliveryList {
    deliveries: Vec<WebhookDelivery>,
    /// The value of `before` for the next page; null on the last page.
    next: Option<i64>,
}

/// Which deliveries to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct WebhookDeliveriesQuery {
    /// Only deliveries before this one: `next` of the previous page.
    before: Option<i64>,
    /// Deliveries on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    per_page: Option<i64>,
}

/// Describes a delivery in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct WebhookDeliveryPath {
    /// The number of the webhook.
    id: i32,
    /// The number of the delivery.
    delivery: i64,
}

/// List deliveries
///
/// They are kept for a time, by default 30 days.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{id}/deliveries",
    tag = "webhooks",
    security(("token" = ["change-owners"])),
    params(WebhookPath, WebhookDeliveriesQuery),
    responses((status = 200, body = WebhookDeliveryList, description = "The deliveries"), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(id): ApiPath<String>,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let id = webhook_number(&id)?;
    let per_page = query.parsed("per_page", PER_PAGE_IS)?.unwrap_or(20);
    if !(1..=MAX_PER_PAGE).contains(&per_page) {
        return Err(refused("per_page", &per_page.to_string(), PER_PAGE_IS));
    }
    let before: Option<i64> = query.parsed("before", "the number that `next` of the previous page has")?;
    let mut found = read(&app, caller, move |connection, who| {
        configure::list_deliveries(connection, id, (before, per_page + 1), who)
    })
    .await?;
    let more = i64::try_from(found.len()).is_ok_and(|found| found > per_page);
    if more {
        found.pop();
    }
    let next = found.last().filter(|_| more).map(|last| last.id);
    Ok(unstored(WebhookDeliveryList { deliveries: found.into_iter().map(Into::into).collect(), next }))
}

/// Deliver an event again
///
/// After what waits. Receivers see by its id that they have it.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{id}/deliveries/{delivery}/redeliver",
    tag = "webhooks",
    security(("token" = ["change-owners"])),
    params(WebhookDeliveryPath),
    responses((status = 200, body = DeliveryNumber, description = "It is on its way"), AnyError),
)]
pub async fn redeliver(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath((id, delivery)): ApiPath<(String, String)>,
) -> Result<Json<DeliveryNumber>, ApiError> {
    let id = webhook_number(&id)?;
    let delivery: i64 = delivery.parse().map_err(|_| {
        let given = as_in_a_url(&delivery);
        let given = shortened(&given);
        ApiError::not_found(format!("the webhook {id} has no delivery {given}: check its number in the list"))
    })?;
    let new = change(&app, caller, move |connection, _, who| configure::redeliver(connection, id, delivery, who));
    Ok(Json(DeliveryNumber { delivery: new.await? }))
}
