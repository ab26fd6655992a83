//! Validators of index files. Source: RFC 9110, sections 8.8.3 and 13.1.2.
//!
//! The tag is the git blob id: a hash of the content, the same after a restart and on every server. It is strong for the
//! plain file. The gzip'd form is another sequence of bytes and may not share a strong tag with it, so there it is weak.
//! Comparison is weak, so a client may keep one form and be told that the other one hasn't changed; proxies that
//! compress weaken tags too.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::index::Oid;

/// The `ETag` of a blob.
pub fn entity_tag(id: Oid, gzipped: bool) -> HeaderValue {
    let tag = if gzipped { format!("W/\"{id}\"") } else { format!("\"{id}\"") };
    HeaderValue::try_from(tag).expect("hexadecimal digits and quotes") // all of them allowed in a header
}

/// Whether `If-None-Match` says that the client has this blob. Without the header it doesn't.
pub fn is_known(headers: &HeaderMap, id: Oid) -> bool {
    let id = id.to_string();
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.map(str::trim).any(|value| value == "*" || opaque_tags(value).any(|tag| tag == id))
}

/// What stands between the quotes of each tag of a list; a tag may hold commas.
fn opaque_tags(list: &str) -> impl Iterator<Item = &str> {
    list.split('"').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789012345678901234567890123456789";

    fn known(value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, value.parse().unwrap());
        is_known(&headers, ID.parse().unwrap())
    }

    #[test]
    fn a_tag_is_known_in_every_form() {
        for value in ["*", "\"{}\"", "W/\"{}\"", "W/\"x\", \"y,z\" , \"{}\"", "\"\",\"{}\""] {
            assert!(known(&value.replace("{}", ID)), "{value}");
        }
    }

    #[test]
    fn anything_else_is_not_known() {
        for value in ["", "{}", "\"x\"", "W/\"{}x\"", "\"x\"{}\"y\"", "\"*\""] {
            assert!(!known(&value.replace("{}", ID)), "{value}");
        }
        assert!(!is_known(&HeaderMap::new(), ID.parse().unwrap()), "an unconditional request is never answered 304");
    }

    #[test]
    fn only_the_plain_form_has_a_strong_tag() {
        let id = ID.parse().unwrap();
        assert_eq!(entity_tag(id, false), format!("\"{ID}\""));
        assert_eq!(entity_tag(id, true), format!("W/\"{ID}\""));
    }
}
