//! `GET /api/v1/crates/{crate}/diff/{versions}`: what changed from one version to another.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::package::Checksum;
use crate::web::answers::conditions::{self, Condition, Tag};
use crate::web::extract::path::{ApiPath, crate_and_version};
use crate::web::lookup;
use crate::web::sources::{self, Package, two_versions};
use crate::web::views::{ComparisonView, Errors};
use crate::web::{ApiError, App, ClientAddress};

/// Describes the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "a part of the API's description only")]
struct DiffPath {
    /// The crate's name, in any spelling.
    #[param(rename = "crate", example = "demo")]
    krate: String,
    /// The two versions with their build metadata, and three dots between them.
    #[param(example = "1.0.0...1.1.0")]
    versions: String,
}

/// What changed.
#[derive(Serialize, ToSchema)]
pub struct Diff {
    diff: ComparisonView,
}

/// Show what changed from one version to another
///
/// Compares the packaged files. The summary has what a reviewer asks first: dependencies, features, the build script, new
/// binary files, and how often each file has `unsafe`. The comparison has bounds: what is beyond them is named, and null.
/// A client that asks for many comparisons gets 429.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/diff/{versions}",
    tag = "versions",
    params(DiffPath),
    responses(
        (status = 200, body = Diff, description = "The files that changed, and the summary"),
        (status = 304, description = "The client already has the answer"),
        (status = 412, body = Errors, description = "If-Match does not name the answer"),
        (status = 404, body = Errors, description = "There is no such version, or its files cannot be shown"),
    )
)]
pub async fn show(
    State(app): State<App>,
    client: ClientAddress,
    headers: HeaderMap,
    ApiPath((name, versions)): ApiPath<(String, String)>,
) -> Result<Response, ApiError> {
    let (before, after) = two_versions(&versions)?;
    let (name, before) = crate_and_version(&name, before)?;
    let after = crate::web::extract::path::version(&name, after)?;
    let found = app.with_connection(move |connection| {
        let (_, old) = lookup::version(connection, &name, &before)?;
        let (name, new) = lookup::version(connection, &name, &after)?;
        Ok::<_, ApiError>((Package::new(&name, &old.num, old.checksum), Package::new(&name, &new.num, new.checksum)))
    });
    let (before, after) = found.await?;
    let tag = tag(&before, &after);
    let is_new = match conditions::check(&headers, Tag { opaque: &tag, is_strong: false }) {
        Condition::Met => true,
        Condition::NotModified => false,
        Condition::Failed => {
            let detail = "If-Match names another answer: send the request without it";
            return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, detail));
        }
    };
    let mut response = if is_new {
        let comparison = sources::compare(&app, client, (&before, &after)).await?;
        Json(Diff { diff: ComparisonView::new(&after.name, (Some(&before.num), &after.num), &comparison) })
            .into_response()
    } else {
        StatusCode::NOT_MODIFIED.into_response()
    };
    let tag = HeaderValue::try_from(format!("W/\"{tag}\"")).map_err(ApiError::internal)?;
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    Ok(response)
}

/// The tag of the answer, which follows from the two packages and the program that compares them.
fn tag(before: &Package, after: &Package) -> String {
    let parts = [before, after].map(|package| format!("{} {}", package.num, package.id.checksum));
    Checksum::of([&parts[0], &parts[1], env!("CARGO_PKG_VERSION")].join(" ").as_bytes()).to_string()
}
