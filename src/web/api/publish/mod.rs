//! `PUT /api/v1/crates/new`: publishes a version.

mod judging;
mod staging;
mod storing;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use chrono::Utc;
use serde::Serialize;
use tracing::Instrument;
use utoipa::ToSchema;

use crate::database::about::About;
use crate::database::access::caller::{Caller, Denied};
use crate::database::access::scope::Scope;
use crate::database::catalog::crate_details::CountedCrate;
use crate::database::catalog::refusal::ChangeRefusal;
use crate::database::catalog::{crate_limits, versions};
use crate::database::staging::SetName;
use crate::fault;
use crate::full_disk;
use crate::index::entry::Entry;
use crate::jobs::lost_rows::TakenPlaces;
use crate::jobs::publish_judgement::Destination;
use crate::jobs::publish_version::{self, Requested};
use crate::jobs::staging::create;
use crate::jobs::{Completion, RequestError};
use crate::package::characters::plain;
use crate::package::policy::Advice;
use crate::package::{self, CrateName, Limits, Package, Refusal, Version};
use crate::trace::STEP;
use crate::web::answers::waiting::is_shown;
use crate::web::error::is_outage;
use crate::web::extract::body::Arriving;
use crate::web::extract::{auth, body};
use crate::web::limits::uploads::CompleteUpload;
use crate::web::measures::publishes::Publish;
use crate::web::measures::reason;
use crate::web::views::{CrateView, Errors};
use crate::web::{ApiError, App};

/// Bytes of the two lengths in a body.
const FRAMING: usize = 8;

/// The time after which an answer has been sent, for fail points.
pub(super) const AFTER: Duration = Duration::from_millis(30);

/// The crate of a publish, and the warnings that cargo prints.
#[derive(Serialize, ToSchema)]
pub struct Published {
    /// The crate with this version. Without it, if the index does not show the version yet; null if nothing is known then.
    #[serde(rename = "crate")]
    krate: Option<CrateView>,
    warnings: Warnings,
}

/// Warnings for the publisher.
#[derive(Serialize, ToSchema)]
pub struct Warnings {
    /// Always empty: cargo would refer to pages of crates.io.
    #[schema(value_type = Vec<String>)]
    invalid_categories: [(); 0],
    /// Always empty.
    #[schema(value_type = Vec<String>)]
    invalid_badges: [(); 0],
    /// One text for each warning.
    other: Vec<String>,
}

/// The body of a publish: the length of the JSON metadata as a little-endian u32, the metadata, the length of the crate file
/// as a little-endian u32, and the crate file, as specified in the Cargo book.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it stands for bytes in the API's description")]
pub struct PublishBody(Vec<u8>);

/// Publish a version
///
/// Status 200 means that the version is accepted permanently; usually the index shows it already.
#[utoipa::path(
    put,
    path = "/api/v1/crates/new",
    tag = "publish",
    security(("token" = [])),
    request_body(content = PublishBody, content_type = "application/octet-stream", description = "The metadata and the crate file, each after its length"),
    responses(
        (status = 200, body = Published, description = "The version is accepted"),
        (status = 400, body = Errors, description = "The package cannot be published"),
        (status = 401, body = Errors, description = "There is no token"),
        (status = 403, body = Errors, description = "The token is unknown or was revoked, or its user is not an owner"),
        (status = 408, body = Errors, description = "The body arrived too slowly"),
        (status = 409, body = Errors, description = "The version is already published"),
        (status = 413, body = Errors, description = "The crate is too large"),
        (status = 429, body = Errors, description = "Too many recent or concurrent publishes of this user, or too many bytes; `Retry-After` says when to try again"),
    )
)]
pub async fn publish(State(app): State<App>, request: Request) -> Result<Json<Published>, ApiError> {
    let measured = Arc::new(Publish::begin());
    let accepted =
        accept_request(&app, request, &measured).await.inspect_err(|error| measured.refused(error.reason()))?;
    let accepted = match accepted {
        Ok(accepted) => accepted,
        Err(staged) => {
            measured.answered(true);
            return Ok(Json(Published::staged(staged)));
        }
    };
    let shown = match accepted.completion {
        Some(completion) => is_shown(&app, completion).await,
        None => false,
    };
    measured.answered(shown);
    let mut advice: Vec<_> = accepted.advice.iter().map(|advice| plain(&advice.to_string()).into_owned()).collect();
    if !shown {
        advice.push(format!(
            "`{name}@{num}` is accepted and queued; the index will show it shortly. Its status: {base}/crates/{name}/{num}/status",
            name = accepted.name,
            num = accepted.num,
            base = app.settings.base_url,
        ));
    }
    let krate = accepted.krate.map(|krate| match accepted.version_id {
        Some(id) if shown => krate.with_version(id, &accepted.num, &accepted.about, Utc::now()),
        _ => krate,
    });
    let krate = krate.map(|krate| CrateView::new(krate, &app.settings.base_url));
    fault::point_after(AFTER, "request.answered");
    Ok(Json(Published { krate, warnings: Warnings { invalid_categories: [], invalid_badges: [], other: advice } }))
}

/// Stages a version in a release set.
pub async fn stage(app: &App, set: SetName, request: Request) -> Result<Json<Published>, ApiError> {
    let measured = Arc::new(Publish::begin());
    let staged =
        stage_request(app, set, request, &measured).await.inspect_err(|error| measured.refused(error.reason()))?;
    measured.answered(true);
    Ok(Json(Published::staged(staged)))
}

impl Published {
    /// The answer to a publish whose version is staged; `other` says so.
    fn staged(other: Vec<String>) -> Self {
        Self { krate: None, warnings: Warnings { invalid_categories: [], invalid_badges: [], other } }
    }
}

async fn stage_request(
    app: &App,
    set: SetName,
    request: Request,
    measured: &Arc<Publish>,
) -> Result<Vec<String>, ApiError> {
    let (parts, body) = request.into_parts();
    let caller = auth::authenticate(app, &parts).await?;
    create::check_may_stage(&caller)?;
    let mut upload = receive(app, &caller, &parts, body).await?;
    let measured = Arc::clone(measured);
    app.blocking(move |app| {
        staging::accept(app, (&caller, Some(&set)), upload.load()?).map(|(size, said)| {
            measured.accepted(size);
            said
        })
    })
    .await
}

/// What a publish has become: an accepted version, or one that is staged, with what the publisher reads of that.
type Outcome = Result<Accepted, Vec<String>>;

async fn accept_request(app: &App, request: Request, measured: &Arc<Publish>) -> Result<Outcome, ApiError> {
    let (parts, body) = request.into_parts();
    let caller = auth::authenticate(app, &parts).await?;
    may_publish(&caller)?;
    let receiving = tracing::trace_span!(target: STEP, "receive package");
    let mut upload = receive(app, &caller, &parts, body).instrument(receiving).await?;
    let measured = Arc::clone(measured);
    app.blocking(move |app| {
        let body = upload.load()?;
        let (size, outcome) = match accept(app, &caller, body.clone())? {
            Some(accepted) => (accepted.size, Ok(accepted)),
            None => staging::accept(app, (&caller, None), body).map(|(size, said)| (size, Err(said)))?,
        };
        measured.accepted(size);
        Ok(outcome)
    })
    .await
}

/// Receives the body, when there is memory for it.
async fn receive(app: &App, caller: &Caller, parts: &Parts, body: Body) -> Result<CompleteUpload, ApiError> {
    app.admit_job()?;
    let max_crate = largest_crate(app, &parts.headers).await?;
    let max_metadata = app.settings.limits.max_metadata;
    let allowed = format!(
        "{max_crate} for the crate file and {max_metadata} for its metadata. Leave out what the crate does not need \
         (`cargo package --list` shows what is in it, `exclude` in Cargo.toml leaves files out)"
    );
    let body = Arriving::new(parts, body, max_crate + max_metadata + FRAMING, allowed)?;
    app.settings.uploads.receive((caller.user.id, &caller.user.login), body).await?.complete().await
}

/// Checks that the token permits publishes at all. Whether it permits this one is checked when the crate's name is known.
fn may_publish(caller: &Caller) -> Result<(), ApiError> {
    let token = &caller.token;
    let publishes = |scope: &Scope| matches!(scope, Scope::PublishNew | Scope::PublishUpdate);
    let stages = |scope: &Scope| matches!(scope, Scope::StageNew | Scope::StageUpdate);
    match &token.scopes {
        Some(scopes) if !scopes.0.iter().any(publishes) && scopes.0.iter().any(stages) => {
            Err(Denied::OnlyStages { token: token.name.clone() }.into())
        }
        Some(scopes) if !scopes.0.iter().any(publishes) => Err(ApiError::new(
            StatusCode::FORBIDDEN,
            format!(
                "the token `{}` needs the scope publish-new or publish-update, and has {scopes}: create a token with \
                     one of them, or one without restrictions",
                token.name
            ),
        )
        .because(reason::SCOPE)),
        _ => Ok(()),
    }
}

/// The largest crate file that this request may have. The crate's name is not known yet, so this is the largest limit of all
/// crates; it is read only if the body is larger than usual.
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
    /// Bytes of the crate file.
    size: usize,
    about: About,
    /// The crate before this publish, if it is known.
    krate: Option<CountedCrate>,
    /// None if it is unknown, as the job then is.
    version_id: Option<i32>,
    completion: Option<Completion>,
}

/// Checks the publish, cheapest checks first; stores the file; accepts the version. None if the crate is published by approvals
/// only.
fn accept(app: &App, caller: &Caller, body: Bytes) -> Result<Option<Accepted>, ApiError> {
    let settings = &app.settings;
    // The crate's own limit is applied when its name is known; until then any file that fits into the body is allowed.
    let max_crate = settings.limits.max_crate.max(body.len());
    let request = package::frame(body, &Limits { max_crate, ..settings.limits.clone() })?;
    let (name, num) = (request.name(), request.version());
    let dependencies = request.metadata().deps.iter().map(|dependency| &*dependency.name);
    let taken = TakenPlaces::of(app.index.view.index())?;
    let checked = app.pool.with(|connection| {
        publish_version::check(connection, (name, num), dependencies, (caller, &settings.admission), Destination::Index)
    })?;
    let known = match checked {
        Err(RequestError::Refused(ChangeRefusal::NeedsApproval { .. })) => return Ok(None),
        checked => checked?,
    };
    if let Some(refusal) = taken.refusal((name, num), request.checksum(), &known)? {
        return Err(refusal.into());
    }
    fault::point("request.read")?;
    let limits = known.limits.over(&settings.limits);
    let begun = storing::begin(app, caller, &request, &known);
    let package = tracing::trace_span!(target: STEP, "examine package")
        .in_scope(|| app.cpu_slots.run(|| request.open(&settings.urls, &limits, settings.policy.manifest_mismatch)))?;
    let advice = judging::judge(app, &package, &known, (&[], caller))?;
    let line = Entry::new(&package, Utc::now()).to_line();
    limits.check_index_line(&line).map_err(Refusal::from)?;
    // Repeated under the crate's lock, because others publish as well.
    limits.check_index_file(known.index_bytes, &line).map_err(Refusal::from)?;
    storing::admit(app, caller, package.crate_file.len(), &known)?;
    let about = About::of(&package.manifest, &package.targets);
    let described = (&package, &about);
    let requested = storing::stored(app, &package, begun, || enqueue_surely(app, described, (&line, &limits), caller))?;
    fault::point("request.committed")?;
    app.wake_workers();
    tracing::info!("crate" = %package.name, version = %package.version, "accepted a publish");
    let (version_id, new_crate, completion) = match requested {
        Some(Requested { version_id, new_crate, completion }) => (Some(version_id), new_crate, Some(completion)),
        None => (None, None, None),
    };
    Ok(Some(Accepted {
        name: package.name,
        num: package.version,
        advice,
        size: package.crate_file.len(),
        about,
        krate: new_crate.or(known.details),
        version_id,
        completion,
    }))
}

/// Accepts the version, even if the connection to the database breaks.
fn enqueue_surely(
    app: &App,
    package: (&Package, &About),
    line: (&str, &Limits),
    caller: &Caller,
) -> Result<Option<Requested>, RequestError> {
    match enqueue(app, package, line, caller) {
        Err(lost) if is_lost(&lost) => after_lost_connection(app, package, line, caller, lost),
        enqueued => enqueued.map(Some),
    }
}

fn is_lost(error: &RequestError) -> bool {
    match error {
        RequestError::Pool(_) => true,
        RequestError::Database(error) => is_outage(error) && !full_disk::is_named_in(&error.to_string()),
        _ => false,
    }
}

fn enqueue(
    app: &App,
    package: (&Package, &About),
    line: (&str, &Limits),
    caller: &Caller,
) -> Result<Requested, RequestError> {
    let is_stored = || app.crate_store.contains(package.0.checksum);
    let admission = &app.settings.admission;
    let completions = &app.completions;
    app.pool.with(|connection| {
        publish_version::request(connection, package, line, (caller, admission), is_stored, completions)
    })?
}

/// Repeats the request after the connection broke, perhaps after the commit. Otherwise the client would receive an error that
/// says that nothing was changed, and its next attempt would be refused as a duplicate of a version that was never
/// acknowledged.
fn after_lost_connection(
    app: &App,
    (package, about): (&Package, &About),
    line: (&str, &Limits),
    caller: &Caller,
    lost: RequestError,
) -> Result<Option<Requested>, RequestError> {
    tracing::warn!(error = %lost, name = %package.name, "the connection to the database broke while a publish was accepted; repeating it");
    match enqueue(app, (package, about), line, caller) {
        Ok(requested) => Ok(Some(requested)),
        Err(RequestError::Refused(ChangeRefusal::Duplicate { existing, .. }))
            if existing.checksum == package.checksum =>
        {
            let published_by = app.pool.with(|connection| versions::created_by(connection, existing.id))??;
            if published_by == Some(caller.user.id) { Ok(None) } else { Err(lost) }
        }
        Err(other) => Err(other),
    }
}
