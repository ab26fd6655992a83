//! Responses with a crate file: the whole file, a range, only headers, or 304.
//!
//! A crate file is named by its checksum and never changes, so caches may keep it forever and the checksum is a strong entity
//! tag. It has no `Content-Encoding`: clients would unpack it and get another checksum. Cargo requests whole files; ranges
//! are for mirrors and interrupted downloads.

use std::ops::Range;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_range_header::{EndPosition, RangeUnsatisfiableError, StartPosition, parse_range_header};

use super::conditions::{self, Condition, Tag};
use crate::crate_store::CrateStore;
use crate::package::{Checksum, CrateName, Version};
use crate::web::{ApiError, App};

const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A request for a crate file.
pub struct FileRequest<'a> {
    pub name: &'a CrateName,
    pub num: &'a Version,
    pub checksum: Checksum,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
}

/// The response, and whether it sends the file from its first byte on. Reads the disk, so it must run on a thread that may
/// block.
pub fn respond(app: &App, request: &FileRequest<'_>) -> Result<(Response, bool), ApiError> {
    let checksum = request.checksum.to_string();
    let tag = Tag { opaque: &checksum, is_strong: true };
    let condition = conditions::check(request.headers, tag);
    if condition == Condition::Failed {
        let detail = format!(
            "If-Match does not name the crate file of {}@{}: its tag is \"{checksum}\"",
            request.name, request.num
        );
        return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, detail));
    }
    let mut headers = HeaderMap::from_iter([
        (header::CACHE_CONTROL, FOREVER),
        // A client that accepts JSON gets the file's URL instead.
        (header::VARY, HeaderValue::from_static("accept")),
    ]);
    headers.extend(HeaderValue::try_from(format!("\"{checksum}\"")).ok().map(|etag| (header::ETAG, etag)));
    if condition == Condition::NotModified {
        return Ok(((StatusCode::NOT_MODIFIED, headers).into_response(), false));
    }
    let file_name = format!("attachment; filename=\"{}-{}.crate\"", request.name, request.num);
    headers.extend(HeaderValue::try_from(file_name).ok().map(|name| (header::CONTENT_DISPOSITION, name)));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    content(&app.crate_store, request, conditions::admits_range(request.headers, tag), headers)
}

fn content(
    store: &CrateStore,
    request: &FileRequest<'_>,
    may_be_part: bool,
    mut headers: HeaderMap,
) -> Result<(Response, bool), ApiError> {
    let lost = || {
        let FileRequest { checksum, name, num, .. } = request;
        ApiError::internal(format!("the crate file {checksum} of {name}@{num} is missing in the crate store"))
    };
    if request.method == Method::HEAD {
        let size = store.size(request.checksum)?.ok_or_else(lost)?;
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        return Ok((headers.into_response(), false));
    }
    let range = request.headers.get(header::RANGE).filter(|_| may_be_part).and_then(|range| range.to_str().ok());
    if let Some(range) = range {
        let size = store.size(request.checksum)?.ok_or_else(lost)?;
        match part(range, size) {
            Part::Of(bytes) => {
                let file = store.get_range(request.checksum, bytes.clone())?.ok_or_else(lost)?;
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
                insert_content_range(&mut headers, &format!("{}-{}/{size}", bytes.start, bytes.end - 1));
                let content = Body::from_stream(file.content);
                let response = (StatusCode::PARTIAL_CONTENT, headers, content).into_response();
                return Ok((response, bytes.start == 0));
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
    let file = store.get(request.checksum)?.ok_or_else(lost)?;
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
    Ok(((headers, Body::from_stream(file.content)).into_response(), true))
}

fn insert_content_range(headers: &mut HeaderMap, place: &str) {
    headers.extend(HeaderValue::try_from(format!("bytes {place}")).ok().map(|place| (header::CONTENT_RANGE, place)));
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Of(Range<u64>),
    /// The range is outside the file.
    Beyond,
    /// Not one range: anything else may be answered with the whole file.
    Whole,
}

fn part(range: &str, size: u64) -> Part {
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
