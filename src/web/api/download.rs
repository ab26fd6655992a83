//! `GET /api/v1/crates/{crate}/{version}/download`.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::path::VersionPath;
use super::{ApiPath, crate_name, no_such_version, version};
use crate::database::versions;
use crate::package::{CrateName, Version};
use crate::web::views::Errors;
use crate::web::{ApiError, App};

/// Files are named by their content and never change.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Download a crate file
///
/// The stored bytes, yanked or not. A client that accepts JSON alone is told the URL instead. A download is counted when
/// its bytes are about to be sent: not for HEAD, not for a 304, and not where the URL is told.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}/download",
    tag = "downloads",
    params(VersionPath),
    responses(
        (status = 200, description = "The file, or where it is", content(
            (CrateFileBody = "application/gzip"),
            (Location = "application/json"),
        )),
        (status = 304, description = "The client has the file"),
        (status = 404, body = Errors, description = "There is no such version"),
    )
)]
pub async fn download(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
    method: Method,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let name = crate_name(&name)?;
    let num = version(&name, &num)?;
    if wants_json(&request) {
        return Ok(location(&app, &name, &num).await?.into_response());
    }
    let counts = app.download_counts.clone();
    let (version_id, checksum, file) = app
        .blocking(move |app| {
            let missing = || no_such_version(&name, &num.to_string());
            let (version_id, checksum) =
                app.pool.with(|connection| versions::crate_file(connection, &name, &num))??.ok_or_else(missing)?;
            let lost =
                || ApiError::internal(format!("the crate file {checksum} of {name}@{num} is missing in the store"));
            Ok((version_id, checksum, app.crate_store.get(checksum)?.ok_or_else(lost)?))
        })
        .await?;
    let etag = format!("\"{checksum}\"");
    let mut headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/gzip")),
        (header::CACHE_CONTROL, FOR_EVER),
        (header::VARY, HeaderValue::from_static("accept")),
    ]);
    headers.extend(HeaderValue::try_from(&etag).ok().map(|etag| (header::ETAG, etag)));
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag)) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    if method != Method::HEAD {
        counts.add(version_id);
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
    Ok((headers, Body::from_stream(file.content)).into_response())
}

/// A gzipped tar. It is gzip by nature and not by encoding: labelled with `Content-Encoding`, clients would unpack it and
/// find another checksum.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it stands for bytes in the API's description")]
pub struct CrateFileBody(Vec<u8>);

/// Where a crate file is.
#[derive(Serialize, ToSchema)]
pub struct Location {
    /// The URL to download it from.
    url: String,
}

fn wants_json(request: &HeaderMap) -> bool {
    let accept = request.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}

async fn location(app: &App, name: &CrateName, num: &Version) -> Result<impl IntoResponse + use<>, ApiError> {
    let url = format!("{}/api/v1/crates/{name}/{num}/download", app.settings.base_url);
    let (name, num) = (name.clone(), num.clone());
    app.with_connection(move |connection| {
        versions::crate_file(connection, &name, &num)?.ok_or_else(|| no_such_version(&name, &num.to_string()))
    })
    .await?;
    Ok(([(header::VARY, "accept")], Json(Location { url })))
}
