//! `GET /crates/{name}/{version}/dependencies`: all dependencies of a version.

use axum::extract::State;
use axum::response::Response;

use super::dependency_table;
use super::part::Part;
use crate::web::extract::path::ApiPath;
use crate::web::pages::parts::crate_head::Tab;
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

/// Shows the page.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    ApiPath(version): ApiPath<(String, String)>,
) -> Result<Response, ApiError> {
    let part = Part::read(&app, version).await?;
    let all = &part.dependencies;
    let tables = (!all.is_empty()).then(|| dependency_table::tables(&app, visit.links(), all));
    Ok(part.show(&visit, (Tab::Dependencies, "Dependencies"), tables))
}
