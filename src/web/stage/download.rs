//! `GET /stage/{set}/api/v1/crates/{crate}/{version}/download`: the file of a staged version, or of one of the registry.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;

use super::naming::set_name;
use super::reading::readable;
use crate::database::staging::staged;
use crate::web::answers::crate_file::{self, FileRequest, Source, VersionFile};
use crate::web::api;
use crate::web::download_log::Downloader;
use crate::web::extract::path::{ApiPath, crate_and_version};
use crate::web::{ApiError, App};

/// A version that is staged may be replaced.
const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");

pub(super) async fn download(
    State(app): State<App>,
    ApiPath((set, name, num)): ApiPath<(String, String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let set = set_name(&set)?;
    let (mut parts, _) = request.into_parts();
    let Ok(downloader) = Downloader::from_request_parts(&mut parts, &app).await;
    let (krate, version) = crate_and_version(&name, &num)?;
    let (method, headers) = (parts.method.clone(), parts.headers.clone());
    let by = downloader.clone();
    if let Some(files) = readable(&app, &set, &parts).await?.filter(|files| files.is_open) {
        let sent = app
            .blocking(move |app| {
                let asked = (&krate, &version);
                let found = app.pool.with(|connection| staged::file(connection, files.set_id, asked))??;
                let Some(checksum) = found else { return Ok(None) };
                let file = Arc::new(VersionFile::new(0, krate, version, checksum));
                send(app, &file, (&method, &headers), by).map(Some)
            })
            .await?;
        if let Some(sent) = sent {
            return Ok(sent);
        }
    }
    api::download::download(State(app), ApiPath((name, num)), downloader, parts.method, parts.headers).await
}

fn send(
    app: &App,
    file: &Arc<VersionFile>,
    (method, headers): (&Method, &HeaderMap),
    downloader: Downloader,
) -> Result<Response, ApiError> {
    let (mut response, _) =
        crate_file::respond(Source::Store(&app.crate_store), &FileRequest { file, method, headers })?;
    app.settings.download_log.note(file, method, response.status(), downloader);
    response.headers_mut().insert(header::CACHE_CONTROL, REVALIDATED);
    Ok(response)
}
