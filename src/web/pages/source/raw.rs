//! `GET /crates/{name}/{version}/raw/{path}`: the content of a file.
//!
//! Its author is not trusted, and it comes from the host of the registry. So only texts and images have types that browsers
//! show; a text is always plain, whatever it is; no other type is guessed (`nosniff`); and what is shown is in a sandbox,
//! where nothing runs and nothing is loaded, which matters for SVG. Everything else is a download.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::binary::{self, LOOKED_AT};
use super::opened::{Opened, left_out, missing, open};
use crate::source::{FileFacts, Form, PackageId, SourceError, SourcePackage};
use crate::web::answers::conditions::{self, Condition, Tag};
use crate::web::answers::held_body::HeldBody;
use crate::web::extract::path::ApiPath;
use crate::web::pages::problem::Problem;
use crate::web::pages::visit::Visit;
use crate::web::sources;
use crate::web::{ApiError, App, ClientAddress};

/// What content may do: nothing. Styles are for SVG, which has no other.
const SANDBOX: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";
/// A version does not change; it can be deleted, though.
const CACHED: &str = "public, max-age=86400";
/// The size of the pieces in which content is read, in bytes.
const PIECE: u64 = 512 * 1024;

/// Sends the content.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    client: ClientAddress,
    ApiPath((name, num, path)): ApiPath<(String, String, String)>,
) -> Result<Response, Problem> {
    let opened = open(&app, client, (name, num)).await?;
    let Some(file) = opened.source.listing().find(&path).filter(|file| file.form != Form::Link).cloned() else {
        return Err(missing(visit.links(), &opened, &path));
    };
    Ok(left_out(answer(&app, client, &visit, &opened, (&path, file)).await?))
}

async fn answer(
    app: &App,
    client: ClientAddress,
    visit: &Visit,
    opened: &Opened,
    (path, file): (&str, FileFacts),
) -> Result<Response, ApiError> {
    let digest: String = file.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let condition = conditions::check(visit.headers(), Tag { opaque: &digest, is_strong: true });
    let mut headers = HeaderMap::new();
    let mut add = |name, text: &str| HeaderValue::try_from(text).map(|value| headers.insert(name, value));
    add(header::ETAG, &format!("\"{digest}\"")).map_err(ApiError::internal)?;
    add(header::CACHE_CONTROL, CACHED).map_err(ApiError::internal)?;
    add(header::CONTENT_SECURITY_POLICY, SANDBOX).map_err(ApiError::internal)?;
    match condition {
        Condition::NotModified => return Ok((StatusCode::NOT_MODIFIED, headers).into_response()),
        Condition::Failed => {
            let detail = format!("If-Match does not name this file: its tag is \"{digest}\"");
            return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, detail));
        }
        Condition::Met => {}
    }
    let (wanted, start_of) = (path.to_owned(), file.clone());
    let kind = sources::read(app, client, &opened.package, move |package| content_type(package, &wanted, &start_of));
    let (kind, is_shown) = kind.await?;
    let disposition = if is_shown { "inline" } else { "attachment" };
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    add(header::CONTENT_DISPOSITION, &format!("{disposition}; filename*=UTF-8''{name}")).map_err(ApiError::internal)?;
    add(header::CONTENT_TYPE, kind).map_err(ApiError::internal)?;
    add(header::CONTENT_LENGTH, &file.size.to_string()).map_err(ApiError::internal)?;
    let content = content(app, opened, file);
    Ok((headers, Body::new(HeldBody::watched(content, ()))).into_response())
}

/// The content type, and whether browsers may show it.
fn content_type(package: &SourcePackage, path: &str, file: &FileFacts) -> Result<(&'static str, bool), SourceError> {
    let mut start = Vec::new();
    package.read_part(file, 0..LOOKED_AT, |piece| {
        start.extend_from_slice(piece);
        Ok::<_, SourceError>(())
    })?;
    Ok(match (binary::image(path, &start), file.form) {
        (Some(image), _) => (image, true),
        (None, Form::Text) => ("text/plain; charset=utf-8", true),
        (None, Form::OtherText) => ("text/plain", true),
        (None, Form::Binary | Form::Link) => ("application/octet-stream", false),
    })
}

/// A file that is being sent.
struct Sending {
    app: App,
    id: PackageId,
    package: Arc<SourcePackage>,
    file: FileFacts,
    /// How far it was read.
    place: u64,
}

/// The content piece by piece, each read when the one before was sent.
fn content(app: &App, opened: &Opened, file: FileFacts) -> Body {
    let (id, package) = (opened.package.id.clone(), Arc::clone(&opened.source));
    let sending = Sending { app: app.clone(), id, package, file, place: 0 };
    Body::from_stream(stream::try_unfold(sending, async |sending| {
        if sending.place >= sending.file.size {
            return Ok(None);
        }
        tokio::task::spawn_blocking(|| sending.next()).await.map_err(io::Error::other)?.map(Some)
    }))
}

impl Sending {
    fn next(mut self) -> io::Result<(Bytes, Self)> {
        let mut content = Vec::new();
        let read = self.package.read_part(&self.file, self.place..self.place + PIECE, |piece| {
            content.extend_from_slice(piece);
            Ok::<_, SourceError>(())
        });
        if let Err(error) = read {
            tracing::warn!(%error, "a file of a package could not be sent to its end");
            // The client asks again, and then the pack is made anew.
            self.app.sources.cache.discard(&self.id);
            return Err(io::Error::other(error));
        }
        self.place += PIECE;
        Ok((content.into(), self))
    }
}
