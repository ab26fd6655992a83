//! `PUT` and `DELETE /api/v1/crates/{crate}/{version}/docs`: uploads and deletes the documentation of a version.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::publish::AFTER;
use crate::database::access::caller::Caller;
use crate::database::access::scope::Scope;
use crate::docs_archive::{self, ExamineError};
use crate::error_chain::ErrorChain;
use crate::fault;
use crate::jobs::version_docs::{self, StoredArchive, Uploaded};
use crate::jobs::{RequestError, unused_files};
use crate::package::checksum::Digest;
use crate::package::{Checksum, CrateName, Version};
use crate::web::docs::url;
use crate::web::extract::auth::{self, Authenticated};
use crate::web::extract::body::Arriving;
use crate::web::extract::path::{ApiPath, VersionPath, crate_and_version};
use crate::web::extract::query::QueryParameters;
use crate::web::limits::uploads::UploadedFile;
use crate::web::measures::docs as measures;
use crate::web::views::{AnyError, Errors};
use crate::web::{ApiError, App};

/// How often an archive is stored again that others remove meanwhile.
const TRIES: usize = 5;
/// How long the removal of an archive waits for a connection; without one it stays until the store is tidied.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest name of a directory, in bytes.
const MAX_DIRECTORY: usize = 255;

/// Where in the zip the documentation is.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct DocsQuery {
    /// The directory of the crate in the zip, if that is not the name of the crate with `_`.
    #[param(example = "demo", max_length = 255)]
    directory: Option<String>,
}

/// A zip of the content of `target/doc`, as `cargo doc` writes it.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it stands for bytes in the API's description")]
pub struct DocsBody(Vec<u8>);

/// The documentation is uploaded.
#[derive(Serialize, ToSchema)]
pub struct UploadedDocs {
    /// Always true.
    ok: bool,
    /// Where it is read.
    #[schema(example = "https://crates.example/docs/demo/1.0.0/")]
    docs_url: String,
    /// The number of files in it.
    files: usize,
    /// Their size in bytes.
    unpacked_size: u64,
    /// The SHA-256 of the zip, in hexadecimal.
    checksum: String,
    /// Whether it takes the place of other documentation.
    replaced: bool,
}

/// The documentation is deleted.
#[derive(Serialize, ToSchema)]
pub struct DeletedDocs {
    /// Always true.
    ok: bool,
}

/// Upload the documentation of a version
///
/// For those who may publish a version of the crate, with the scope `publish-docs`. It takes the place of what was uploaded before.
#[utoipa::path(
    put,
    path = "/api/v1/crates/{crate}/{version}/docs",
    tag = "publish",
    security(("token" = ["publish-docs"])),
    params(VersionPath, DocsQuery),
    request_body(content = DocsBody, content_type = "application/octet-stream", description = "A zip of the content of `target/doc`"),
    responses(
        (status = 200, body = UploadedDocs, description = "The documentation is uploaded"),
        (status = 422, body = Errors, description = "The zip cannot be accepted; `detail` names the file and the remedy"),
        AnyError
    )
)]
pub async fn upload(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
    query: QueryParameters,
    request: Request,
) -> Result<Json<UploadedDocs>, ApiError> {
    let uploaded = accept_request(&app, (&name, &num), query, request).await;
    let (answer, size) = uploaded.inspect_err(|error| measures::refused(error.reason()))?;
    measures::uploaded(size);
    fault::point_after(AFTER, "request.answered");
    Ok(Json(answer))
}

/// Delete the documentation of a version
///
/// For those who may upload it.
#[utoipa::path(
    delete,
    path = "/api/v1/crates/{crate}/{version}/docs",
    tag = "publish",
    security(("token" = ["publish-docs"])),
    params(VersionPath),
    responses((status = 200, body = DeletedDocs, description = "The documentation is deleted"), AnyError)
)]
pub async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Json<DeletedDocs>, ApiError> {
    let (name, num) = crate_and_version(&name, &num)?;
    app.blocking(move |app| {
        app.pool.with(|connection| version_docs::delete_as(connection, (&name, &num), &caller))??;
        app.wake_workers();
        tracing::info!("crate" = %name, version = %num, "deleted documentation");
        Ok(())
    })
    .await?;
    fault::point_after(AFTER, "request.answered");
    Ok(Json(DeletedDocs { ok: true }))
}

async fn accept_request(
    app: &App,
    (name, num): (&str, &str),
    query: QueryParameters,
    request: Request,
) -> Result<(UploadedDocs, u64), ApiError> {
    let (parts, body) = request.into_parts();
    let caller = auth::authenticate(app, &parts).await?;
    let body = arriving(app, &parts, body)?;
    let (name, num) = crate_and_version(name, num)?;
    caller.may(Scope::PublishDocs, &name)?;
    let directory = query.get("directory").map(|directory| checked(directory).map(str::to_owned)).transpose()?;
    let (given, sender) = ((name, num), caller.clone());
    let (name, num) = app
        .with_connection(move |connection| {
            let (name, num) = given;
            version_docs::check(connection, (&name, &num), &sender).map(|own| (own, num))
        })
        .await?;
    // Small ones are in memory, and others in a file without a name, which ends with the process.
    let file = app.settings.uploads.receive((caller.user.id, &caller.user.login), body).await?.into_file();
    app.blocking(move |app| accept(app, &caller, (&name, &num), directory.as_deref(), &file)).await
}

fn checked(directory: &str) -> Result<&str, ApiError> {
    let is_name = !directory.is_empty() && directory.len() <= MAX_DIRECTORY && !directory.contains(['/', '\\']);
    is_name.then_some(directory).ok_or_else(|| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "`directory` is no name of a directory: give that of the crate in target/doc",
        )
    })
}

/// The zip as it arrives, unless it is announced as too large.
fn arriving(app: &App, parts: &Parts, body: Body) -> Result<Arriving, ApiError> {
    let limit = app.settings.docs.limits.max_archive;
    let allowed = format!(
        "{limit} for documentation. Leave out other crates (`cargo doc --no-deps`), or ask the operator for a larger `--max-docs-size`"
    );
    Arriving::new(parts, body, usize::try_from(limit).unwrap_or(usize::MAX), allowed)
}

/// Draws the upload from the user's limits, examines the archive, stores it, and gives it to the version.
fn accept(
    app: &App,
    caller: &Caller,
    (name, num): (&CrateName, &Version),
    directory: Option<&str>,
    file: &UploadedFile,
) -> Result<(UploadedDocs, u64), ApiError> {
    let library = name.as_str().replace('-', "_");
    let wanted = (directory.unwrap_or(&library), directory.is_some());
    app.pool.with(|connection| version_docs::admit(connection, caller, &app.settings.admission, file.length()))??;
    let (limits, content) = (&app.settings.docs.limits, file.parts()?);
    let examined = app.cpu_slots.run(|| docs_archive::examine(&*content, file.length(), limits, wanted));
    let contents = examined.map_err(unusable)?;
    let entries = contents.index.encode().map_err(ApiError::internal)?;
    let checksum = digest(file)?;
    app.crate_store.check_free_space(file.length())?;
    let archive = StoredArchive { checksum, size: file.length(), contents: &contents, entries: &entries };
    let Uploaded { name, num, replaced } = stored(app, file, (caller, (name, num)), archive)?;
    fault::point("request.committed")?;
    app.wake_workers();
    tracing::info!("crate" = %name, version = %num, size = file.length(), files = contents.files, "accepted documentation");
    let answer = UploadedDocs {
        ok: true,
        docs_url: url(&app.settings.base_url, &name, &num),
        files: contents.files,
        unpacked_size: contents.unpacked,
        checksum: checksum.to_string(),
        replaced,
    };
    Ok((answer, file.length()))
}

fn unusable(error: ExamineError) -> ApiError {
    match error {
        ExamineError::Refused(refusal) => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, refusal.to_string()),
        ExamineError::Io(error) => ApiError::unavailable(error),
    }
}

fn digest(file: &UploadedFile) -> Result<Checksum, ApiError> {
    let (mut digest, mut reader, mut piece) = (Digest::default(), file.reader()?, vec![0; 64 * 1024]);
    loop {
        match reader.read(&mut piece).map_err(ApiError::unavailable)? {
            0 => return Ok(digest.finish().0),
            length => digest.update(&piece[..length]),
        }
    }
}

/// Stores the archive and accepts it. If it is refused or something fails, the archive is removed, unless a version or a backup needs it.
fn stored(
    app: &App,
    file: &UploadedFile,
    (caller, version): (&Caller, (&CrateName, &Version)),
    archive: StoredArchive<'_>,
) -> Result<Uploaded, ApiError> {
    let (store, checksum) = (&app.crate_store, archive.checksum);
    for _ in 0..TRIES {
        store.put_from(checksum, file.reader()?)?;
        let is_stored = || store.contains(checksum);
        let accepted = fault::point("request.file_stored").map_err(RequestError::from).and_then(|()| {
            app.pool.with(|connection| version_docs::upload_as(connection, version, archive, caller, is_stored))?
        });
        match accepted {
            Ok(uploaded) => return Ok(uploaded),
            Err(RequestError::FileRemoved) => {}
            // A store that does not respond cannot remove the file either.
            Err(RequestError::CrateStore(away)) => return Err(away.into()),
            Err(refused) => {
                remove(app, checksum);
                return Err(refused.into());
            }
        }
    }
    Err(ApiError::unavailable(RequestError::FileRemoved))
}

fn remove(app: &App, checksum: Checksum) {
    let removed = app
        .pool
        .with_within(PATIENCE, |connection| unused_files::remove_docs(connection, &app.crate_store, checksum))
        .map_err(unused_files::UnusedFileError::from)
        .and_then(|removed| removed);
    if let Err(error) = removed {
        tracing::warn!(
            %checksum, error = %ErrorChain::of(&error),
            "the documentation of a refused upload stays until the crate store is tidied"
        );
    }
}
