//! `GET /api/v1/admin/audit`: the log of every change, for admins.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{AnyError, ApiQuery, shortened};
use crate::database::access::audit::{self, Filter, Record};
use crate::web::extract::auth::Authenticated;
use crate::web::{ApiError, App};

const MAX_PER_PAGE: i64 = 500;

/// Which entries are wanted; all of them if nothing is given.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only changes of this crate, in any spelling.
    #[serde(rename = "crate")]
    #[param(pattern = "^([A-Za-z][A-Za-z0-9_-]{0,63})?$")]
    pub krate: Option<String>,
    /// Only changes by this user or operator.
    pub actor: Option<String>,
    /// Only changes of this kind, such as `publish` or `owner-add`.
    pub action: Option<String>,
    /// Only changes at or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Only entries before this one: the `id` of the last one of the page before.
    pub before: Option<i64>,
    /// Entries a page: 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub per_page: Option<i64>,
}

/// Entries, newest first.
#[derive(Serialize, ToSchema)]
pub struct AuditList {
    pub entries: Vec<Record>,
    /// The value of `before` for the next page; null if this is the last one.
    pub next: Option<i64>,
}

/// Shows who changed what, when, with which token and from where.
#[utoipa::path(
    get,
    path = "/api/v1/admin/audit",
    tag = "admin",
    params(AuditQuery),
    security(("token" = [])),
    responses((status = 200, description = "The entries", body = AuditList), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiQuery(query): ApiQuery<AuditQuery>,
) -> Result<Json<AuditList>, ApiError> {
    caller.admin()?;
    let refuse = |detail: String| ApiError::new(StatusCode::BAD_REQUEST, detail);
    let per_page = query.per_page.unwrap_or(100);
    if !(1..=MAX_PER_PAGE).contains(&per_page) {
        return Err(refuse(format!("per_page is {per_page}; it must be between 1 and {MAX_PER_PAGE}")));
    }
    let crate_name = query.krate.filter(|name| !name.is_empty()).map(|name| name.parse()).transpose();
    let filter = Filter {
        crate_name: crate_name.map_err(|error: crate::package::name::NameError| refuse(error.to_string()))?,
        actor: query.actor.filter(|actor| !actor.is_empty()).map(|actor| actor.replace('\0', "\u{fffd}")),
        action: query.action.filter(|action| !action.is_empty()).map(known).transpose()?,
        since: query.since,
        before: query.before,
    };
    let mut entries = app.with_connection(move |connection| audit::list(connection, &filter, per_page + 1)).await?;
    let more = i64::try_from(entries.len()).is_ok_and(|found| found > per_page);
    if more {
        entries.pop();
    }
    let next = entries.last().filter(|_| more).map(|last| last.id);
    Ok(Json(AuditList { entries, next }))
}

fn known(action: String) -> Result<String, ApiError> {
    if audit::action(&action).is_some() {
        return Ok(action);
    }
    let known: Vec<_> = audit::Action::ALL.iter().map(|action| action.as_str()).collect();
    Err(ApiError::new(
        StatusCode::BAD_REQUEST,
        format!("{:?} is no action of the log; there are {}", shortened(&action), known.join(", ")),
    ))
}
