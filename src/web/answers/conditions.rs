//! Conditional requests: `If-Match`, `If-None-Match` and `If-Range`. Source: RFC 9110, sections 8.8.3 and 13.
//!
//! Only entity tags count. No response has a `Last-Modified`, since two publishes within one second have the same date, so
//! no date in a request can be compared.
//!
//! The `headers` crate is not used here: its parser asserts in debug builds that a client's tag has no space
//! (`If-None-Match: "a b"` panics), and it ignores a whole list when one byte of it is not ASCII.

use axum::http::{HeaderMap, HeaderName, header};

/// An entity tag.
#[derive(Debug, Clone, Copy)]
pub struct Tag<'a> {
    /// The tag without its quotes.
    pub opaque: &'a str,
    /// Whether the same tag means the same bytes, and not only the same content in another form.
    pub is_strong: bool,
}

/// The outcome of a request's conditions.
#[derive(Debug, PartialEq, Eq)]
pub enum Condition {
    /// The response may be sent.
    Met,
    /// `If-None-Match` names the tag: 304.
    NotModified,
    /// `If-Match` does not name the tag: 412.
    Failed,
}

/// Evaluates the conditions of a GET or HEAD.
pub fn check(headers: &HeaderMap, tag: Tag<'_>) -> Condition {
    if headers.contains_key(header::IF_MATCH)
        && !(tag.is_strong && names(headers, header::IF_MATCH, tag.opaque, true))
        && !has_star(headers, header::IF_MATCH)
    {
        return Condition::Failed;
    }
    if has_star(headers, header::IF_NONE_MATCH) || names(headers, header::IF_NONE_MATCH, tag.opaque, false) {
        return Condition::NotModified;
    }
    Condition::Met
}

/// Whether a range may be sent: always without `If-Range`, otherwise if it names exactly these bytes.
pub fn admits_range(headers: &HeaderMap, tag: Tag<'_>) -> bool {
    !headers.contains_key(header::IF_RANGE) || tag.is_strong && names(headers, header::IF_RANGE, tag.opaque, true)
}

fn has_star(headers: &HeaderMap, name: HeaderName) -> bool {
    values(headers, name).any(|value| value.trim() == "*")
}

/// Whether a header's list of tags has this one, compared strongly or weakly.
fn names(headers: &HeaderMap, name: HeaderName, opaque: &str, strong: bool) -> bool {
    values(headers, name).any(|list| {
        let pieces: Vec<&str> = list.split('"').collect();
        // The text between quotes is a tag, which may hold commas; the text before it shows whether the tag is weak.
        let tags = pieces.windows(3).step_by(2);
        tags.map(|around| (around[0], around[1]))
            .any(|(before, tag)| tag == opaque && !(strong && before.ends_with("W/")))
    })
}

fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRONG: Tag<'_> = Tag { opaque: "0a1b", is_strong: true };
    const WEAK: Tag<'_> = Tag { opaque: "0a1b", is_strong: false };

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    // protocol: 18
    #[test]
    fn a_known_tag_is_recognised_in_every_form_and_comparison_is_weak() {
        for value in ["*", " * ", "\"0a1b\"", "W/\"0a1b\"", "W/\"x\", \"y,z\" , \"0a1b\"", "\"\",\"0a1b\""] {
            for tag in [STRONG, WEAK] {
                assert_eq!(check(&headers(header::IF_NONE_MATCH, value), tag), Condition::NotModified, "{value}");
            }
        }
        for value in ["", "0a1b", "\"x\"", "W/\"0a1bx\"", "\"x\"0a1b\"y\"", "\"*\"", "\"0a1b"] {
            assert_eq!(check(&headers(header::IF_NONE_MATCH, value), STRONG), Condition::Met, "{value}");
        }
        let mut two = headers(header::IF_NONE_MATCH, "\"x\"");
        two.append(header::IF_NONE_MATCH, "\"0a1b\"".parse().unwrap());
        assert_eq!(check(&two, STRONG), Condition::NotModified, "two header lines are one list");
    }

    // protocol: 19
    #[test]
    fn a_request_without_a_condition_is_never_not_modified() {
        assert_eq!(check(&HeaderMap::new(), STRONG), Condition::Met);
        assert_eq!(check(&headers(header::IF_MODIFIED_SINCE, "Fri, 01 Jan 2100 00:00:00 GMT"), STRONG), Condition::Met);
    }

    #[test]
    fn if_match_is_compared_strongly() {
        for value in ["*", "\"0a1b\"", "\"x\", \"0a1b\""] {
            assert_eq!(check(&headers(header::IF_MATCH, value), STRONG), Condition::Met, "{value}");
        }
        for (value, tag) in [("W/\"0a1b\"", STRONG), ("\"x\"", STRONG), ("", STRONG), ("\"0a1b\"", WEAK)] {
            assert_eq!(check(&headers(header::IF_MATCH, value), tag), Condition::Failed, "{value}");
        }
    }

    #[test]
    fn a_range_is_sent_only_of_the_bytes_that_the_client_has() {
        assert!(admits_range(&HeaderMap::new(), STRONG));
        assert!(admits_range(&headers(header::IF_RANGE, "\"0a1b\""), STRONG));
        for value in ["W/\"0a1b\"", "\"x\"", "Fri, 01 Jan 2100 00:00:00 GMT"] {
            assert!(!admits_range(&headers(header::IF_RANGE, value), STRONG), "{value}");
        }
    }
}
