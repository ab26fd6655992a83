//! Doubled slashes in paths: `//index//config.json` is `/index/config.json`.
//!
//! They come from a base URL with a slash at its end and a path with one at its start. The request is served as if it
//! had been sent right: a redirect would break a publish, and cargo would repeat it with each file.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Serves a path with doubled slashes as the one without them. An encoded slash (`%2F`) is a character of a name.
pub async fn fold(mut request: Request) -> Request {
    if let Some(uri) = folded(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn folded(uri: &Uri) -> Option<Uri> {
    if !uri.path().contains("//") {
        return None;
    }
    let mut path = String::with_capacity(uri.path().len());
    for character in uri.path().chars() {
        if character != '/' || !path.ends_with('/') {
            path.push(character);
        }
    }
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_doubled_slashes_of_the_path_are_folded() {
        let after = |uri: &str| folded(&uri.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(after("//index///config.json").as_deref(), Some("/index/config.json"));
        assert_eq!(after("//").as_deref(), Some("/"));
        assert_eq!(after("/index//?q=a//b").as_deref(), Some("/index/?q=a//b"));
        assert_eq!(after("http://host//api//v1").as_deref(), Some("http://host/api/v1"));
        for same in ["/", "/index/config.json", "/a%2F%2Fb", "/a?q=//", "http://host/a"] {
            assert_eq!(after(same), None, "{same}");
        }
    }
}
