//! `PUT /api/v1/crates/new`.

mod storing;

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use chrono::Utc;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::access::caller::Caller;
use crate::database::access::scope::Scope;
use crate::database::catalog::{crate_limits, versions};
use crate::fault;
use crate::index::entry::Entry;
use crate::jobs::publish_version::{self, PublishError};
use crate::package::characters::plain;
use crate::package::policy::Advice;
use crate::package::{self, CrateName, Limits, Package, Refusal, Version};
use crate::web::answers::waiting::JobWaiter;
use crate::web::error::is_outage;
use crate::web::extract::body::Arriving;
use crate::web::extract::{auth, body};
use crate::web::limits::uploads::CompleteUpload;
use crate::web::views::Errors;
use crate::web::{ApiError, App};

/// The two lengths of the framing.
const FRAMING: usize = 8;

/// How long after an answer was made it has left.
pub(super) const AFTER: Duration = Duration::from_millis(30);

/// What cargo prints after a publish.
#[derive(Serialize, ToSchema)]
pub struct Published {
    warnings: Warnings,
}

/// What the publisher should know.
#[derive(Serialize, ToSchema)]
pub struct Warnings {
    /// Always empty: cargo would point to pages of crates.io.
    #[schema(value_type = Vec<String>)]
    invalid_categories: [(); 0],
    /// Always empty.
    #[schema(value_type = Vec<String>)]
    invalid_badges: [(); 0],
    /// One text a warning.
    other: Vec<String>,
}

/// The body of a publish: a length as a little-endian u32, so many bytes of JSON metadata, another length and so many
/// bytes of crate file, as the Cargo book has it.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it stands for bytes in the API's description")]
pub struct PublishBody(Vec<u8>);

/// Publish a version
///
/// When this answers 200 the version is accepted for good; usually the index shows it already.
#[utoipa::path(
    put,
    path = "/api/v1/crates/new",
    tag = "publish",
    security(("token" = [])),
    request_body(content = PublishBody, content_type = "application/octet-stream", description = "Two lengths and what they count"),
    responses(
        (status = 200, body = Published, description = "The version is accepted"),
        (status = 400, body = Errors, description = "What was sent can't be published"),
        (status = 401, body = Errors, description = "There is no token"),
        (status = 403, body = Errors, description = "The token is unknown or was revoked, or its user is no owner"),
        (status = 408, body = Errors, description = "The body came too slowly"),
        (status = 409, body = Errors, description = "The version is published already"),
        (status = 413, body = Errors, description = "The crate is too large"),
        (status = 429, body = Errors, description = "Too many publishes of this user, lately or at once, or too many bytes; `Retry-After` says when to try again"),
    )
)]
pub async fn publish(State(app): State<App>, request: Request) -> Result<Json<Published>, ApiError> {
    let (parts, body) = request.into_parts();
    let caller = match auth::authenticate(&app, &parts).await {
        Ok(caller) => caller,
        Err(refused) => {
            body::discard(&parts.headers, body, body::STRANGER);
            return Err(refused);
        }
    };
    let mut upload = receive(&app, &caller, &parts.headers, body).await?;
    let accepted = app.blocking(move |app| accept(app, &caller, upload.load()?)).await?;
    let shown = match accepted.waiter {
        Some(waiter) => waiter.wait(app.index.view.index(), app.settings.publish_wait).await,
        None => false,
    };
    let mut advice: Vec<_> = accepted.advice.iter().map(|advice| plain(&advice.to_string()).into_owned()).collect();
    if !shown {
        advice.push(format!(
            "`{name}@{num}` is accepted and queued; the index will show it shortly. Its status: {base}/api/v1/crates/{name}/{num}",
            name = accepted.name,
            num = accepted.num,
            base = app.settings.base_url,
        ));
    }
    fault::point_after(AFTER, "request.answered");
    Ok(Json(Published { warnings: Warnings { invalid_categories: [], invalid_badges: [], other: advice } }))
}

/// The body, once there is memory for it. Who may not publish anything is refused before it is read.
async fn receive(app: &App, caller: &Caller, headers: &HeaderMap, body: Body) -> Result<CompleteUpload, ApiError> {
    let may = async {
        may_publish(caller)?;
        largest_crate(app, headers).await
    };
    let max_crate = match may.await {
        Ok(max_crate) => max_crate,
        Err(refused) => {
            body::discard(headers, body, body::USER);
            return Err(refused);
        }
    };
    let max_metadata = app.settings.limits.max_metadata;
    let allowed = format!(
        "{max_crate} for the crate file and {max_metadata} for its metadata. Leave out what the crate does not need \
         (`cargo package --list` shows what is in it, `exclude` in Cargo.toml leaves files out)"
    );
    let body = Arriving::new(headers, body, max_crate + max_metadata + FRAMING, allowed)?;
    app.settings.uploads.receive((caller.user.id, &caller.user.login), body).await?.complete().await
}

/// Whether the token is good for some publish. For which one is looked at when the name is known.
fn may_publish(caller: &Caller) -> Result<(), ApiError> {
    let token = &caller.token;
    match &token.scopes {
        Some(scopes) if !scopes.0.iter().any(|scope| matches!(scope, Scope::PublishNew | Scope::PublishUpdate)) => {
            Err(ApiError::new(
                StatusCode::FORBIDDEN,
                format!(
                    "the token `{}` may not do this: it needs the scope publish-new or publish-update, and has {scopes}. \
                     Make a token with that scope, or one without restriction",
                    token.name
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// The largest crate file that this request may bring: as long as the crate's name is not known, the largest of all crates'
/// limits, which is asked for where it makes a difference.
async fn largest_crate(app: &App, headers: &HeaderMap) -> Result<usize, ApiError> {
    let limits = &app.settings.limits;
    let usual = limits.max_crate + limits.max_metadata + FRAMING;
    if body::content_length(headers).is_some_and(|length| length <= usual as u64) {
        return Ok(limits.max_crate);
    }
    let largest = app.with_connection(crate_limits::largest_crate_size).await?;
    Ok(limits.max_crate.max(largest.and_then(|size| size.try_into().ok()).unwrap_or(0)))
}

struct Accepted {
    name: CrateName,
    num: Version,
    advice: Vec<Advice>,
    /// None if the job could not be watched.
    waiter: Option<JobWaiter>,
}

/// Refuses what can be refused, cheapest first; stores the file; accepts the version.
fn accept(app: &App, caller: &Caller, body: Bytes) -> Result<Accepted, ApiError> {
    let settings = &app.settings;
    // Whose limit counts is known when the name is; until then what fits into the body is not too large.
    let max_crate = settings.limits.max_crate.max(body.len());
    let request = package::frame(body, &Limits { max_crate, ..settings.limits.clone() })?;
    let (name, num) = (request.name(), request.version());
    let known =
        app.pool.with(|connection| publish_version::check(connection, name, num, caller, &settings.admission))??;
    fault::point("request.read")?;
    let limits = known.limits.over(&settings.limits);
    let package = app.turns.take(|| request.open(&settings.urls, &limits))?;
    let advice = judge(app, &package)?;
    let line = Entry::new(&package, Utc::now()).to_line();
    limits.check_index_line(&line).map_err(Refusal::from)?;
    // Asked again under the crate's lock: others publish as well.
    limits.check_index_file(known.index_bytes, &line).map_err(Refusal::from)?;
    storing::admit(app, caller, &package)?;
    let waiter = storing::stored(app, &package, || enqueue_surely(app, &package, (&line, &limits), caller))?;
    fault::point("request.committed")?;
    app.wake_workers();
    tracing::info!(name = %package.name, num = %package.version, user = caller.user.login, "accepted a publish");
    Ok(Accepted { name: package.name, num: package.version, advice, waiter })
}

/// What the operator wants of packages.
fn judge(app: &App, package: &Package) -> Result<Vec<Advice>, ApiError> {
    let policy = &app.settings.policy;
    let mut advice = policy.check(&package.manifest)?;
    advice.extend(policy.check_paths(&package.unportable)?);
    let dependencies = package.dependencies_here();
    if !dependencies.is_empty() {
        let unknown =
            app.pool.with(|connection| publish_version::unknown_dependencies(connection, &dependencies))??;
        advice.extend(policy.check_unknown(unknown)?);
    }
    Ok(advice)
}

/// Accepts the version, also if the connection breaks.
fn enqueue_surely(
    app: &App,
    package: &Package,
    line: (&str, &Limits),
    caller: &Caller,
) -> Result<Option<JobWaiter>, PublishError> {
    match enqueue(app, package, line, caller) {
        Err(PublishError::Database(lost)) if is_outage(&lost) => {
            after_lost_connection(app, package, line, caller, lost)
        }
        enqueued => enqueued.map(Some),
    }
}

fn enqueue(app: &App, package: &Package, line: (&str, &Limits), caller: &Caller) -> Result<JobWaiter, PublishError> {
    let mut waiter = None;
    let watch = |job| waiter = Some(JobWaiter::register(&app.completions, job));
    let is_stored = || Ok(app.crate_store.size(package.checksum)?.is_some());
    let admission = &app.settings.admission;
    let accepted = app
        .pool
        .with(|connection| publish_version::request(connection, package, line, caller, admission, is_stored, watch))
        .map_err(|_| PublishError::Database(diesel::result::Error::BrokenTransactionManager))??;
    Ok(waiter.unwrap_or_else(|| JobWaiter::register(&app.completions, accepted.job)))
}

/// The connection broke, perhaps after the commit: what is in the database tells. Without this a client would be told
/// that nothing was changed, and then be refused a version that it was never told it had published.
fn after_lost_connection(
    app: &App,
    package: &Package,
    line: (&str, &Limits),
    caller: &Caller,
    lost: diesel::result::Error,
) -> Result<Option<JobWaiter>, PublishError> {
    tracing::warn!(error = %lost, name = %package.name, "the connection broke while a publish was accepted; looking again");
    match enqueue(app, package, line, caller) {
        Ok(waiter) => Ok(Some(waiter)),
        Err(PublishError::Duplicate { existing, .. }) if existing.checksum == package.checksum => {
            let published_by = app
                .pool
                .with(|connection| versions::created_by(connection, existing.id))
                .map_err(|_| PublishError::Database(diesel::result::Error::BrokenTransactionManager))??;
            if published_by == Some(caller.user.id) { Ok(None) } else { Err(PublishError::Database(lost)) }
        }
        Err(other) => Err(other),
    }
}
