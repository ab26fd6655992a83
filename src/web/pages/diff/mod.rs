//! `GET /crates/{name}/diff/{before}...{after}`: what changed from one version to another.
//!
//! | file | content |
//! |---|---|
//! | [`summary`] | what a reviewer asks first |
//! | [`request`] | what a request is about |
//! | [`files`] | the list of files, and which are shown at once |
//! | [`file`] | what changed in one file |
//! | [`table`] | its lines, one below the other or side by side |
//!
//! The page shows the differences of as many files as are read at once. Each of the others is a link to a page of its own,
//! which the script loads in its place.

mod file;
mod files;
mod request;
mod summary;
mod table;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};

pub use self::request::{Place, Request};
use super::layout::Page;
use super::parts::crate_head::{CrateHead, Tab, notices};
use super::parts::found::{self, Found};
use super::source::left_out;
use super::visit::Visit;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::sources::{self, Package, two_versions};
use crate::web::{ApiError, App, ClientAddress};

pub fn router() -> Router<App> {
    Router::new().route("/crates/{name}/diff/{versions}", get(show))
}

async fn show(
    State(app): State<App>,
    visit: Visit,
    client: ClientAddress,
    query: QueryParameters,
    ApiPath((name, versions)): ApiPath<(String, String)>,
) -> Result<Response, ApiError> {
    let (before, after) = two_versions(&versions)?;
    let (before, after) = (before.to_owned(), after.to_owned());
    let read = app.with_connection(move |connection| {
        let before = found::version(connection, &name, &before)?;
        Ok::<_, ApiError>((before, found::version(connection, &name, &after)?))
    });
    let (old, found) = read.await?;
    let package =
        |found: &Found| Package::new(&found.krate.row.name, &found.version.row.num, found.version.row.checksum);
    let (before, after) = (package(&old), package(&found));
    let comparison = sources::compare(&app, client, (&before, &after)).await?;
    let path = visit.links().diff(&after.name, &before.num, &after.num);
    let place = Place { path, has_before: true, has_after: true };
    let request = Request { place, app, visit, client, query, before, after, comparison };
    Ok(match shown(&request, &title(&request)).await? {
        Shown::Part(part) => part,
        Shown::Content(content) => left_out(framed(&request, &found, &content)),
    })
}

/// What a request gets.
pub enum Shown {
    /// Only a part of the page, for the script.
    Part(Response),
    /// The content of the page, below what it is about.
    Content(Markup),
}

/// All differences, or those of the file that the request names.
pub async fn shown(request: &Request, title: &Markup) -> Result<Shown, ApiError> {
    match request.query.get("file") {
        Some(path) => one_file(request, title, path).await,
        None => Ok(Shown::Content(content(request, title).await?)),
    }
}

/// The differences of one file.
async fn one_file(request: &Request, title: &Markup, path: &str) -> Result<Shown, ApiError> {
    let Some(change) = request.comparison.file(path) else {
        let (name, num) = (&request.after.name, &request.after.num);
        let path = crate::web::shortened::shortened(path);
        return Err(ApiError::not_found(format!("the file `{path}` did not change up to `{name}@{num}`")));
    };
    let shown = file::section(request, change, 0, true).await?;
    if request.query.get("fragment").is_some() {
        return Ok(Shown::Part(left_out(Html(shown.into_string()).into_response())));
    }
    Ok(Shown::Content(html! {
        (title)
        p { a href=(request.path(&[("view", request.view())])) { "All changes" } }
        (views(request, path))
        (shown)
    }))
}

async fn content(request: &Request, title: &Markup) -> Result<Markup, ApiError> {
    let comparison = &request.comparison;
    if comparison.files.is_empty() {
        return Ok(html! { (title) p class="notice" { "Nothing changed: all files are the same." } });
    }
    let list = files::List::of(request)?;
    let mut sections = Vec::new();
    for (place, change) in list.shown() {
        sections.push(file::section(request, change, place, list.is_open(place)).await?);
    }
    Ok(html! {
        (title)
        (summary::section(request))
        (list.table(request))
        h2 id="changes" { "Changes" }
        (views(request, ""))
        @for section in &sections { (section) }
        (list.pager(request))
    })
}

fn title(request: &Request) -> Markup {
    let (links, name) = (request.links(), &request.after.name);
    html! {
        h2 {
            "From " a href=(links.source(name, &request.before.num, "")) { (request.before.num) }
            " to " a href=(links.source(name, &request.after.num, "")) { (request.after.num) }
        }
    }
}

/// The choice of how lines are shown.
fn views(request: &Request, file: &str) -> Markup {
    let is_split = request.is_split();
    html! {
        p class="sorts" {
            a href=(request.path(&[("file", file)])) aria-current=[(!is_split).then_some("true")] { "One below the other" }
            a href=(request.path(&[("file", file), ("view", "split")])) aria-current=[is_split.then_some("true")] { "Side by side" }
        }
    }
}

fn framed(request: &Request, found: &Found, content: &Markup) -> Response {
    let (links, row) = (request.links(), &found.version.row);
    let name = &found.krate.row.name;
    let head =
        CrateHead { links, name, num: &row.num, is_default: found.is_default, description: None, tab: Tab::Other };
    let content = html! {
        (head.show(&notices(links, name, row, found.krate.default_version.as_ref())))
        (content)
    };
    let title = format!("{name} from {} to {}", request.before.num, row.num);
    request.visit.show(Page::new(title, content).unlisted())
}
