//! `GET /api/v1/crates/{crate}/{version}/readme`: shows a README.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;

use crate::database::catalog::version_details;
use crate::web::answers::held_body::HeldBody;
use crate::web::extract::path::{ApiPath, VersionPath, crate_and_version};
use crate::web::lookup::version_id;
use crate::web::views::Errors;
use crate::web::{ApiError, App};

/// Size of the pieces that a README is sent in, in bytes.
const PIECE: usize = 16 * 1024;

/// Show the README of a version
///
/// Sends the README as it was published, usually Markdown. Its author is not trusted: headers keep a browser from running or
/// loading anything in it.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}/readme",
    tag = "versions",
    params(VersionPath),
    responses(
        (status = 200, body = String, content_type = "text/markdown; charset=utf-8", description = "The README"),
        (status = 404, body = Errors, description = "There is no such version, or it has no README"),
    )
)]
pub async fn show(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Response, ApiError> {
    let (name, num) = crate_and_version(&name, &num)?;
    let readme = app
        .with_connection(move |connection| {
            let version = version_id(connection, &name, &num)?;
            let readme = version_details::readme(connection, version)?.filter(|readme| !readme.is_empty());
            readme.ok_or_else(|| ApiError::not_found(format!("{name}@{num} has no README")))
        })
        .await?;
    let headers = [
        (header::CONTENT_TYPE, "text/markdown; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    // The README is in memory until the client has received it.
    let kib = u32::try_from(readme.len() / 1024 + 1).unwrap_or(u32::MAX);
    let room = Arc::clone(&app.readmes)
        .try_acquire_many_owned(kib)
        .map_err(|_| ApiError::busy("too many READMEs are being sent: try again shortly"))?;
    let length = [(header::CONTENT_LENGTH, readme.len().to_string())];
    Ok((headers, length, Body::new(HeldBody::new(in_pieces(readme.into()), room))).into_response())
}

/// Splits a text into copies, so that the pieces that a connection still holds do not keep all of it in memory.
fn in_pieces(text: Bytes) -> Body {
    let pieces = stream::unfold(text, async |mut rest| {
        if rest.is_empty() {
            return None;
        }
        let piece = Bytes::copy_from_slice(&rest.split_to(rest.len().min(PIECE)));
        Some((Ok::<_, Infallible>(piece), rest))
    });
    Body::from_stream(pieces)
}
