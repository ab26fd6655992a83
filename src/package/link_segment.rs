//! Segments of paths that links are made of.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// A segment that is encoded more often than this is not followed.
const MAX_ENCODINGS: usize = 4;

/// What is encoded in a segment of a path: everything but the characters that RFC 3986 allows there and that names have.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'+').remove(b'@').remove(b':');

/// A text as one segment of a path; empty if it would lead to the directory itself.
pub fn encode(text: &str) -> String {
    match text {
        // Clients remove these from paths, encoded or not.
        "." | ".." => String::new(),
        other => utf8_percent_encode(other, ENCODED).to_string(),
    }
}

/// Whether a segment of a path names something below what is in front of it, however often a server decodes it: it is not
/// empty, it is neither `.` nor `..`, and it has no control character. A server could take the first two for another
/// directory, and the last for the end of a header.
pub fn is_plain(segment: &str) -> bool {
    let mut segment = segment.to_owned();
    for _ in 0..=MAX_ENCODINGS {
        if segment.contains(char::is_control) || segment.split(['/', '\\']).any(|part| matches!(part, "" | "." | ".."))
        {
            return false;
        }
        let Ok(decoded) = percent_decode_str(&segment).decode_utf8() else { return false };
        if decoded == segment {
            return true;
        }
        segment = decoded.into_owned();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn what_leads_elsewhere_however_it_is_encoded_is_not_plain() {
        for plain in ["a", "...", ".git", "a.rs", "größe", "100%", "%zz", "a b", "a%20b", "..a", "a.."] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in [
            "",
            ".",
            "..",
            "%2e",
            "%2E%2e",
            ".%2e",
            "%252e%252e",
            "a\r\nb",
            "%0d%0a",
            "a%00",
            "%250a",
            "a%2f..%2fb",
            "a\\..",
            "%ff",
            "a/b//c",
            "\u{85}",
            "%c2%85",
            "%2525252525252e",
        ] {
            assert!(!is_plain(other), "{other:?}");
        }
    }
}
