//! `GET /upstream/{name}/api/v1/crates/{crate}/{version}/download`: a crate file of an upstream.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;

use super::client::FetchError;
use super::crate_files::CrateFiles;
use super::in_index::{InIndex, find};
use super::lookup::{UNREAD, no_answer, no_upstream};
use super::measures;
use super::transfer::{Transfer, TransferError};
use super::upstream::Upstream;
use crate::package::index_path::index_path;
use crate::upstream_cache::verdict::{Delivery, Policy, Verdict};
use crate::web::answers::crate_file::{self, FileRequest, Source, VersionFile};
use crate::web::answers::held_body::HeldBody;
use crate::web::download_log::Downloader;
use crate::web::extract::path::{ApiPath, crate_and_version};
use crate::web::index::plain_text::{plain, unavailable};
use crate::web::{ApiError, App};

/// A file of at most this size, in bytes, is sent when it is there as a whole, so that a failure has its status.
const WHOLE: u64 = 256 * 1024;

/// How long a client waits for that. Then the file is sent as it comes, or not at all if nothing has come: cargo gives up after
/// half a minute without a byte.
const LONGEST: Duration = Duration::from_secs(20);

pub(super) async fn download(
    State(app): State<App>,
    ApiPath((of, name, num)): ApiPath<(String, String, String)>,
    downloader: Downloader,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Some(upstream) = app.settings.upstreams.find(&of).cloned() else { return Ok(no_upstream(&app, &of)) };
    let (name, version) = crate_and_version(&name, &num)?;
    let outcome = |outcome| measures::crate_file(&upstream.settings.name, outcome);
    let Ok((policy, decided)) = upstream.policy_of(&name) else { return Ok(unavailable(UNREAD)) };
    let found = match find(&upstream, (&name, &version), &policy).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            outcome(measures::ABSENT);
            return Ok(plain(StatusCode::NOT_FOUND, format!("the upstream {of} has no {name}@{version}")));
        }
        Err(error) => {
            outcome(measures::FAILED);
            return Ok(no_answer(&upstream, &error));
        }
    };
    let file = Arc::new(VersionFile::new(0, name, version, found.checksum));
    let response = deliver(&app, &upstream, (&file, found, (&policy, decided)), (&method, &headers)).await?;
    app.settings.download_log.note_upstream(&of, &file, (&method, response.status()), downloader);
    Ok(response)
}

/// The answer with a file, or why it is not delivered.
async fn deliver(
    app: &App,
    upstream: &Arc<Upstream>,
    (file, found, (policy, decided)): (&Arc<VersionFile>, InIndex, (&Policy, u64)),
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response, ApiError> {
    let outcome = |outcome| measures::crate_file(&upstream.settings.name, outcome);
    let refused = || {
        let is_vulnerable = matches!(found.verdict, Verdict::Vulnerable(..));
        outcome(if is_vulnerable { measures::VULNERABLE } else { measures::REFUSED });
        let why = found.refusal(&upstream.settings.name, (&file.name, &file.num), policy);
        Ok(plain(StatusCode::FORBIDDEN, why))
    };
    let delivery = found.verdict.delivery(upstream.settings.cooldowns.is_strict);
    if delivery == Delivery::Never {
        return refused();
    }
    let Some(files) = app.settings.upstreams.files() else {
        return Err(ApiError::internal("an upstream without files"));
    };
    if delivery == Delivery::Always {
        upstream.versions.know((index_path(&file.name), &found.index), decided, Arc::clone(file));
    }
    if let Some(response) = kept(app, files, file, (method, headers)).await? {
        outcome(measures::HIT);
        return Ok(response);
    }
    if delivery == Delivery::IfKept {
        return refused();
    }
    let transfer = files.fetch(upstream, (found.name, file.num.clone()), found.checksum);
    let is_plain = *method == Method::GET
        && ![header::RANGE, header::IF_NONE_MATCH, header::IF_MATCH].iter().any(|name| headers.contains_key(name));
    let ended = if is_plain { transfer.wait_for(WHOLE, LONGEST).await } else { Some(transfer.wait().await) };
    match ended {
        None => Ok(streamed(file, transfer)),
        Some(Ok(content)) => {
            let request = FileRequest { file, method, headers };
            Ok(whole(&content, &request)?)
        }
        Some(Err(error)) => Ok(failed(upstream, &error)),
    }
}

/// The answer from the store: from its memory, unless the use of the file has to be noted.
async fn kept(
    app: &App,
    files: &CrateFiles,
    file: &Arc<VersionFile>,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Option<Response>, ApiError> {
    if let Some(content) = files.store().recall(file.checksum).filter(|_| files.is_use_noted(file.checksum)) {
        return whole(&content, &FileRequest { file, method, headers }).map(Some);
    }
    let (files, file, method, headers) = (files.clone(), Arc::clone(file), method.clone(), headers.clone());
    let found = app.blocking(move |_| {
        if !files.store().contains(file.checksum)? {
            return Ok(None);
        }
        files.note_use(file.checksum);
        let request = FileRequest { file: &file, method: &method, headers: &headers };
        crate_file::respond(Source::Store(files.store()), &request).map(|(response, _)| Some(response))
    });
    found.await
}

fn whole(content: &Bytes, request: &FileRequest<'_>) -> Result<Response, ApiError> {
    crate_file::respond(Source::Memory(content), request).map(|(response, _)| response)
}

fn streamed(file: &VersionFile, transfer: Arc<Transfer>) -> Response {
    let length = transfer.length();
    let followed = Body::from_stream(Arc::clone(&transfer).follow());
    // A client that reads too slowly would keep the memory of the pieces.
    crate_file::streamed(file, length, Body::new(HeldBody::watched(followed, transfer)))
}

fn failed(upstream: &Upstream, error: &TransferError) -> Response {
    let name = &upstream.settings.name;
    match error {
        TransferError::Mismatch { .. } => plain(
            StatusCode::BAD_GATEWAY,
            format!(
                "the crate file is not the one of the index of {name}, and was not kept: {error}. Tell the operator of this registry"
            ),
        ),
        TransferError::Fetch(FetchError::Status { status: 404 | 410 | 451, .. }) => {
            plain(StatusCode::NOT_FOUND, format!("the upstream {name} has no such file: {error}"))
        }
        error => unavailable(&format!("the crate file cannot be fetched from the upstream {name}: {error}")),
    }
}
