//! A version with its open package, and what its pages have in common.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use maud::{Markup, html};

use crate::source::SourcePackage;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::links::Links;
use crate::web::pages::parts::found::{self, Found};
use crate::web::pages::parts::text::name;
use crate::web::pages::problem::{Nearest, Problem};
use crate::web::pages::visit::Visit;
use crate::web::shortened::shortened;
use crate::web::sources::{self, Package};
use crate::web::{ApiError, App, ClientAddress};

/// Search engines leave these pages out: there are very many of them, and the repository has the same.
const ROBOTS: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));

/// Names that are shown in place of a file that is not there.
const NEAREST: usize = 8;

/// What a request for a source is about.
pub struct Request {
    pub app: App,
    pub visit: Visit,
    pub client: ClientAddress,
    pub query: QueryParameters,
}

/// A version with its open package.
pub struct Opened {
    pub found: Found,
    pub package: Package,
    pub source: Arc<SourcePackage>,
}

/// Opens the package of a version.
pub async fn open(app: &App, client: ClientAddress, (name, num): (String, String)) -> Result<Opened, ApiError> {
    let found = app.with_connection(move |connection| found::version(connection, &name, &num)).await?;
    let row = &found.version.row;
    let package = Package::new(&found.krate.row.name, &row.num, row.checksum);
    let source = sources::open(app, client, &package).await?;
    Ok(Opened { found, package, source })
}

/// Keeps an answer out of search engines.
pub fn left_out(mut response: Response) -> Response {
    let (name, value) = ROBOTS;
    response.headers_mut().insert(name, value);
    response
}

/// The error for a path that the package does not have, with the paths that are most like it.
pub fn missing(links: &Links, opened: &Opened, path: &str) -> Problem {
    let (name, num) = (&opened.package.name, &opened.package.num);
    let error = ApiError::not_found(format!("`{name}@{num}` has no file `{}`", shortened(path)));
    let wanted: String = path.chars().take(200).collect::<String>().to_lowercase();
    let file_of = |path: &str| path.rsplit('/').next().unwrap_or_default().to_lowercase();
    let wanted_file = file_of(&wanted);
    let alike = opened.source.listing().files().take(20_000).map(|(path, _)| {
        let by_file = strsim::jaro_winkler(&file_of(path), &wanted_file);
        (by_file + strsim::jaro(&path.to_lowercase(), &wanted), path)
    });
    let mut alike: Vec<(f64, &str)> = alike.filter(|(score, _)| *score > 1.2).collect();
    alike.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    alike.truncate(NEAREST);
    let nearest = alike.into_iter().map(|(_, path)| (path.to_owned(), links.source(name, num, path))).collect();
    Problem { error, nearest: Nearest { names: nearest, status: None } }
}

/// The path with a link for each of its directories.
pub fn breadcrumbs(links: &Links, package: &Package, path: &str) -> Markup {
    let (krate, num) = (&package.name, &package.num);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    html! {
        nav class="crumbs" aria-label="Path" {
            a href=(links.source(krate, num, "")) { (krate) "-" (num) }
            @for (place, part) in parts.iter().enumerate() {
                "/"
                @if place + 1 < parts.len() {
                    a href=(links.source(krate, num, &parts[..=place].join("/"))) { (name(part)) }
                } @else {
                    strong { (name(part)) }
                }
            }
        }
    }
}
