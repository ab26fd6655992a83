//! The types of files, by extension. Browsers must not guess them, so that a file without a known one is only downloaded.

use axum::http::HeaderValue;

const TYPES: [(&str, &str); 27] = [
    ("css", "text/css; charset=utf-8"),
    ("gif", "image/gif"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("md", "text/plain; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mp4", "video/mp4"),
    ("otf", "font/otf"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("rs", "text/plain; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("toml", "text/plain; charset=utf-8"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xml", "application/xml"),
];

/// The type of a file.
pub(super) fn of(path: &str) -> HeaderValue {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let known = extension.and_then(|extension| TYPES.iter().find(|(known, _)| *known == extension));
    HeaderValue::from_static(known.map_or("application/octet-stream", |(_, content_type)| content_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_type_of_its_extension_or_none_that_is_shown() {
        assert_eq!(of("a.b/index.HTML"), "text/html; charset=utf-8");
        for unknown in ["a.html/b", "html", ".hidden", "a.xhtml"] {
            assert_eq!(of(unknown), "application/octet-stream", "{unknown}");
        }
    }
}
