//! The codings of a request's body.

use axum::http::{HeaderMap, header};

/// The codings that were applied to the body, in lower case and in their order: `gzip`, `gzip, br`; empty if none was.
pub fn applied(headers: &HeaderMap) -> String {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let codings =
        lines.flat_map(|line| line.split(',').map(|coding| coding.trim().to_ascii_lowercase()).collect::<Vec<_>>());
    codings.filter(|coding| !coding.is_empty() && coding != "identity").collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_no_coding_and_several_lines_are_one_list() {
        let applied_of = |lines: &[&str]| {
            applied(&lines.iter().map(|line| (header::CONTENT_ENCODING, line.parse().unwrap())).collect())
        };
        for none in [&[][..], &[""], &["identity"], &["Identity, ,identity"]] {
            assert_eq!(applied_of(none), "", "{none:?}");
        }
        assert_eq!(applied_of(&["GZip"]), "gzip");
        assert_eq!(applied_of(&["identity, gzip", "br"]), "gzip, br");
    }
}
