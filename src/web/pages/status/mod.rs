//! `GET /crates/{name}/{version}/status`: the way of a version into the index: a publish, a yank, an unyank or a deletion.
//!
//! | file | content |
//! |---|---|
//! | [`asked`] | which version is asked for, and by whom |
//! | [`progress`] | the part of the page that changes |
//! | [`events`] | the stream of events that carries this part whenever it changes |
//!
//! The script follows the stream while the page is visible, and asks for the part with `fragment=1` when it gets none.
//! Without JavaScript there is a link that loads the page again. It does not load itself again: that would interrupt screen
//! readers, and nothing could stop it.

mod asked;
mod events;
mod progress;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};

use self::asked::Asked;
use super::krate::elsewhere;
use super::layout::Page;
use super::links::Links;
use super::parts::crate_head::{CrateHead, Tab};
use super::visit::Visit;
use crate::package::{CrateName, Version};
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::views::StatusView;
use crate::web::{ApiError, App};

pub fn router() -> Router<App> {
    Router::new()
        .route("/crates/{name}/{version}/status", get(show))
        .route("/crates/{name}/{version}/status/events", get(events::follow))
}

/// Shows the page, or the part of it that changes.
async fn show(
    State(app): State<App>,
    visit: Visit,
    query: QueryParameters,
    ApiPath((given, num)): ApiPath<(String, String)>,
) -> Result<Response, ApiError> {
    let asked = Asked::new(&given, &num, &visit)?;
    let num = asked.num.clone();
    let view = app.with_connection(move |connection| asked.read(connection)).await.map(StatusView::new)?;
    let links = visit.links();
    if query.get("fragment") == Some("1") {
        let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        return Ok((headers, Html(progress::part(links, &view).into_string())).into_response());
    }
    let name: CrateName = view.krate.parse().map_err(ApiError::internal)?;
    let path = links.of_version(&name, &num, "status");
    if let Some(response) = elsewhere(&given, &name, &path) {
        return Ok(response);
    }
    let content = html! {
        (heading(links, &name, &num, &view))
        h2 { "Status" }
        div class="prose" id="status" data-events=[(!view.is_done()).then(|| format!("{path}/events"))] data-part=(format!("{path}?fragment=1")) {
            (progress::part(links, &view))
        }
    };
    Ok(visit.show(Page::new(progress::title(&view), content).unlisted()))
}

/// The head of the page. A deleted version has no other pages.
fn heading(links: &Links, name: &CrateName, num: &Version, view: &StatusView) -> Markup {
    if view.deletion_reason.is_some() {
        return html! { div class="crate-head" { h1 { (name) span class="num" { (num) } } } };
    }
    CrateHead { links, name, num, is_default: false, description: None, tab: Tab::Other }.show(&html! {})
}
