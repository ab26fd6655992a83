//! `/api/v1/admin/upstreams`: the upstreams of this process, and whether they answer.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::requests::read;
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::upstreams::UpstreamState;
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

/// An upstream. What it says of answers is that of the process which answers this request, since its start.
#[derive(Serialize, ToSchema)]
pub struct UpstreamView {
    #[schema(example = "crates-io")]
    name: String,
    /// The URL of its index, as cargo has it.
    #[schema(example = "sparse+https://index.crates.io/")]
    index: String,
    /// Seconds; null shows versions at once. Patterns of crates may have others.
    cooldown_seconds: Option<i64>,
    /// Whether young versions are refused even if they are kept.
    strict: bool,
    /// Whether it is not asked (`--upstream-offline`).
    offline: bool,
    /// When it last answered.
    answered_at: Option<DateTime<Utc>>,
    /// Since when every request has failed; null if the last one was answered.
    failing_since: Option<DateTime<Utc>>,
    /// The last failure, as long as requests fail.
    failure: Option<String>,
    /// In how many seconds it is asked again, if requests pause.
    asked_again_in_seconds: Option<u64>,
}

/// Upstreams, as the operator gave them.
#[derive(Serialize, ToSchema)]
pub struct UpstreamViews {
    upstreams: Vec<UpstreamView>,
}

impl From<UpstreamState> for UpstreamView {
    fn from(state: UpstreamState) -> Self {
        let (failing_since, failure) = state.answering.failing.unzip();
        Self {
            name: state.name,
            index: format!("sparse+{}", state.index),
            cooldown_seconds: state.cooldown.map(|age| age.num_seconds()),
            strict: state.is_strict,
            offline: state.is_offline,
            answered_at: state.answering.answered_at,
            failing_since,
            failure,
            asked_again_in_seconds: state.pause.map(|pause| pause.as_secs() + 1),
        }
    }
}

/// List the upstreams, and whether they answer
#[utoipa::path(
    get,
    path = "/api/v1/admin/upstreams",
    tag = "admin",
    security(("token" = ["administer"])),
    responses((status = 200, body = UpstreamViews, description = "The upstreams"), AnyError),
)]
pub async fn list(State(app): State<App>, Authenticated(caller): Authenticated) -> Result<Response, ApiError> {
    // Only admins read it.
    read(&app, &caller, |_| Ok(())).await?;
    Ok(unstored(UpstreamViews { upstreams: app.settings.upstreams.state().map(UpstreamView::from).collect() }))
}
