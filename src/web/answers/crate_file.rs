//! Responses with a crate file: the whole file, a range, only headers, or 304.
//!
//! A crate file is named by its checksum and never changes, so caches may keep it forever and the checksum is a strong entity
//! tag. It has no `Content-Encoding`: clients would unpack it and get another checksum. Cargo requests whole files; ranges
//! are for mirrors and interrupted downloads.

use std::ops::Range;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_range_header::{EndPosition, RangeUnsatisfiableError, StartPosition, parse_range_header};

use super::conditions::{self, Condition, Tag};
use crate::crate_store::{Allowed, Content, CrateFile, CrateStore};
use crate::package::{Checksum, CrateName, Version};
use crate::web::ApiError;

const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// A client that accepts JSON gets the file's URL instead.
const BY_ACCEPT: HeaderValue = HeaderValue::from_static("accept");
const GZIP: HeaderValue = HeaderValue::from_static("application/gzip");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");
/// The number of headers for which a response has room.
const HEADERS: usize = 14;

/// The crate file of a version, as a request names it, and the headers that say so.
#[derive(Clone, Debug)]
pub struct VersionFile {
    pub version_id: i32,
    pub name: CrateName,
    pub num: Version,
    pub checksum: Checksum,
    /// The checksum as text.
    tag: String,
    etag: HeaderValue,
    disposition: HeaderValue,
}

/// Where a file is read.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// Reading it blocks.
    Store(&'a CrateStore),
    Memory(&'a Bytes),
}

/// What a client asks about a file.
pub struct FileRequest<'a> {
    pub file: &'a VersionFile,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
}

impl VersionFile {
    pub fn new(version_id: i32, name: CrateName, num: Version, checksum: Checksum) -> Self {
        let tag = checksum.to_string();
        let value = |text: String| HeaderValue::try_from(text).expect("hexadecimal digits, a name and a version"); // plain
        let (etag, disposition) =
            (value(format!("\"{tag}\"")), value(format!("attachment; filename=\"{name}-{num}.crate\"")));
        Self { version_id, name, num, checksum, tag, etag, disposition }
    }
}

impl Source<'_> {
    fn size(self, checksum: Checksum) -> Result<Option<u64>, ApiError> {
        Ok(match self {
            Self::Store(store) => store.size(checksum)?,
            Self::Memory(content) => Some(content.len() as u64),
        })
    }

    fn whole(self, checksum: Checksum) -> Result<Option<CrateFile>, ApiError> {
        Ok(match self {
            Self::Store(store) => store.get(checksum)?,
            Self::Memory(content) => Some(CrateFile::in_memory(content.clone())),
        })
    }

    fn part(self, checksum: Checksum, part: &Range<u64>) -> Result<Option<CrateFile>, ApiError> {
        Ok(match self {
            Self::Store(store) => store.get_range(checksum, part.clone())?,
            Self::Memory(content) => {
                let at = |place: u64| usize::try_from(place).map_err(ApiError::internal);
                Some(CrateFile::in_memory(content.slice(at(part.start)?..at(part.end)?)))
            }
        })
    }
}

/// Where clients get crate files from, if not from the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadRedirect {
    /// From the bucket, with a signed URL that is valid for this time.
    Presigned(Duration),
    /// From a public place that has the files of the crate store. Without a trailing slash.
    Public(String),
}

/// The redirect to the file, and whether the client gets the file from its first byte on.
pub fn redirect(
    to: &DownloadRedirect,
    store: &CrateStore,
    request: &FileRequest<'_>,
) -> Result<(Response, bool), ApiError> {
    let FileRequest { file, method, headers } = request;
    let (response, condition) = judged(request)?;
    if condition == Condition::NotModified {
        return Ok((response, false));
    }
    let url = match to {
        DownloadRedirect::Public(base) => format!("{base}/{}", CrateStore::place(file.checksum)),
        DownloadRedirect::Presigned(valid_for) => {
            let allowed = if *method == Method::HEAD { Allowed::Head } else { Allowed::Get };
            let signed = store.presigned(file.checksum, allowed, *valid_for)?;
            signed.ok_or_else(|| ApiError::internal("the crate store is no bucket"))?
        }
    };
    let place = HeaderValue::try_from(url).map_err(ApiError::internal)?;
    let mut response = StatusCode::FOUND.into_response();
    // The next download is counted, too, and has another signature.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::VARY, BY_ACCEPT);
    response.headers_mut().insert(header::LOCATION, place);
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    Ok((response, **method == Method::GET && range.is_none_or(begins_the_file)))
}

/// Whether what a range asks for begins with the first byte. What is no single range is answered with the whole file.
fn begins_the_file(range: &str) -> bool {
    match parse_range_header(range).as_ref().map(|parsed| &parsed.ranges[..]) {
        Ok([one]) => one.start == StartPosition::Index(0),
        _ => true,
    }
}

/// The response, and whether it sends the file from its first byte on.
pub fn respond(source: Source<'_>, request: &FileRequest<'_>) -> Result<(Response, bool), ApiError> {
    let file = request.file;
    let tag = Tag { opaque: &file.tag, is_strong: true };
    let (mut response, condition) = judged(request)?;
    if condition == Condition::NotModified {
        return Ok((response, false));
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_DISPOSITION, file.disposition.clone());
    headers.insert(header::CONTENT_TYPE, GZIP);
    headers.insert(header::ACCEPT_RANGES, BYTES);
    content(source, request, conditions::admits_range(request.headers, tag), response)
}

/// What the conditions of a request say, and the response without what only a whole one has.
fn judged(request: &FileRequest<'_>) -> Result<(Response, Condition), ApiError> {
    let file = request.file;
    let tag = Tag { opaque: &file.tag, is_strong: true };
    let condition = conditions::check(request.headers, tag);
    if condition == Condition::Failed {
        let detail =
            format!("If-Match does not name the crate file of {}@{}: its tag is \"{}\"", file.name, file.num, file.tag);
        return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, detail));
    }
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::CACHE_CONTROL, FOREVER);
    headers.insert(header::VARY, BY_ACCEPT);
    headers.insert(header::ETAG, file.etag.clone());
    if condition == Condition::NotModified {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    Ok((response, condition))
}

fn content(
    source: Source<'_>,
    request: &FileRequest<'_>,
    may_be_part: bool,
    mut response: Response,
) -> Result<(Response, bool), ApiError> {
    let VersionFile { checksum, name, num, .. } = request.file;
    let checksum = *checksum;
    let lost =
        || ApiError::internal(format!("the crate file {checksum} of {name}@{num} is missing in the crate store"));
    if request.method == Method::HEAD {
        let size = source.size(checksum)?.ok_or_else(lost)?;
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        return Ok((response, false));
    }
    let range = request.headers.get(header::RANGE).filter(|_| may_be_part).and_then(|range| range.to_str().ok());
    if let Some(range) = range {
        let size = source.size(checksum)?.ok_or_else(lost)?;
        match part(range, size) {
            Part::Of(bytes) => {
                let file = source.part(checksum, &bytes)?.ok_or_else(lost)?;
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                insert_content_range(response.headers_mut(), &format!("{}-{}/{size}", bytes.start, bytes.end - 1));
                return Ok((with_content(response, file), bytes.start == 0));
            }
            Part::Beyond => {
                let detail = format!(
                    "the range {} is outside the file of {size} bytes",
                    crate::web::shortened::shortened(range)
                );
                let mut refusal = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, detail).into_response();
                insert_content_range(refusal.headers_mut(), &format!("*/{size}"));
                return Ok((refusal, false));
            }
            Part::Whole => {}
        }
    }
    let file = source.whole(checksum)?.ok_or_else(lost)?;
    Ok((with_content(response, file), true))
}

/// The response with a file that is still on its way, and its size if that is known.
pub fn streamed(file: &VersionFile, size: Option<u64>, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::CACHE_CONTROL, FOREVER);
    headers.insert(header::VARY, BY_ACCEPT);
    headers.insert(header::ETAG, file.etag.clone());
    headers.insert(header::CONTENT_DISPOSITION, file.disposition.clone());
    headers.insert(header::CONTENT_TYPE, GZIP);
    headers.extend(size.map(|size| (header::CONTENT_LENGTH, HeaderValue::from(size))));
    response
}

fn with_content(mut response: Response, file: CrateFile) -> Response {
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
    *response.body_mut() = match file.content {
        Content::InMemory(content) => Body::from(content),
        Content::Pieces(pieces) => Body::from_stream(pieces),
    };
    response
}

pub(crate) fn insert_content_range(headers: &mut HeaderMap, place: &str) {
    headers.extend(HeaderValue::try_from(format!("bytes {place}")).ok().map(|place| (header::CONTENT_RANGE, place)));
}

/// The part of a file that a range names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Of(Range<u64>),
    /// The range is outside the file.
    Beyond,
    /// Not one range: anything else may be answered with the whole file.
    Whole,
}

pub(crate) fn part(range: &str, size: u64) -> Part {
    let parsed = match parse_range_header(range) {
        Ok(parsed) => parsed,
        Err(RangeUnsatisfiableError::ZeroSuffix) => return Part::Beyond,
        Err(_) => return Part::Whole,
    };
    let [one] = &parsed.ranges[..] else { return Part::Whole };
    let start = match one.start {
        StartPosition::Index(start) => start,
        StartPosition::FromLast(count) => size.saturating_sub(count),
    };
    let end = match one.end {
        EndPosition::Index(last) if last < start => return Part::Whole,
        EndPosition::Index(last) => size.min(last.saturating_add(1)),
        EndPosition::LastByte => size,
    };
    if start < end { Part::Of(start..end) } else { Part::Beyond }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_begins_the_file_unless_it_is_one_that_begins_later() {
        for range in ["bytes=0-", "bytes=0-9", "bytes=5-6,0-1", "lines=1-2", ""] {
            assert!(begins_the_file(range), "{range}");
        }
        for range in ["bytes=1-", "bytes=-5", "bytes=7-9"] {
            assert!(!begins_the_file(range), "{range}");
        }
    }

    #[test]
    fn one_range_is_a_part_and_anything_else_is_the_whole() {
        for (range, expected) in [
            ("bytes=0-", Part::Of(0..10)),
            ("bytes=0-0", Part::Of(0..1)),
            ("bytes=3-5", Part::Of(3..6)),
            ("bytes=9-", Part::Of(9..10)),
            ("bytes=5-500", Part::Of(5..10)),
            ("bytes=-3", Part::Of(7..10)),
            ("bytes=-500", Part::Of(0..10)),
            ("bytes=0-18446744073709551615", Part::Of(0..10)),
            ("bytes=10-", Part::Beyond),
            ("bytes=10-20", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=5-3", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=99999999999999999999-", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Part::Beyond);
        assert_eq!(part("bytes=-1", 0), Part::Beyond);
    }
}
