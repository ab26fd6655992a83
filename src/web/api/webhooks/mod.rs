//! `/api/v1/webhooks`: receivers that are sent what happens. Whose they are decides who may see and change them.

pub mod deliveries;
pub mod endpoints;
pub mod events;
pub mod operation;

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use diesel::{PgConnection, QueryResult};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::database::access::caller::Caller;
use crate::database::webhooks::deliveries::{Standing, State, standings};
use crate::database::webhooks::endpoints::{Subject, Webhook};
use crate::jobs::RequestError;
use crate::jobs::webhooks::rights::{Who, check_may_configure};
use crate::web::{ApiError, App};

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Describes a webhook in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct WebhookPath {
    /// The number of the webhook.
    id: i32,
}

/// Whether deliveries succeed.
#[derive(Serialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub enum WebhookState {
    /// The last attempt was accepted, or none was made yet.
    Active,
    /// The first event that waits has been attempted, and was not accepted. It is attempted again.
    Failing,
    /// No attempts are made until the webhook is resumed.
    Paused,
}

/// Why no attempts are made.
#[derive(Serialize, ToSchema)]
pub struct WebhookPause {
    at: DateTime<Utc>,
    /// A login, an operator, or `restore` of a backup; null for the registry, after days of failures or an answer 410.
    by: Option<String>,
    reason: Option<String>,
}

/// A webhook, without its secret.
#[derive(Serialize, ToSchema)]
pub struct WebhookView {
    id: i32,
    url: String,
    description: Option<String>,
    /// The crate of which it is sent events; without crate and team it is sent those of the registry.
    #[serde(rename = "crate")]
    krate: Option<String>,
    /// The team of whose crates and members it is sent events.
    team: Option<String>,
    /// Types of events, groups of them such as `version.*`, or `*` for all.
    events: Vec<String>,
    /// The login of the user who added it; null for an operator.
    created_by: Option<String>,
    created_at: DateTime<Utc>,
    /// Until when messages have the signature of the previous secret, too; null if they have not.
    previous_until: Option<DateTime<Utc>>,
    state: WebhookState,
    pause: Option<WebhookPause>,
    /// Events that are not delivered yet.
    waiting: i64,
    /// When the oldest of these happened.
    waiting_since: Option<DateTime<Utc>>,
    last_delivered_at: Option<DateTime<Utc>>,
    /// Attempts to deliver the first event that waits.
    attempts: i32,
    /// Why the last of these failed.
    error: Option<String>,
    /// When the next attempt is made, after a failure.
    next_attempt_at: Option<DateTime<Utc>>,
}

/// A webhook.
#[derive(Serialize, ToSchema)]
pub struct WebhookAnswer {
    webhook: WebhookView,
}

/// An event that is on its way.
#[derive(Serialize, ToSchema)]
pub struct DeliveryNumber {
    /// The number of the new delivery.
    delivery: i64,
}

impl WebhookView {
    fn new(webhook: Webhook, standing: Standing) -> Self {
        let state = match standing.state(&webhook) {
            State::Active => WebhookState::Active,
            State::Failing => WebhookState::Failing,
            State::Paused => WebhookState::Paused,
        };
        let (krate, team) = match webhook.subject {
            Subject::Everything => (None, None),
            Subject::Crate { name, .. } => (Some(name.into()), None),
            Subject::Team { name, .. } => (None, Some(name)),
        };
        let pause = webhook.pause.map(|pause| WebhookPause { at: pause.at, by: pause.by, reason: pause.reason });
        Self {
            id: webhook.id,
            url: webhook.url,
            description: webhook.description,
            krate,
            team,
            events: webhook.events.iter().map(ToString::to_string).collect(),
            created_by: webhook.created_by,
            created_at: webhook.created_at,
            previous_until: webhook.previous_until,
            state,
            pause,
            waiting: standing.waiting,
            waiting_since: standing.waiting_since,
            last_delivered_at: standing.last_delivered_at,
            attempts: standing.attempts,
            error: standing.error,
            next_attempt_at: standing.next_attempt_at,
        }
    }
}

/// Webhooks, in the order of their numbers, with what became of their deliveries.
fn views(connection: &mut PgConnection, webhooks: Vec<Webhook>) -> QueryResult<Vec<WebhookView>> {
    let ids: Vec<i32> = webhooks.iter().map(|webhook| webhook.id).collect();
    let standings = standings(connection, &ids)?;
    Ok(webhooks.into_iter().zip(standings).map(|(webhook, standing)| WebhookView::new(webhook, standing)).collect())
}

fn view(connection: &mut PgConnection, webhook: Webhook) -> Result<WebhookView, RequestError> {
    Ok(views(connection, vec![webhook])?.pop().ok_or(diesel::result::Error::NotFound)?)
}

/// Reads something that the caller may see.
async fn read<R: Send + 'static>(
    app: &App,
    caller: Caller,
    f: impl FnOnce(&mut PgConnection, Who<'_>) -> Result<R, RequestError> + Send + 'static,
) -> Result<R, ApiError> {
    check_may_configure(&caller)?;
    app.with_connection(move |connection| f(connection, Who::User(&caller))).await
}

/// Changes something that the caller may change. `f` gets the URL of the registry, too.
async fn change<R: Send + 'static>(
    app: &App,
    caller: Caller,
    f: impl FnOnce(&mut PgConnection, &str, Who<'_>) -> Result<R, RequestError> + Send + 'static,
) -> Result<R, ApiError> {
    check_may_configure(&caller)?;
    app.blocking(move |app| {
        let registry = &app.settings.base_url;
        Ok(app.pool.with(|connection| f(connection, registry, Who::User(&caller)))??)
    })
    .await
}

/// Checks, before a body is read, that the token permits what is asked for.
fn may(caller: &Caller) -> Result<(), ApiError> {
    Ok(check_may_configure(caller)?)
}

fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, detail.into())
}
