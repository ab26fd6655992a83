//! XML for programs: feeds, the sitemap, the description of the search, badges.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::package::characters::harmless;
use crate::web::pages::layout::entity_tag;

/// A text for XML. Characters that XML cannot hold are replaced.
pub fn escaped(text: &str) -> String {
    let harmless = harmless(text.to_owned());
    let mut escaped = String::with_capacity(harmless.len() + 16);
    for character in harmless.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The answer with a document. It may be kept for so many seconds.
pub fn answer(asked: &HeaderMap, content_type: &'static str, seconds: u32, document: String) -> Response {
    let tag = entity_tag(document.as_bytes());
    let kept = format!("public, max-age={seconds}");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::try_from(kept).unwrap_or(HeaderValue::from_static("no-cache"))),
    ];
    let tagged = [(header::ETAG, tag.clone())];
    if asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, headers, tagged).into_response();
    }
    (headers, tagged, document).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_leave_its_element() {
        assert_eq!(escaped("</a>&\"'\u{0}\u{202e}\u{ffff}"), "&lt;/a&gt;&amp;&quot;&#39;\u{fffd}\u{fffd}\u{fffd}");
    }
}
