//! The path of the public URL: `/crates` of `https://host.example/crates`.
//!
//! The registry is served under it as well as at the root, so that a reverse proxy may pass the path on or remove it.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use tower::ServiceExt;

/// First components of what is served under the path. `/metrics` is not, so that a proxy which passes the path on does not
/// publish it. A path that is not one of them keeps the prefix: the prefix may have the name of a route.
const SERVED: [&str; 27] = [
    "",
    "admin",
    "advisories",
    "api",
    "assets",
    "badges",
    "categories",
    "crates",
    "docs",
    "email",
    "feeds",
    "git",
    "health",
    "index",
    "keywords",
    "me",
    "oauth",
    "opensearch.xml",
    "queue",
    "release-sets",
    "search",
    "sign-in",
    "sign-out",
    "sitemap.xml",
    "stage",
    "upstream",
    "webhooks",
];

/// The path of a base URL, without a slash at its end; empty if it has none.
pub(super) fn of(base_url: &str) -> &str {
    let authority = base_url.find("://").map_or(0, |at| at + "://".len());
    base_url[authority..].find('/').map_or("", |at| &base_url[authority + at..])
}

/// Serves a router under the path of a base URL, and at the root.
pub(super) fn serve_under(base_url: &str, router: Router) -> Router {
    let prefix: Arc<str> = of(base_url).into();
    if prefix.is_empty() {
        return router;
    }
    Router::new().fallback_service(router.map_request(move |request: Request| without(&prefix, request)))
}

/// The request without the prefix, if it is for something that is served under it.
fn without(prefix: &str, mut request: Request) -> Request {
    if let Some(uri) = shortened(prefix, request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

/// The path below the prefix, if it is for something that is served under it. For paths without doubled slashes.
pub(super) fn below<'a>(prefix: &str, path: &'a str) -> Option<&'a str> {
    let below = path.strip_prefix(prefix).filter(|below| below.starts_with('/'))?;
    SERVED.contains(&below[1..].split('/').next().unwrap_or_default()).then_some(below)
}

fn shortened(prefix: &str, uri: &Uri) -> Option<Uri> {
    // Doubled slashes, also in front, are left to what follows.
    let path = uri.path().trim_start_matches('/').strip_prefix(prefix.trim_start_matches('/'))?;
    let is_below = path.is_empty() || path.starts_with('/');
    if !is_below || !SERVED.contains(&path.trim_start_matches('/').split('/').next().unwrap_or_default()) {
        return None;
    }
    let path = if path.is_empty() { "/" } else { path };
    let rest = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(rest).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The first components of the routes that files of a directory name.
    fn of_routes(directory: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                of_routes(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for place in [".route(\"/", "nest(\"/", "path = \"/"].iter().flat_map(|start| text.split(start).skip(1)) {
                found.insert(place.split(['/', '"']).next().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_route_is_served_under_the_path() {
        let mut found = BTreeSet::new();
        of_routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web"), &mut found);
        assert!(found.len() > 20 && found.contains("api") && found.contains("webhooks"), "{found:?}");
        let served: BTreeSet<String> = SERVED.map(str::to_owned).into();
        // Robots look for theirs at the root of a host; why metrics are left out stands above.
        let left: Vec<_> =
            found.difference(&served).filter(|one| !["robots.txt", "metrics"].contains(&&***one)).collect();
        assert!(left.is_empty(), "add these to SERVED: {left:?}");
    }

    #[test]
    fn the_path_of_a_url_is_what_follows_its_host() {
        for (url, path) in [
            ("https://host.example", ""),
            ("https://host.example/crates", "/crates"),
            ("http://[::1]:8080/a/b", "/a/b"),
            ("http://host.example/http://x", "/http://x"),
        ] {
            assert_eq!(of(url), path);
        }
    }

    #[test]
    fn the_prefix_is_removed_from_what_is_served_under_it() {
        let without = |prefix: &str, uri: &str| shortened(prefix, &uri.parse().unwrap()).map(|uri| uri.to_string());
        for (uri, expected) in [
            ("/crates", Some("/")),
            ("/crates/", Some("/")),
            ("/crates?a=b", Some("/?a=b")),
            ("/crates/me", Some("/me")),
            ("/crates/crates/foo", Some("/crates/foo")),
            ("/crates/search?q=a", Some("/search?q=a")),
            ("/crates/index/", Some("/index/")),
            ("/crates/index/3/f/foo", Some("/index/3/f/foo")),
            (
                "/crates/git/index/info/refs?service=git-upload-pack",
                Some("/git/index/info/refs?service=git-upload-pack"),
            ),
            ("/crates/api/v1/crates/a/1.0.0+b/download", Some("/api/v1/crates/a/1.0.0+b/download")),
            ("/crates//api/v1/crates/a", Some("//api/v1/crates/a")),
            ("//crates/api/v1/crates/a", Some("/api/v1/crates/a")),
            ("http://host.example/crates/health/live", Some("http://host.example/health/live")),
            // Neither under the prefix, nor to be published by it.
            ("/index/config.json", None),
            ("/cratesindex/config.json", None),
            ("/crates-index/config.json", None),
            ("/api/crates/index/config.json", None),
            ("/crates/metrics", None),
            ("/crates/nothing", None),
        ] {
            assert_eq!(without("/crates", uri).as_deref(), expected, "{uri}");
        }
        // A prefix may have the name of a route: the root is served as well.
        assert_eq!(without("/index", "/index/config.json"), None);
        assert_eq!(without("/index", "/index/index/config.json").as_deref(), Some("/index/config.json"));
        assert_eq!(without("/api", "/api/v1/crates"), None);
        assert_eq!(without("/api", "/api/api/v1/crates").as_deref(), Some("/api/v1/crates"));
    }
}
