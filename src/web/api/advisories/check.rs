//! `POST /api/v1/advisories/check`: which packages of a lock file are affected.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::lock_audit::{self, Affected, AuditError, Report};
use crate::package::lock_file::LockFile;
use crate::package::lock_origin::Origin;
use crate::web::extract::body;
use crate::web::shortened::shortened;
use crate::web::views::AnyError;
use crate::web::views::advisory::{self, AdvisoryView};
use crate::web::{ApiError, App};

/// The largest lock file, in bytes.
const MAX_LOCK: usize = 2 * 1024 * 1024;

/// What was found in a lock file.
#[derive(Serialize, ToSchema)]
pub struct CheckedLock {
    /// How many packages were checked: those of this registry and of its upstreams.
    checked: u32,
    /// How often a vulnerability affects a package.
    vulnerabilities: u32,
    /// The first 1,000 of them, and what is informational.
    affected: Vec<AffectedPackage>,
    /// Indexes of registries that are no upstreams here, and git repositories, whose packages were not checked.
    unchecked: Vec<String>,
}

/// An affected package.
#[derive(Serialize, ToSchema)]
pub struct AffectedPackage {
    #[serde(rename = "crate")]
    krate: String,
    version: String,
    advisory: AdvisoryView,
}

/// Check a lock file
///
/// The body is a `Cargo.lock`, such as with `curl --data-binary @Cargo.lock`. Its packages of this registry, and of its upstreams,
/// are compared to the advisories that count.
#[utoipa::path(
    post,
    path = "/api/v1/advisories/check",
    tag = "advisories",
    request_body(content = String, content_type = "text/plain", description = "The file"),
    responses((status = 200, body = CheckedLock, description = "What was found"), AnyError),
)]
pub async fn check(State(app): State<App>, request: Request) -> Result<Json<CheckedLock>, ApiError> {
    let (parts, content) = request.into_parts();
    let allowed = format!("{MAX_LOCK}: send one Cargo.lock");
    let text = body::read(&parts, content, MAX_LOCK, &allowed).await?;
    let lock = app.blocking(move |app| app.cpu_slots.run(|| parse(&text))).await?;
    let places = app.clone();
    let report = app.with_connection(move |connection| {
        let settings = &places.settings;
        let upstreams: Vec<(&str, &str)> = settings.upstreams.indexes().collect();
        let origin = |index: &str| Origin::of(index, &upstreams, Some(&settings.base_url));
        lock_audit::audit(connection, lock, origin).map_err(|error| match error {
            AuditError::Database(error) => error.into(),
            error => ApiError::internal(error),
        })
    });
    let Report { checked, vulnerabilities, affected, unknown } = report.await?;
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Json(CheckedLock {
        checked: count(checked),
        vulnerabilities: count(vulnerabilities),
        affected: affected.into_iter().map(|one| view(&app, one)).collect(),
        unchecked: unknown.into_iter().collect(),
    }))
}

fn parse(text: &[u8]) -> Result<LockFile, ApiError> {
    let bad = |problem: &str| {
        let problem = shortened(problem);
        ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("the body is no lock file of cargo: {problem}; send a Cargo.lock"),
        )
    };
    let text = std::str::from_utf8(text).map_err(|_| bad("it is not UTF-8"))?;
    if text.trim().is_empty() {
        return Err(bad("it is empty"));
    }
    LockFile::parse(text).map_err(|error| bad(&error.to_string()))
}

fn view(app: &App, of: Affected) -> AffectedPackage {
    let (known, ranges) = &*of.advisory;
    let actions = app.settings.upstreams.advisory_actions(&known.upstream);
    AffectedPackage {
        krate: of.package.name.to_string(),
        version: of.package.version.to_string(),
        advisory: advisory::view(known.clone(), ranges, (&actions, &app.settings.origin())),
    }
}
