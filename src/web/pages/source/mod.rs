//! `GET /crates/{name}/{version}/source/{path}`: the files of a package, as a build gets them.
//!
//! | file | content |
//! |---|---|
//! | [`tree`] | directories: a page of their own, and beside each file |
//! | [`file`] | a file: its lines, its image, or what it is |
//! | [`lines`] | lines with their numbers |
//! | [`binary`] | what a binary file is, by its first bytes |
//! | [`opened`] | a version with its open package, and what its pages have in common |
//! | [`raw`] | the content itself |
//! | [`origin`] | the commit that the package was made from |

mod binary;
mod file;
mod lines;
mod opened;
mod origin;
mod raw;
mod tree;

pub use lines::MAX_SHOWN;
pub use opened::left_out;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};

use self::opened::{Opened, Request, missing, open};
use super::layout::Page;
use super::links::Links;
use super::parts::crate_head::{CrateHead, Tab, notices};
use super::problem::Problem;
use super::visit::Visit;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::{App, ClientAddress};

pub fn router() -> Router<App> {
    Router::new()
        .route("/crates/{name}/{version}/source", get(root))
        .route("/crates/{name}/{version}/source/", get(root))
        .route("/crates/{name}/{version}/source/{*path}", get(show))
        .route("/crates/{name}/{version}/raw/{*path}", get(raw::show))
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
