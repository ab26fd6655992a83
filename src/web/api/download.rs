//! `GET /api/v1/crates/{crate}/{version}/download`.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{ApiPath, crate_name, no_such_version, version};
use crate::database::versions;
use crate::web::{ApiError, App};

/// Files are named by their content and never change.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The stored bytes of a crate file, yanked or not. They are gzip by nature and not by encoding: labelled with
/// `Content-Encoding`, clients would unpack them and find another checksum.
pub async fn download(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let name = crate_name(&name)?;
    let num = version(&name, &num)?;
    let (checksum, file) = app
        .blocking(move |app| {
            let missing = || no_such_version(&name, &num.to_string());
            let checksum =
                app.pool.with(|connection| versions::crate_file(connection, &name, &num))??.ok_or_else(missing)?;
            let lost =
                || ApiError::internal(format!("the crate file {checksum} of {name}@{num} is missing in the store"));
            Ok((checksum, app.crate_store.get(checksum)?.ok_or_else(lost)?))
        })
        .await?;
    let etag = format!("\"{checksum}\"");
    let mut headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/gzip")),
        (header::CACHE_CONTROL, FOR_EVER),
    ]);
    headers.extend(HeaderValue::try_from(&etag).ok().map(|etag| (header::ETAG, etag)));
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag)) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
    Ok((headers, Body::from_stream(file.content)).into_response())
}
