//! One file of an archive as a response: its headers, and its content from its place in the archive.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::content_type;
use super::inflate::{self, GZIP_ADDS, Pieces};
use crate::crate_store::{Content, CrateFile};
use crate::database::catalog::version_docs::FoundDocs;
use crate::docs_archive::File;
use crate::web::answers::conditions::{self, Condition, Tag};
use crate::web::answers::crate_file::{Part, insert_content_range, part};
use crate::web::answers::held_body::HeldBody;
use crate::web::index::accept_encoding::accepts_gzip;
use crate::web::measures::docs;
use crate::web::{ApiError, App};

/// Scripts run, in an origin of their own: they have no cookies, and cannot act as a user.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox allow-scripts");
/// Documentation can be uploaded again.
const REVALIDATED: HeaderValue = HeaderValue::from_static("no-cache");
/// The names of these files contain a hash of their content.
const LONG: HeaderValue = HeaderValue::from_static("public, max-age=604800");
const HASHED: &str = "static.files/";

/// A file that is asked for, and how it may be sent.
pub(super) struct Asked<'a> {
    pub docs: &'a FoundDocs,
    pub file: &'a File,
    /// The path below the version.
    pub path: &'a str,
    /// Whether its scripts must not share an origin with anything.
    pub is_sandboxed: bool,
    /// The URL of the same page in the latest version.
    pub canonical: Option<String>,
}

/// How the content is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As it is in the archive.
    Plain,
    Gzip,
    Inflated,
}

impl Asked<'_> {
    /// The response.
    pub async fn send(&self, app: &App, parts: &Parts) -> Result<Response, ApiError> {
        let headers = &parts.headers;
        let form = match self.file.is_deflated {
            false => Form::Plain,
            true if accepts_gzip(headers) => Form::Gzip,
            true => Form::Inflated,
        };
        let checksum = self.docs.checksum.to_string();
        let end = if form == Form::Gzip { "-gzip" } else { "" };
        let tag = format!("{}-{:x}{end}", &checksum[..20], self.file.offset);
        let known = Tag { opaque: &tag, is_strong: true };
        let mut response = Response::new(Body::empty());
        self.write_headers(response.headers_mut(), app.settings.auth_required, &tag)?;
        match conditions::check(headers, known) {
            Condition::Failed => {
                let detail = format!("If-Match does not name the file {}: its tag is \"{tag}\"", self.path);
                return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, detail));
            }
            Condition::NotModified => {
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                return Ok(response);
            }
            Condition::Met => {}
        }
        docs::sent();
        let may_be_part = form == Form::Plain && conditions::admits_range(headers, known);
        self.write_content(app, parts, (form, may_be_part), response).await
    }

    fn write_headers(&self, headers: &mut HeaderMap, is_private: bool, tag: &str) -> Result<(), ApiError> {
        let is_hashed = self.path.starts_with(HASHED) && !self.path.ends_with(".html");
        headers.insert(header::CONTENT_TYPE, content_type::of(self.path));
        headers.insert(header::ETAG, HeaderValue::try_from(format!("\"{tag}\"")).map_err(ApiError::internal)?);
        headers.insert(header::CACHE_CONTROL, cached(is_hashed, is_private));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        protect(headers, self.is_sandboxed);
        if let Some(canonical) =
            self.canonical.as_ref().filter(|_| content_type::of(self.path).as_bytes().starts_with(b"text/html"))
        {
            let link =
                HeaderValue::try_from(format!("<{canonical}>; rel=\"canonical\"")).map_err(ApiError::internal)?;
            headers.insert(header::LINK, link);
        }
        Ok(())
    }

    async fn write_content(
        &self,
        app: &App,
        parts: &Parts,
        (form, may_be_part): (Form, bool),
        mut response: Response,
    ) -> Result<Response, ApiError> {
        let File { offset, compressed, size, .. } = *self.file;
        let mut range = 0..compressed;
        let mut length = match form {
            Form::Plain | Form::Inflated => size,
            Form::Gzip => compressed + GZIP_ADDS,
        };
        match form {
            Form::Gzip => {
                drop(response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip")))
            }
            Form::Plain => {
                drop(response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes")))
            }
            Form::Inflated => {}
        }
        let wanted = parts.headers.get(header::RANGE).filter(|_| may_be_part && parts.method == Method::GET);
        match wanted.and_then(|range| range.to_str().ok()).map(|range| part(range, size)) {
            Some(Part::Of(bytes)) => {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                insert_content_range(response.headers_mut(), &format!("{}-{}/{size}", bytes.start, bytes.end - 1));
                (length, range) = (bytes.end - bytes.start, bytes);
            }
            Some(Part::Beyond) => {
                *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                insert_content_range(response.headers_mut(), &format!("*/{size}"));
                return Ok(response);
            }
            _ => {}
        }
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if parts.method == Method::HEAD {
            return Ok(response);
        }
        let content = self.read(app, offset + range.start..offset + range.end).await?;
        let pieces: Pieces = match form {
            Form::Plain => inflate::plain(content),
            Form::Gzip => inflate::gzip(content, self.file),
            Form::Inflated => inflate::inflated(content, self.file),
        };
        *response.body_mut() = Body::new(HeldBody::watched(Body::from_stream(pieces), ()));
        Ok(response)
    }

    /// A part of the archive.
    async fn read(&self, app: &App, range: std::ops::Range<u64>) -> Result<Content, ApiError> {
        if range.is_empty() {
            return Ok(CrateFile::in_memory(bytes::Bytes::new()).content);
        }
        let FoundDocs { checksum, name, num, .. } = self.docs.clone();
        let found = app.blocking(move |app| Ok(app.crate_store.get_range(checksum, range)?)).await?;
        let lost = || format!("the documentation {checksum} of {name}@{num} is missing in the crate store");
        Ok(found.ok_or_else(|| ApiError::internal(lost()))?.content)
    }
}

fn cached(is_hashed: bool, is_private: bool) -> HeaderValue {
    match (is_hashed, is_private) {
        (true, false) => LONG,
        (true, true) => HeaderValue::from_static("private, max-age=604800"),
        (false, false) => REVALIDATED,
        (false, true) => HeaderValue::from_static("private, no-cache"),
    }
}

/// The headers of whatever was uploaded. A page in a sandbox has no origin, so that what it loads from here comes from elsewhere: fonts
/// and modules need the permission to be read, and there is nothing in them for which a browser has sent a cookie.
pub(super) fn protect(headers: &mut HeaderMap, is_sandboxed: bool) {
    if is_sandboxed {
        headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));
    // A browser loads no page that asks for a sandbox and to be apart from the page that opened it.
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("unsafe-none"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The path can have a grant.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}
