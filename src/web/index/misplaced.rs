//! Cargo and git at a place that is not the index: the answer has the line for cargo's configuration.
//!
//! Cargo shows its user little of an error. Of a file config.json with status 404 it says only that it was not found,
//! but of one with 400 it prints the body. Of a list of references with an error status it says that the network has
//! failed, but it prints the text of an `ERR` packet, whether libgit2 or git fetches.
//!
//! Private registries answer without a token, too: the answer has nothing but the registry's URL.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;

use super::git::error_advertisement;
use super::plain_text::plain;
use crate::web::shortened::shortened;

/// The end of the path of a sparse index's configuration, and its only right path.
const CONFIG: (&str, &[&str]) = ("/config.json", &["/index/config.json"]);
/// The end of the path of a git repository's references, and its right paths: that of the index, and that of the advisories.
const REFERENCES: (&str, &[&str]) = ("/info/refs", &["/git/index/info/refs", "/git/advisories/info/refs"]);

/// What a client takes its URL for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Index {
    Sparse,
    Git,
}

/// Answers a client that looks for the index in the wrong place.
pub async fn explain(State(base_url): State<Arc<str>>, request: Request, next: Next) -> Response {
    // A crate may have files of these names, which pages show; and each release set has an index.
    let is_packaged = request.uri().path().starts_with("/crates/") || is_of_set(request.uri().path());
    if is_packaged || ![Method::GET, Method::HEAD].contains(request.method()) {
        return next.run(request).await;
    }
    match wrong_place(request.uri()) {
        None => next.run(request).await,
        Some((Index::Sparse, place)) if place == "/stage" || place.starts_with("/stage/") => {
            let text = format!(
                "there is no release set at {place}: its name is missing, or has a slash. The index of a set is \
                 sparse+{base_url}/stage/SET/index/"
            );
            plain(StatusCode::BAD_REQUEST, text)
        }
        Some((Index::Sparse, place)) => {
            let text = format!("there is no sparse index at {place}: in .cargo/config.toml, use {}", sparse(&base_url));
            plain(StatusCode::BAD_REQUEST, text)
        }
        Some((Index::Git, place)) if place.starts_with("/stage/") => error_advertisement(&format!(
            "a release set has no git index: in .cargo/config.toml, use index = \"sparse+{base_url}{}/index/\"",
            place.split('/').take(3).collect::<Vec<_>>().join("/")
        )),
        Some((Index::Git, place)) if place.starts_with("/git/advisories") => error_advertisement(&format!(
            "there is no git repository at {place}: the security advisories are at {base_url}/git/advisories"
        )),
        Some((Index::Git, place)) => error_advertisement(&format!(
            "there is no git index at {place}: in .cargo/config.toml, use {}, or index = \"{base_url}/git/index\" for the \
             git index",
            sparse(&base_url)
        )),
    }
}

fn sparse(base_url: &str) -> String {
    format!("index = \"sparse+{base_url}/index/\"")
}

/// Whether a path is that of a release set's index, or of an upstream's.
fn is_of_set(path: &str) -> bool {
    path.strip_prefix("/stage/")
        .or_else(|| path.strip_prefix("/upstream/"))
        .and_then(|rest| rest.strip_suffix(CONFIG.1[0]))
        .is_some_and(|set| !set.is_empty() && !set.contains('/'))
}

/// The place of a wrong URL, and what the client takes it for.
fn wrong_place(uri: &Uri) -> Option<(Index, String)> {
    let path = uri.path();
    let below = |(end, right): (&str, &[&str])| path.strip_suffix(end).filter(|_| !right.contains(&path));
    let is_of_git = || uri.query().unwrap_or_default().split('&').any(|pair| pair == "service=git-upload-pack");
    let (index, place) = match below(CONFIG) {
        Some(place) => (Index::Sparse, place),
        None => (Index::Git, below(REFERENCES).filter(|_| is_of_git())?),
    };
    Some((index, if place.is_empty() { "/".to_owned() } else { shortened(place).into_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cargo_and_git_in_a_wrong_place_are_recognised() {
        let place = |uri: &str| wrong_place(&uri.parse().unwrap());
        let of = |index, place: &str| Some((index, place.to_owned()));
        assert_eq!(place("/config.json"), of(Index::Sparse, "/"));
        assert_eq!(place("/git/index/config.json?x"), of(Index::Sparse, "/git/index"));
        assert_eq!(place("/info/refs?service=git-upload-pack"), of(Index::Git, "/"));
        assert_eq!(place("/git/index.git/info/refs?service=git-upload-pack"), of(Index::Git, "/git/index.git"));
        for other in [
            "/index/config.json",
            "/git/index/info/refs?service=git-upload-pack",
            "/git/advisories/info/refs?service=git-upload-pack",
            "/info/refs",
            "/info/refs?service=git-receive-pack",
            "/api/v1/crates/info/refs",
            "/api/v1/crates?q=/config.json",
            "/xconfig.json",
        ] {
            assert!(!is_of_set(other), "{other}");
            assert_eq!(place(other), None, "{other}");
        }
    }
}
