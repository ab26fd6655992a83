//! Answers from memory, before the router and its layers: files of the index that are fresh, and crate files that are kept.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Response};
use axum::response::IntoResponse;

use crate::package::index_path::requested_path;
use crate::web::App;
use crate::web::answers::crate_file::{self, FileRequest, Source};
use crate::web::download_log::Downloader;
use crate::web::index::sparse;

/// The answer to a request for `/upstream/{name}/index/{path}`, if memory has it and the path is spelled right.
pub fn index_file(app: &App, (of, path): (&str, &str), headers: &HeaderMap) -> Option<Response<Body>> {
    let upstream = app.settings.upstreams.find(of)?;
    let Some(Cow::Borrowed(path)) = requested_path(path) else { return None };
    let (id, content) = upstream.recall(path)?.shown_before(upstream.judging.decided())?;
    let response = sparse::made_before(&app.index.view, (id, &content), headers)?;
    upstream.hits.index.increment(1);
    Some(response)
}

/// The answer to a request for `/upstream/{name}/api/v1/crates/{version}/download`, where the version is `NAME/VERSION`.
pub fn crate_file(
    app: &App,
    (of, version): (&str, &str),
    (method, headers): (&Method, &HeaderMap),
    downloader: Downloader,
) -> Option<Response<Body>> {
    let upstreams = &app.settings.upstreams;
    let upstream = upstreams.find(of)?;
    let known = upstream.versions.get(version)?;
    let file = known.passing(&*upstream.recall(&known.path)?, upstream.judging.decided())?;
    let files = upstreams.files().filter(|files| files.is_use_noted(file.checksum))?;
    let content = files.store().recall(file.checksum)?;
    upstream.hits.crates.increment(1);
    let response = crate_file::respond(Source::Memory(&content), &FileRequest { file, method, headers });
    let response = response.map_or_else(IntoResponse::into_response, |(response, _)| response);
    app.settings.download_log.note_upstream(of, file, (method, response.status()), downloader);
    Some(response)
}
