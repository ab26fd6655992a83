//! `GET /crates/{name}/{version}/source/{path}`: the files of a package, as a build gets them.
//!
//! | file | content |
//! |---|---|
//! | [`tree`] | directories: a page of their own, and beside each file |
//! | [`file`] | a file: its lines, its image, or what it is |
//! | [`lines`] | lines with their numbers |
//! | [`binary`] | what a binary file is, by its first bytes |
//! | [`raw`] | the content itself |
//! | [`origin`] | the commit that the package was made from |

mod binary;
mod file;
mod lines;
mod origin;
mod raw;
mod tree;

pub use lines::MAX_SHOWN;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};

use super::layout::Page;
use super::links::Links;
use super::parts::crate_head::{CrateHead, Tab, notices};
use super::parts::found::{self, Found};
use super::problem::{Nearest, Problem};
use super::visit::Visit;
use crate::source::SourcePackage;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::shortened::shortened;
use crate::web::sources::{self, Package};
use crate::web::{ApiError, App, ClientAddress};

/// Search engines leave these pages out: there are very many of them, and the repository has the same.
const ROBOTS: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));

/// Names that are shown in place of a file that is not there.
const NEAREST: usize = 8;

pub fn router() -> Router<App> {
    Router::new()
        .route("/crates/{name}/{version}/source", get(root))
        .route("/crates/{name}/{version}/source/", get(root))
        .route("/crates/{name}/{version}/source/{*path}", get(show))
        .route("/crates/{name}/{version}/raw/{*path}", get(raw::show))
}

/// What a request for a source is about.
struct Request {
    app: App,
    visit: Visit,
    client: ClientAddress,
    query: QueryParameters,
}

/// A version with its open package.
struct Opened {
    found: Found,
    package: Package,
    source: Arc<SourcePackage>,
}

async fn root(
    State(app): State<App>,
    visit: Visit,
    client: ClientAddress,
    query: QueryParameters,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Response, Problem> {
    page(Request { app, visit, client, query }, (name, num), "").await
}

async fn show(
    State(app): State<App>,
    visit: Visit,
    client: ClientAddress,
    query: QueryParameters,
    ApiPath((name, num, path)): ApiPath<(String, String, String)>,
) -> Result<Response, Problem> {
    page(Request { app, visit, client, query }, (name, num), path.trim_end_matches('/')).await
}

async fn page(request: Request, version: (String, String), path: &str) -> Result<Response, Problem> {
    let opened = open(&request.app, request.client, version).await?;
    let listing = opened.source.listing();
    let content = if listing.find(path).is_some() {
        file::content(&request, &opened, path).await?
    } else if let Some(children) = listing.children(path) {
        tree::content(&request, &opened, path, &children)?
    } else {
        return Err(missing(request.visit.links(), &opened, path));
    };
    let (name, num) = (&opened.package.name, &opened.package.num);
    let title = if path.is_empty() { format!("Source of {name} {num}") } else { format!("{path} · {name} {num}") };
    let page = Page::new(
        crate::package::characters::plain(&title).into_owned(),
        framed(request.visit.links(), &opened, &content),
    );
    Ok(left_out(request.visit.show(page.unlisted())))
}

/// Opens the package of a version.
async fn open(app: &App, client: ClientAddress, (name, num): (String, String)) -> Result<Opened, ApiError> {
    let found = app.with_connection(move |connection| found::version(connection, &name, &num)).await?;
    let row = &found.version.row;
    let package = Package::new(&found.krate.row.name, &row.num, row.checksum);
    let source = sources::open(app, client, &package).await?;
    Ok(Opened { found, package, source })
}

/// The content below the head of the crate's pages.
fn framed(links: &Links, opened: &Opened, content: &Markup) -> Markup {
    let (krate, row) = (&opened.found.krate, &opened.found.version.row);
    let head = CrateHead {
        links,
        name: &krate.row.name,
        num: &row.num,
        is_default: opened.found.is_default,
        description: None,
        tab: Tab::Source,
    };
    html! {
        (head.show(&notices(links, &krate.row.name, row, krate.default_version.as_ref())))
        (content)
    }
}

/// Keeps an answer out of search engines.
pub fn left_out(mut response: Response) -> Response {
    let (name, value) = ROBOTS;
    response.headers_mut().insert(name, value);
    response
}

/// The error for a path that the package does not have, with the paths that are most like it.
fn missing(links: &Links, opened: &Opened, path: &str) -> Problem {
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
    Problem { error, nearest: Nearest(nearest) }
}

/// The path with a link for each of its directories.
fn breadcrumbs(links: &Links, package: &Package, path: &str) -> Markup {
    let (name, num) = (&package.name, &package.num);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    html! {
        nav class="crumbs" aria-label="Path" {
            a href=(links.source(name, num, "")) { (name) "-" (num) }
            @for (place, part) in parts.iter().enumerate() {
                "/"
                @if place + 1 < parts.len() {
                    a href=(links.source(name, num, &parts[..=place].join("/"))) { (super::parts::text::name(part)) }
                } @else {
                    strong { (super::parts::text::name(part)) }
                }
            }
        }
    }
}
