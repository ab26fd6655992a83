//! `GET /crates/{name}/dependents`: the crates of this registry that depend on a crate.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::reading::{Dependent, dependents_of};
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::parts::crate_head::{CrateHead, Tab};
use crate::web::pages::parts::text::{beginning, counted, text};
use crate::web::pages::parts::{found, pager};
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

/// Dependents on a page.
const PER_PAGE: u32 = 50;

/// Shows the page.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    ApiPath(name): ApiPath<String>,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let pagination = query.pagination_of(PER_PAGE)?;
    let part = pagination.page();
    let (found, dependents, total) = app
        .with_connection(move |connection| {
            let found = found::default_version(connection, &name)?;
            let (dependents, total) = dependents_of(connection, &found.krate.row.name, part.limit, part.offset)?;
            Ok::<_, ApiError>((found, dependents, total))
        })
        .await?;
    let (links, name) = (visit.links(), &found.krate.row.name);
    let num = &found.version.row.num;
    let head = CrateHead { links, name, num, is_default: true, description: None, tab: Tab::Dependents };
    let path = links.of_crate(name, "dependents");
    let content = html! {
        (head.show(&html! {}))
        h2 { (counted(total, "dependent")) }
        p class="muted" { "Crates of this registry whose recommended version depends on it, the most downloaded first." }
        (list(links, &dependents))
        (pager::pager(&path, &pagination.meta(total, &query)))
    };
    Ok(visit.show(Page::new(format!("Dependents of {name}"), content).unlisted()))
}

/// Dependents with what they require.
pub fn list(links: &Links, dependents: &[Dependent]) -> Markup {
    html! {
        ol class="crates-short" {
            @for one in dependents {
                li {
                    a class="name" href=(links.krate(&one.name)) { (one.name) }
                    span class="fact" {
                        code { (text(&one.dependency.req)) }
                        @if one.dependency.kind != "normal" { " " span class="tag" { (one.dependency.kind) } }
                        @if one.dependency.optional { " " span class="tag" { "optional" } }
                    }
                    @if let Some(description) = &one.description { p { (text(&beginning(description, 120))) } }
                }
            }
        }
    }
}
