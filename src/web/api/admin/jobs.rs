//! `/api/v1/admin/jobs`: the queue, as on its page.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use diesel::{Connection, PgConnection, QueryResult};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::requests::{MAX_BODY, read};
use crate::database::access::caller::Caller;
use crate::package::characters::check_line;
use crate::queue::JobId;
use crate::queue::inspection::{self, JobView, Receipt};
use crate::queue::intervention::{self, Handled};
use crate::queue::listing::{self, JobFilter, JobPage, Listed};
use crate::web::administration::{bad, conflict};
use crate::web::answers::unstored::unstored;
use crate::web::extract::auth::Authenticated;
use crate::web::extract::job_number::{job_id, no_job};
use crate::web::extract::json::callers_json;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::{QueryParameters, refused};
use crate::web::views::AnyError;
use crate::web::{ApiError, App};

const MAX_PER_PAGE: usize = 500;
const PER_PAGE_IS: &str = "a number from 1 to 500";
/// The longest value of a filter, and of a reason, in characters.
const LONGEST: usize = 500;
/// Dead jobs that a request retries.
const AT_ONCE: i64 = 200;

/// Describes a job in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct JobPath {
    /// The number of the job.
    id: i64,
}

/// Which jobs to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct JobsQuery {
    /// `pending` (the default), which is all of `running`, `waiting`, `delayed`, `behind` and `failing`; or one of these, `dead` or
    /// `done`.
    state: Option<String>,
    /// Only jobs of this kind, such as `publish_version`.
    kind: Option<String>,
    /// Only jobs about this crate, in any spelling, or with this key.
    key: Option<String>,
    /// Only jobs that this user or operator requested.
    by: Option<String>,
    /// Where the page begins: `next` of the page before.
    from: Option<i64>,
    /// Jobs on a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    per_page: Option<usize>,
}

/// Jobs: pending ones in the order of their arrival, dead and finished ones newest first.
#[derive(Serialize, ToSchema)]
pub struct JobList {
    jobs: Vec<JobView>,
    /// The value of `from` for the next page; null on the last page.
    next: Option<i64>,
}

/// A job with its history.
#[derive(Serialize, ToSchema)]
pub struct JobAnswer {
    job: JobView,
    /// Its attempts, and what people changed, the oldest first.
    receipts: Vec<Receipt>,
}

/// Why a job is discarded. Unknown fields are rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscardRequest {
    /// Kept in the history of the job.
    #[schema(example = "the crate was deleted", min_length = 1, max_length = 500)]
    reason: String,
}

/// Which dead jobs are retried. Unknown fields are rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryDeadRequest {
    /// Their kind.
    #[schema(example = "publish_version", min_length = 1, max_length = 500)]
    kind: String,
}

/// The jobs that are retried.
#[derive(Serialize, ToSchema)]
pub struct Retried {
    /// At most 200 in a request, the oldest first.
    retried: i64,
}

/// How a job was found.
#[derive(Serialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub enum Was {
    /// It had failed too often.
    Dead,
    /// It was pending, and not running.
    Waiting,
}

/// A job that was changed.
#[derive(Serialize, ToSchema)]
pub struct ChangedJob {
    was: Was,
}

/// List jobs
#[utoipa::path(
    get,
    path = "/api/v1/admin/jobs",
    tag = "admin",
    params(JobsQuery),
    security(("token" = ["administer"])),
    responses((status = 200, body = JobList, description = "The jobs"), AnyError),
)]
pub async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    caller.sees_administration()?;
    let given = |name: &str| query.text(name).unwrap_or_default().trim().chars().take(LONGEST).collect::<String>();
    let state = match query.get("state") {
        None | Some("") => Listed::default(),
        Some(_) => query.choice("state")?.unwrap_or_default(),
    };
    let filter = JobFilter { state, kind: given("kind"), key: given("key"), requested_by: given("by") };
    let from = query.parsed("from", "`next` of the page before")?;
    let per_page = query.parsed("per_page", PER_PAGE_IS)?.unwrap_or(100);
    if !(1..=MAX_PER_PAGE).contains(&per_page) {
        return Err(refused("per_page", &per_page.to_string(), PER_PAGE_IS));
    }
    let page = read(&app, &caller, move |connection| Ok(listing::page(connection, &filter, from, per_page)?));
    let JobPage { jobs, next, .. } = page.await?;
    Ok(unstored(JobList { jobs, next }))
}

/// Show a job with its history
#[utoipa::path(
    get,
    path = "/api/v1/admin/jobs/{id}",
    tag = "admin",
    params(JobPath),
    security(("token" = ["administer"])),
    responses((status = 200, body = JobAnswer, description = "The job"), AnyError),
)]
pub async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(id): ApiPath<String>,
) -> Result<Response, ApiError> {
    caller.sees_administration()?;
    let id = job_id(&id)?;
    let found = read(&app, &caller, move |connection| {
        let job = inspection::show(connection, id)?.ok_or_else(|| no_job(id))?;
        Ok(JobAnswer { job, receipts: inspection::receipts(connection, id)? })
    });
    Ok(unstored(found.await?))
}

/// Retry a dead job, or start a waiting one now
#[utoipa::path(
    post,
    path = "/api/v1/admin/jobs/{id}/retry",
    tag = "admin",
    params(JobPath),
    security(("token" = ["administer"])),
    responses((status = 200, body = ChangedJob, description = "The job is due"), AnyError),
)]
pub async fn retry(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<ChangedJob>, ApiError> {
    caller.sees_administration()?;
    let id = job_id(&id)?;
    change_one(&app, caller, id, move |connection, by| intervention::retry(connection, id, by)).await
}

/// Discard a dead or waiting job
///
/// It is not started again. What it would have done is not done, and verification reports the difference.
#[utoipa::path(
    post,
    path = "/api/v1/admin/jobs/{id}/discard",
    tag = "admin",
    params(JobPath),
    security(("token" = ["administer"])),
    request_body = DiscardRequest,
    responses((status = 200, body = ChangedJob, description = "The job is discarded"), AnyError),
)]
pub async fn discard(
    State(app): State<App>,
    ApiPath(id): ApiPath<String>,
    request: Request,
) -> Result<Json<ChangedJob>, ApiError> {
    let (caller, DiscardRequest { reason }) =
        callers_json(&app, request, MAX_BODY, |caller| Ok(caller.sees_administration()?)).await?;
    let id = job_id(&id)?;
    let (reason, length) = (reason.trim().to_owned(), reason.trim().chars().count());
    if !(1..=LONGEST).contains(&length) {
        return Err(bad(format!("the reason has {length} characters: give one of 1 to {LONGEST}")));
    }
    check_line(&reason).map_err(|hidden| bad(format!("the reason has {hidden}: remove it")))?;
    change_one(&app, caller, id, move |connection, by| intervention::discard(connection, id, by, &reason)).await
}

/// Retry the dead jobs of a kind
#[utoipa::path(
    post,
    path = "/api/v1/admin/jobs/retry-dead",
    tag = "admin",
    security(("token" = ["administer"])),
    request_body = RetryDeadRequest,
    responses((status = 200, body = Retried, description = "How many are due"), AnyError),
)]
pub async fn retry_dead(State(app): State<App>, request: Request) -> Result<Json<Retried>, ApiError> {
    let (caller, RetryDeadRequest { kind }) =
        callers_json(&app, request, MAX_BODY, |caller| Ok(caller.sees_administration()?)).await?;
    if !(1..=LONGEST).contains(&kind.chars().count()) || kind.contains('\0') {
        return Err(bad("`kind` is no kind of jobs: name one such as publish_version".to_owned()));
    }
    let retried = change(&app, caller, move |connection, by| {
        let mut retried = 0;
        for id in listing::dead_of_kind(connection, &kind, i64::MAX, AT_ONCE)? {
            retried += i64::from(intervention::retry_dead(connection, id, by)?);
        }
        Ok(retried)
    });
    Ok(Json(Retried { retried: retried.await? }))
}

/// Changes jobs in one transaction, if the caller is still an admin when it happens. The change gets the name for the receipts.
async fn change<T: Send + 'static>(
    app: &App,
    caller: Caller,
    change: impl FnOnce(&mut PgConnection, &str) -> QueryResult<T> + Send + 'static,
) -> Result<T, ApiError> {
    let changed = app.with_connection(move |connection| {
        connection.transaction(|connection| {
            let authority = caller.confirm(connection)??;
            authority.sees_administration()?;
            let by = format!("admin {} through the API", authority.user.login);
            Ok::<_, ApiError>(change(connection, &by)?)
        })
    });
    changed.await
}

async fn change_one(
    app: &App,
    caller: Caller,
    id: JobId,
    make: impl FnOnce(&mut PgConnection, &str) -> QueryResult<Handled> + Send + 'static,
) -> Result<Json<ChangedJob>, ApiError> {
    let (handled, ended) = change(app, caller, move |connection, by| {
        let handled = make(connection, by)?;
        let ended = if handled == Handled::Unknown { inspection::show(connection, id)? } else { None };
        Ok((handled, ended))
    })
    .await?;
    let was = match (handled, ended) {
        (Handled::Dead, _) => Was::Dead,
        (Handled::Waiting, _) => Was::Waiting,
        (Handled::Running, _) => {
            return Err(conflict(format!("the job {id} is running: it can be changed when its attempt has ended")));
        }
        (Handled::Unknown, Some(job)) => {
            return Err(conflict(format!("the job {id} is {}, so there is nothing to change", job.state)));
        }
        (Handled::Unknown, None) => return Err(no_job(id)),
    };
    tracing::info!(job = id, found = ?handled, "a job was changed through the API");
    Ok(Json(ChangedJob { was }))
}
