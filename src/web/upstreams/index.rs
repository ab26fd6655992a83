//! `GET /upstream/{name}/index/…`: the sparse index of an upstream.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;

use super::cargo_config::cargo_config;
use super::judging::Unread;
use super::lookup::{UNREAD, no_answer, no_upstream};
use crate::index::{ConfigJson, blob_id};
use crate::package::index_path::{crate_path, requested_path};
use crate::upstream_cache::verdict::Policy;
use crate::web::extract::path::ApiPath;
use crate::web::index::plain_text::{plain, unavailable};
use crate::web::index::sparse;
use crate::web::{ApiError, App};

/// An introduction for people.
pub(super) async fn about(State(app): State<App>, ApiPath(name): ApiPath<String>) -> Response<Body> {
    match app.settings.upstreams.find(&name) {
        None => no_upstream(&app, &name),
        Some(upstream) => {
            let (base, of) = (&app.settings.base_url, &upstream.settings);
            let config = cargo_config(base, (&of.name, &of.index), app.settings.auth_required);
            let text = format!(
                "This is the sparse index of {}, through this registry. To use it, add this to config.toml in $CARGO_HOME (~/.cargo):\n\n{config}",
                of.index
            );
            plain(StatusCode::OK, text.trim_end())
        }
    }
}

/// `config.json`, which leads cargo to the downloads here.
pub(super) async fn config(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    headers: HeaderMap,
) -> Result<Response<Body>, ApiError> {
    let Some(upstream) = app.settings.upstreams.find(&name) else { return Ok(no_upstream(&app, &name)) };
    let api = format!("{}/upstream/{}", app.settings.base_url, upstream.settings.name);
    let config = ConfigJson { dl: format!("{api}/api/v1/crates"), api, auth_required: app.settings.auth_required };
    let content = Bytes::from(config.to_bytes());
    let id = blob_id(&content).map_err(ApiError::internal)?;
    Ok(sparse::made(&app.index.view, ConfigJson::PATH, (id, &content), &headers))
}

/// The file of a crate, with the versions that are not to be chosen as yanked ones.
pub(super) async fn file(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response<Body>, ApiError> {
    let Ok(Path((name, path))) = path else {
        return Ok(plain(StatusCode::NOT_FOUND, "no such file in the index: the path is not UTF-8"));
    };
    let Some(upstream) = app.settings.upstreams.find(&name) else { return Ok(no_upstream(&app, &name)) };
    let right = match requested_path(&path) {
        Some(right) => right,
        None => {
            let text = "no such file in the index: paths of crates are like 1/a, 2/ab, 3/a/abc and ab/cd/abcd";
            return Ok(plain(StatusCode::NOT_FOUND, text));
        }
    };
    let right: Cow<'_, str> = right;
    match upstream.index_file(&right).await {
        Err(error) => Ok(no_answer(upstream, &error)),
        Ok(None) => Ok(sparse::absent(&right)),
        Ok(Some(found)) => {
            let policy = match crate_path(&right).map(|name| upstream.policy_of(&name)) {
                Some(Ok(policy)) => policy,
                None => (Policy::default(), upstream.judging.decided()),
                Some(Err(Unread)) => return Ok(unavailable(UNREAD)),
            };
            let (id, content) = found.shown(policy).map_err(ApiError::internal)?;
            let key = format!("upstream/{name}/{right}");
            Ok(sparse::made(&app.index.view, &key, (id, &content), &headers))
        }
    }
}
