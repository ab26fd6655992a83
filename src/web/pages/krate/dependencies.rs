//! `GET /crates/{name}/{version}/dependencies`: all dependencies of a version.

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::dependency_table;
use crate::database::catalog::dependencies;
use crate::web::extract::path::ApiPath;
use crate::web::pages::layout::Page;
use crate::web::pages::parts::crate_head::{CrateHead, Tab, notices};
use crate::web::pages::parts::found;
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

/// Shows the page.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Response, ApiError> {
    let (found, dependencies) = app
        .with_connection(move |connection| {
            let found = found::version(connection, &name, &num)?;
            let dependencies = dependencies::of_version(connection, found.version.row.id)?;
            Ok::<_, ApiError>((found, dependencies))
        })
        .await?;
    let (links, name) = (visit.links(), &found.krate.row.name);
    let num = &found.version.row.num;
    let head = CrateHead { links, name, num, is_default: found.is_default, description: None, tab: Tab::Dependencies };
    let content = html! {
        (head.show(&notices(links, name, &found.version.row, found.krate.default_version.as_ref())))
        h2 { "Dependencies" }
        @if dependencies.is_empty() { p class="muted" { "This version has none." } }
        (dependency_table::tables(&app, links, &dependencies))
    };
    Ok(visit.show(Page::new(format!("Dependencies of {name} {num}"), content).unlisted()))
}
