//! A stored crate file as an answer: whole, in part, its headers alone, or that the client has it already.
//!
//! Files are named by their checksum and never change, so caches may keep them for good and the checksum is a strong tag.
//! They are gzip by nature and not by encoding: labelled with `Content-Encoding`, clients would unpack them and find
//! another checksum. Cargo asks for nothing but the whole; parts are for mirrors and for downloads that broke off.

use std::ops::Range;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_range_header::{EndPosition, RangeUnsatisfiableError, StartPosition, parse_range_header};

use super::conditions::{self, Condition, Tag};
use crate::crate_store::CrateStore;
use crate::package::{Checksum, CrateName, Version};
use crate::web::{ApiError, App};

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Which file is asked for, and how.
pub struct Asked<'a> {
    pub name: &'a CrateName,
    pub num: &'a Version,
    pub checksum: Checksum,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
}

/// The answer, and whether it sends the file from its first byte on. This reads the disk, and so belongs on a thread that
/// may block.
pub fn respond(app: &App, asked: &Asked<'_>) -> Result<(Response, bool), ApiError> {
    let checksum = asked.checksum.to_string();
    let tag = Tag { opaque: &checksum, is_strong: true };
    let condition = conditions::check(asked.headers, tag);
    if condition == Condition::Failed {
        let detail =
            format!("If-Match names other bytes: those of {}@{} have the tag \"{checksum}\"", asked.name, asked.num);
        return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, detail));
    }
    let mut headers = HeaderMap::from_iter([
        (header::CACHE_CONTROL, FOR_EVER),
        // A client that accepts JSON alone is told the file's URL instead.
        (header::VARY, HeaderValue::from_static("accept")),
    ]);
    headers.extend(HeaderValue::try_from(format!("\"{checksum}\"")).ok().map(|etag| (header::ETAG, etag)));
    if condition == Condition::NotModified {
        return Ok(((StatusCode::NOT_MODIFIED, headers).into_response(), false));
    }
    let file_name = format!("attachment; filename=\"{}-{}.crate\"", asked.name, asked.num);
    headers.extend(HeaderValue::try_from(file_name).ok().map(|name| (header::CONTENT_DISPOSITION, name)));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    content(&app.crate_store, asked, conditions::admits_range(asked.headers, tag), headers)
}

fn content(
    store: &CrateStore,
    asked: &Asked<'_>,
    may_be_part: bool,
    mut headers: HeaderMap,
) -> Result<(Response, bool), ApiError> {
    let lost = || {
        let Asked { checksum, name, num, .. } = asked;
        ApiError::internal(format!("the crate file {checksum} of {name}@{num} is missing in the store"))
    };
    if asked.method == Method::HEAD {
        let size = store.size(asked.checksum)?.ok_or_else(lost)?;
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        return Ok((headers.into_response(), false));
    }
    let range = asked.headers.get(header::RANGE).filter(|_| may_be_part).and_then(|range| range.to_str().ok());
    if let Some(range) = range {
        let size = store.size(asked.checksum)?.ok_or_else(lost)?;
        match part(range, size) {
            Part::Of(bytes) => {
                let file = store.get_range(asked.checksum, bytes.clone())?.ok_or_else(lost)?;
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
                insert_content_range(&mut headers, &format!("{}-{}/{size}", bytes.start, bytes.end - 1));
                let content = Body::from_stream(file.content);
                let response = (StatusCode::PARTIAL_CONTENT, headers, content).into_response();
                return Ok((response, bytes.start == 0));
            }
            Part::Beyond => {
                let detail = format!(
                    "the file has {size} bytes, and none in the range {}",
                    crate::web::shortened::shortened(range)
                );
                let mut refusal = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, detail).into_response();
                insert_content_range(refusal.headers_mut(), &format!("*/{size}"));
                return Ok((refusal, false));
            }
            Part::Whole => {}
        }
    }
    let file = store.get(asked.checksum)?.ok_or_else(lost)?;
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
    Ok(((headers, Body::from_stream(file.content)).into_response(), true))
}

fn insert_content_range(headers: &mut HeaderMap, place: &str) {
    headers.extend(HeaderValue::try_from(format!("bytes {place}")).ok().map(|place| (header::CONTENT_RANGE, place)));
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Of(Range<u64>),
    /// Nothing of the range is in the file.
    Beyond,
    /// It is no range, or several: both may be answered with everything.
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
    fn one_range_is_a_part_and_what_is_no_range_is_the_whole() {
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
