//! `GET /crates/{name}/{version}/features`: all features of a version.

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::feature_table;
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
    let rows = feature_table::features_of(&found.version.about.features.clone().unwrap_or_default(), &dependencies);
    let (links, name) = (visit.links(), &found.krate.row.name);
    let num = &found.version.row.num;
    let head = CrateHead { links, name, num, is_default: found.is_default, description: None, tab: Tab::Features };
    let content = html! {
        (head.show(&notices(links, name, &found.version.row, found.krate.default_version.as_ref())))
        h2 { "Features" }
        @if rows.is_empty() { p class="muted" { "This version has none." } } @else { (feature_table::table(&rows)) }
    };
    Ok(visit.show(Page::new(format!("Features of {name} {num}"), content).unlisted()))
}
