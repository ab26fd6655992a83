//! `GET /crates/{name}/{version}/features`: all features of a version.

use axum::extract::State;
use axum::response::Response;

use super::feature_table;
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
    let features = part.found.version.about.features.clone().unwrap_or_default();
    let rows = feature_table::features_of(&features, &part.dependencies);
    let table = (!rows.is_empty()).then(|| feature_table::table(&rows));
    Ok(part.show(&visit, (Tab::Features, "Features"), table))
}
