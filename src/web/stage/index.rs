//! `GET /stage/{set}/index/…`: the sparse index of a release set.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Response};
use bytes::Bytes;

use super::naming::{base_of, set_name};
use super::overlays::Files;
use super::reading::readable;
use crate::index::{ConfigJson, blob_id};
use crate::package::index_path::requested_path;
use crate::web::extract::path::ApiPath;
use crate::web::index::sparse;
use crate::web::{ApiError, App};

/// An introduction for people.
pub(super) async fn about(State(app): State<App>, ApiPath(set): ApiPath<String>) -> Result<String, ApiError> {
    let set = set_name(&set)?;
    Ok(format!(
        "This is the sparse index of the release set `{set}`: the registry's, and what is staged in the set. To publish into \
         it or to build with it, run cargo with CARGO_REGISTRIES_NAME_INDEX=sparse+{}/index/ in its environment, where NAME is \
         what .cargo/config.toml calls this registry, in capitals.\n",
        base_of(&app, &set)
    ))
}

/// `config.json`, which leads cargo to the API of the set.
pub(super) async fn config(
    State(app): State<App>,
    ApiPath(set): ApiPath<String>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let set = set_name(&set)?;
    let (parts, _) = request.into_parts();
    let files = readable(&app, &set, &parts).await?;
    let base = base_of(&app, &set);
    let config = ConfigJson {
        dl: format!("{base}/api/v1/crates"),
        api: base,
        auth_required: app.settings.auth_required || files.is_some_and(|files| files.is_private()),
    };
    let content = Bytes::from(config.to_bytes());
    let id = blob_id(&content).map_err(ApiError::internal)?;
    Ok(sparse::made(&app.index.view, ConfigJson::PATH, (id, &content), &parts.headers))
}

/// The file of a crate: that of the main index, unless the set changes it.
pub(super) async fn file(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let Ok(Path((set, path))) = path else {
        return Err(ApiError::not_found("no such file in the index: the path is not UTF-8"));
    };
    let set = set_name(&set)?;
    let (parts, _) = request.into_parts();
    let files = readable(&app, &set, &parts).await?;
    let right = requested_path(&path).map_or_else(|| path.clone(), |right| right.into_owned());
    match files.filter(|files| files.changes(&right)) {
        None => Ok(sparse::of_crate((app.index.view.clone(), &app.settings.base_url), path, &parts.headers).await),
        Some(files) => changed(&app, files, right, &parts.headers).await,
    }
}

async fn changed(app: &App, files: Arc<Files>, path: String, headers: &HeaderMap) -> Result<Response<Body>, ApiError> {
    let requested = path.clone();
    let file = app.blocking(move |app| Ok(files.file(&app.index.view, &requested)?)).await?;
    Ok(match file {
        Some((id, content)) => sparse::made(&app.index.view, &path, (id, &content), headers),
        None => sparse::absent(&path),
    })
}

/// The answer to a request for a file of a crate, if memory has it and everyone may read it. Does not block.
pub fn recall(app: &App, (set, path): (&str, &str), headers: &HeaderMap) -> Option<Response<Body>> {
    let files = app.overlays.recall(set)?;
    let Some(files) = files.filter(|files| files.is_private() || files.changes(path)) else {
        return (path != ConfigJson::PATH).then(|| sparse::recalled(&app.index.view, path, headers)).flatten();
    };
    if files.is_private() {
        return None;
    }
    let view = &app.index.view;
    Some(match files.recall(path, view.recall(path)?)? {
        Some((id, content)) => sparse::made(view, path, (id, &content), headers),
        None => sparse::absent(path),
    })
}
