//! `GET /api/v1/admin/audit`: the audit log, for admins.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::database::access::audit::{self, Filter, Record};
use crate::package::name::NameError;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::query::{QueryParameters, refused};
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

const MAX_PER_PAGE: i64 = 500;
const PER_PAGE_IS: &str = "a number from 1 to 500";

/// Which entries to list; all of them by default.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct AuditQuery {
    /// Only changes to this crate, in any spelling.
    #[param(rename = "crate", pattern = "^([A-Za-z][A-Za-z0-9_-]{0,63})?$")]
    krate: Option<String>,
    /// Only changes by this user or operator.
    actor: Option<String>,
    /// Only changes of this kind, such as `publish` or `owner-add`.
    action: Option<String>,
    /// Only changes at or after this time.
    since: Option<DateTime<Utc>>,
    /// Only entries before this one: `next` of the previous page.
    before: Option<i64>,
    /// Entries on a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    per_page: Option<i64>,
}

/// Entries, newest first.
#[derive(Serialize, ToSchema)]
pub struct AuditList {
    pub entries: Vec<Record>,
    /// The value of `before` for the next page; null on the last page.
    pub next: Option<i64>,
}

/// List audit log entries
///
/// Each entry names who changed what, when, with which token and from which address. Only admins may read the log.
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
    query: QueryParameters,
) -> Result<Json<AuditList>, ApiError> {
    caller.auditor()?;
    let (per_page, filter) = selection(&query)?;
    let mut entries = app.with_connection(move |connection| audit::list(connection, &filter, per_page + 1)).await?;
    let more = i64::try_from(entries.len()).is_ok_and(|found| found > per_page);
    if more {
        entries.pop();
    }
    let next = entries.last().filter(|_| more).map(|last| last.id);
    Ok(Json(AuditList { entries, next }))
}

/// The number of entries on a page, and which ones.
fn selection(query: &QueryParameters) -> Result<(i64, Filter), ApiError> {
    let given = |name| query.text(name).filter(|text| !text.is_empty());
    let per_page = query.parsed("per_page", PER_PAGE_IS)?.unwrap_or(100);
    if !(1..=MAX_PER_PAGE).contains(&per_page) {
        return Err(refused("per_page", &per_page.to_string(), PER_PAGE_IS));
    }
    let crate_name = |text: String| {
        text.parse().map_err(|error: NameError| ApiError::new(StatusCode::BAD_REQUEST, error.to_string()))
    };
    let action = match given("action") {
        Some(_) => query.choice("action")?,
        None => None,
    };
    let filter = Filter {
        crate_name: given("crate").map(crate_name).transpose()?,
        actor: given("actor"),
        action,
        since: query.time("since")?,
        before: query.parsed("before", "the id of an entry")?,
    };
    Ok((per_page, filter))
}
