//! `GET /api/v1/webhooks/events`: what webhooks can be sent.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::views::AnyError;
use crate::webhook::event_type::TYPES;

/// A type of event.
#[derive(Serialize, ToSchema)]
pub struct WebhookEventType {
    /// Its name, in which the first word is the group.
    #[serde(rename = "type")]
    #[schema(example = "version.published")]
    kind: &'static str,
    /// What it tells.
    tells: &'static str,
}

/// All types of events.
#[derive(Serialize, ToSchema)]
pub struct WebhookEventTypes {
    events: Vec<WebhookEventType>,
}

/// List types of events
///
/// Those that a webhook can be sent.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/events",
    tag = "webhooks",
    responses((status = 200, body = WebhookEventTypes, description = "The types"), AnyError),
)]
pub async fn list() -> Json<WebhookEventTypes> {
    let events = TYPES.iter().map(|kind| WebhookEventType { kind: kind.name, tells: kind.tells }).collect();
    Json(WebhookEventTypes { events })
}
