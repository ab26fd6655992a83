//! `GET /opensearch.xml`, `/robots.txt` and `/sitemap.xml`: for browsers and search engines. A private registry shows the
//! latter nothing.

use std::fmt::Write;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::assets::ICON;
use super::parts::time::machine;
use super::parts::xml::{self, escaped};
use super::visit::Visit;
use crate::database::catalog::crate_details;
use crate::database::registry_counts::{self, Count};
use crate::web::extract::query::QueryParameters;
use crate::web::{ApiError, App};

/// Crates in a part of the sitemap. A part may have 50,000. Source: the sitemaps protocol.
const PART: i64 = 10_000;
/// How long a sitemap may be kept, in seconds.
const KEPT: u32 = 60 * 60;

/// `GET /opensearch.xml`: how a browser searches here. Source: OpenSearch 1.1, draft 6.
pub async fn open_search(visit: Visit) -> Response {
    let base = escaped(visit.links().base_url());
    let icon = escaped(&visit.links().whole(&visit.links().to(&ICON.path())));
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<OpenSearchDescription xmlns=\"http://a9.com/-/spec/opensearch/1.1/\">\n\
         <ShortName>supercargo</ShortName>\n<Description>Search the crates of {base}</Description>\n\
         <InputEncoding>UTF-8</InputEncoding>\n<Image width=\"32\" height=\"32\" type=\"image/svg+xml\">{icon}</Image>\n\
         <Url type=\"text/html\" template=\"{base}/search?q={{searchTerms}}\"/>\n</OpenSearchDescription>\n"
    );
    xml::answer(visit.headers(), "application/opensearchdescription+xml", KEPT, document)
}

/// `GET /robots.txt`. Source: RFC 9309.
pub async fn robots(State(app): State<App>, visit: Visit) -> Response {
    let links = visit.links();
    let text = if app.settings.auth_required {
        "User-agent: *\nDisallow: /\n".to_owned()
    } else {
        let mut text = "User-agent: *\n".to_owned();
        for path in [
            "/crates/*/*/source",
            "/crates/*/*/raw",
            "/crates/*/diff",
            "/crates/*/*/status",
            "/search",
            "/queue",
            "/sign-in",
            "/api/",
        ] {
            let _ = writeln!(text, "Disallow: {}", links.to(path));
        }
        let _ = writeln!(text, "Sitemap: {}", links.whole(&links.to("/sitemap.xml")));
        text
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
    ];
    (headers, text).into_response()
}

/// `GET /sitemap.xml`: the pages of all crates, in parts if there are many.
pub async fn sitemap(State(app): State<App>, visit: Visit, query: QueryParameters) -> Result<Response, ApiError> {
    if app.settings.auth_required {
        return Err(ApiError::not_found("a private registry has no sitemap"));
    }
    let part: Option<u32> = query.parsed("part", "the number of a part, from 1")?;
    let links = visit.links();
    let [crates] = app.with_connection(|connection| registry_counts::read(connection, [Count::Crates])).await?;
    let document = match part {
        None if crates > PART => {
            let parts = (0..=(crates - 1) / PART).map(|part| part + 1).map(|part| {
                let place = links.whole(&links.with_query("/sitemap.xml", &[("part", &part.to_string())]));
                format!("<sitemap><loc>{}</loc></sitemap>\n", escaped(&place))
            });
            wrapped("sitemapindex", &parts.collect::<String>())
        }
        _ => {
            let offset = i64::from(part.unwrap_or(1).max(1) - 1) * PART;
            let names =
                app.with_connection(move |connection| crate_details::all_names(connection, PART, offset)).await?;
            let pages = names.into_iter().map(|(name, at)| {
                let place = escaped(&links.whole(&links.krate(&name)));
                format!("<url><loc>{place}</loc><lastmod>{}</lastmod></url>\n", machine(at))
            });
            wrapped("urlset", &pages.collect::<String>())
        }
    };
    Ok(xml::answer(visit.headers(), "application/xml", KEPT, document))
}

fn wrapped(element: &str, content: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<{element} xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n\
         {content}</{element}>\n"
    )
}
