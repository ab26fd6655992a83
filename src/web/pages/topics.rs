//! `GET /keywords` and `/categories`: what crates are about.

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::layout::Page;
use super::parts::pager;
use super::parts::text::{counted, text};
use super::visit::Visit;
use crate::database::catalog::topics::{self, Kind, Order};
use crate::web::extract::query::QueryParameters;
use crate::web::{ApiError, App};

/// Topics on a page.
const PER_PAGE: u32 = 100;

/// `GET /keywords`.
pub async fn keywords(State(app): State<App>, visit: Visit, query: QueryParameters) -> Result<Response, ApiError> {
    list(&app, &visit, &query, Kind::Keywords).await
}

/// `GET /categories`.
pub async fn categories(State(app): State<App>, visit: Visit, query: QueryParameters) -> Result<Response, ApiError> {
    list(&app, &visit, &query, Kind::Categories).await
}

async fn list(app: &App, visit: &Visit, query: &QueryParameters, kind: Kind) -> Result<Response, ApiError> {
    let pagination = query.pagination_of(PER_PAGE)?;
    let by_name = query.get("sort") == Some("alpha");
    let order = if by_name { Order::Alphabetical } else { Order::Crates };
    let part = pagination.page();
    let (found, total) = app
        .with_connection(move |connection| {
            let total = topics::total(connection, kind)?;
            Ok::<_, ApiError>((topics::list(connection, kind, order, part.limit, part.offset)?, total))
        })
        .await?;
    let links = visit.links();
    let (title, parameter, path) = match kind {
        Kind::Keywords => ("Keywords", "keyword", links.keywords()),
        Kind::Categories => ("Categories", "category", links.categories()),
    };
    let content = html! {
        h1 { (title) }
        p class="sorts" {
            span class="muted" { "Sorted by" }
            a href=(path) aria-current=[(!by_name).then_some("true")] { "crates" }
            a href=(format!("{path}?sort=alpha")) aria-current=[by_name.then_some("true")] { "name" }
        }
        @if found.is_empty() { p class="notice" { "No crate has one yet." } }
        ul class="topics" {
            @for topic in &found {
                li { a href=(links.search(&[(parameter, &topic.name)])) { (text(&topic.name)) } " " span { (counted(topic.crates, "crate")) } }
            }
        }
        (pager::pager(&path, &pagination.meta(total, query)))
    };
    Ok(visit.show(Page::new(title, content)))
}
