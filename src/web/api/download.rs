//! `GET /api/v1/crates/{crate}/{version}/download`: sends a crate file.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use diesel::PgConnection;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::catalog::version_file;
use crate::jobs::lost_rows::checksum_in;
use crate::package::index_path::index_path;
use crate::package::{Checksum, CrateName, Version};
use crate::web::answers::crate_file::{self, FileRequest, Source, VersionFile};
use crate::web::download_log::Downloader;
use crate::web::extract::path::{ApiPath, VersionPath, crate_and_version};
use crate::web::known_files::{IfDue, KnownFiles};
use crate::web::lookup::{self, no_such_version};
use crate::web::measures::downloads;
use crate::web::views::Errors;
use crate::web::{ApiError, App};

/// The id of a version that has no row.
const NO_ROW: i32 = 0;

/// Download a crate file
///
/// Sends the stored bytes, also of a yanked version, or redirects to them. A client that accepts `application/json` gets the file's URL instead.
/// Responses that send the file from its first byte on are counted as downloads; HEAD requests, 304 responses, later ranges
/// and responses with the URL are not. A redirect counts as the response that it leads to.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}/download",
    tag = "downloads",
    params(VersionPath),
    responses(
        (status = 200, description = "The file, or its URL", content(
            (CrateFileBody = "application/gzip"),
            (Location = "application/json"),
        )),
        (status = 302, description = "The file is at the URL in the header Location, if the registry redirects downloads"),
        (status = 206, description = "The requested range of the file", body = CrateFileBody, content_type = "application/gzip"),
        (status = 304, description = "The client already has the file"),
        (status = 412, body = Errors, description = "If-Match does not name the file"),
        (status = 416, body = Errors, description = "The range is outside the file"),
        (status = 404, body = Errors, description = "There is no such version, or it was deleted for the reason that the error has"),
    )
)]
pub async fn download(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
    downloader: Downloader,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (name, num) = crate_and_version(&name, &num)?;
    if wants_json(&headers) {
        return Ok(location(&app, &name, &num).await?.into_response());
    }
    let known =
        app.known_files.recall(&app.index.view, &index_path(&name), (name.as_str(), &num.to_string()), IfDue::Asks);
    if let (Some(file), Some(_)) = (&known, &app.settings.download_redirect) {
        return send(&app, Source::Store(&app.crate_store), (file, &method, &headers), downloader);
    }
    if let Some(file) = &known
        && let Some(content) = app.crate_store.recall(file.checksum)
    {
        return send(&app, Source::Memory(&content), (file, &method, &headers), downloader);
    }
    app.blocking(move |app| {
        let file = known.map_or_else(|| look_up(app, name, num), Ok)?;
        send(app, Source::Store(&app.crate_store), (&file, &method, &headers), downloader)
    })
    .await
}

/// The answer to a request for `/api/v1/crates/{crate}/{version}/download`, if it can be given without blocking.
pub fn recall(
    app: &App,
    (name, num): (&str, &str),
    (method, headers): (&Method, &HeaderMap),
    downloader: Downloader,
) -> Option<Response> {
    if wants_json(headers) {
        return None;
    }
    let file = app.known_files.recall(&app.index.view, &index_path(&name.parse().ok()?), (name, num), IfDue::Passes)?;
    if app.settings.download_redirect.is_some() {
        let sent = send(app, Source::Store(&app.crate_store), (&file, method, headers), downloader);
        return Some(sent.unwrap_or_else(IntoResponse::into_response));
    }
    let content = app.crate_store.recall(file.checksum)?;
    let sent = send(app, Source::Memory(&content), (&file, method, headers), downloader);
    Some(sent.unwrap_or_else(IntoResponse::into_response))
}

/// Sends a file, or says where it is, and counts and logs that.
fn send(
    app: &App,
    source: Source<'_>,
    (file, method, headers): (&Arc<VersionFile>, &Method, &HeaderMap),
    downloader: Downloader,
) -> Result<Response, ApiError> {
    let request = FileRequest { file, method, headers };
    let (response, sends_file) = match &app.settings.download_redirect {
        // Does not block.
        Some(to) => crate_file::redirect(to, &app.crate_store, &request)?,
        None => crate_file::respond(source, &request)?,
    };
    downloads::began(method, &response);
    if sends_file && file.version_id != NO_ROW {
        app.download_counts.add(file.version_id);
    }
    app.settings.download_log.note(file, method, response.status(), downloader);
    Ok(response)
}

/// Asks the database for the file of a version, and remembers it. That of a version which the database has lost is not
/// remembered.
fn look_up(app: &App, name: CrateName, num: Version) -> Result<Arc<VersionFile>, ApiError> {
    // Read before the query: see `KnownFiles`.
    let place = KnownFiles::place(&app.index.view, &name, &num);
    let question = app.known_files.ask();
    let found = app.pool.with(|connection| version_file::find(connection, &name, &num))??;
    app.known_files.learn(question, found.deletion_pending);
    let Some((version_id, checksum)) = found.file else {
        return match lost_file(app, &name, &num)? {
            Some(checksum) => Ok(Arc::new(VersionFile::new(NO_ROW, name, num, checksum))),
            None => Err(app.pool.with(|connection| absent(connection, &name, &num))?),
        };
    };
    let file = Arc::new(VersionFile::new(version_id, name, num, checksum));
    if let Some(place) = place {
        app.known_files.know(place, Arc::clone(&file));
    }
    Ok(file)
}

/// The file of a version that the index shows, and of which the database has no row: it has lost its latest changes.
fn lost_file(app: &App, name: &CrateName, num: &Version) -> Result<Option<Checksum>, ApiError> {
    let Some(file) = app.index.view.file(&index_path(name))? else { return Ok(None) };
    let Some(checksum) = checksum_in(&file.content, num) else { return Ok(None) };
    let has_row = app.pool.with(|connection| version_file::has_row(connection, name, num))??;
    Ok((!has_row).then_some(checksum))
}

/// Why a version has no file: it was deleted, with its crate or alone, or was never there.
fn absent(connection: &mut PgConnection, name: &CrateName, num: &Version) -> ApiError {
    match lookup::version(connection, name, num) {
        Err(error) => error,
        // It was published in the meantime.
        Ok((name, _)) => no_such_version(&name, &num.to_string()),
    }
}

/// A gzipped tar archive. It has no `Content-Encoding`: clients would unpack it and get another checksum.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct CrateFileBody(Vec<u8>);

/// The location of a crate file.
#[derive(Serialize, ToSchema)]
pub struct Location {
    /// The URL of the file.
    url: String,
}

fn wants_json(request: &HeaderMap) -> bool {
    let accept = request.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}

async fn location(app: &App, name: &CrateName, num: &Version) -> Result<impl IntoResponse + use<>, ApiError> {
    let url = format!("{}/api/v1/crates/{name}/{num}/download", app.settings.base_url);
    let (name, num) = (name.clone(), num.clone());
    app.blocking(move |app| look_up(app, name, num)).await?;
    Ok(([(header::VARY, "accept")], Json(Location { url })))
}
