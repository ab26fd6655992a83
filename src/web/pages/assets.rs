//! Style, script and icon of the pages. They are parts of the program and have their content's hash in their names, so that
//! browsers keep them permanently.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// How long an asset may be kept.
const PERMANENTLY: &str = "public, max-age=31536000, immutable";

/// Digits of the hash in a name.
const DIGITS: usize = 16;

/// A file of the pages.
#[derive(Debug)]
pub struct Asset {
    /// The name with the hash.
    name: LazyLock<String>,
    content: &'static [u8],
    content_type: &'static str,
}

macro_rules! asset {
    ($stem:literal, $extension:literal, $content_type:literal) => {
        Asset {
            name: LazyLock::new(|| {
                hashed($stem, $extension, include_bytes!(concat!("assets/", $stem, ".", $extension)))
            }),
            content: include_bytes!(concat!("assets/", $stem, ".", $extension)),
            content_type: $content_type,
        }
    };
}

pub static STYLE: Asset = asset!("style", "css", "text/css; charset=utf-8");
pub static SCRIPT: Asset = asset!("script", "js", "text/javascript; charset=utf-8");
pub static ICON: Asset = asset!("icon", "svg", "image/svg+xml");

static ALL: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];

impl Asset {
    /// Its path below that of the registry.
    pub fn path(&self) -> String {
        format!("/assets/{}", *self.name)
    }
}

fn hashed(stem: &str, extension: &str, content: &[u8]) -> String {
    let mut name = format!("{stem}-");
    for byte in &Sha256::digest(content)[..DIGITS / 2] {
        let _ = write!(name, "{byte:02x}");
    }
    name + "." + extension
}

/// `GET /assets/{name}`.
pub async fn show(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ALL.into_iter().find(|asset| *asset.name == name) else {
        return (StatusCode::NOT_FOUND, "there is no such file: reload the page that named it\n").into_response();
    };
    let entity = format!("\"{name}\"");
    let described = [(header::CACHE_CONTROL, PERMANENTLY), (header::CONTENT_TYPE, asset.content_type)];
    let tag = [(header::ETAG, entity.clone())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == entity.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, described, tag).into_response();
    }
    (described, tag, asset.content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_has_at_most_fifteen_kilobytes() {
        assert!(SCRIPT.content.len() <= 15_000, "{}", SCRIPT.content.len());
    }

    #[test]
    fn a_name_changes_with_the_content() {
        assert_ne!(hashed("a", "css", b"x"), hashed("a", "css", b"y"));
        assert!(STYLE.path().starts_with("/assets/style-") && STYLE.path().ends_with(".css"), "{}", STYLE.path());
    }
}
