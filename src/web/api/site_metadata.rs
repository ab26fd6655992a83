//! `GET /api/v1/site_metadata`: the program that serves the registry.

use axum::Json;
use axum::extract::State;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::{ApiError, App};

/// The program that serves the registry.
#[derive(Serialize, ToSchema)]
pub struct SiteMetadata {
    /// The commit of supercargo if it was given at build time, or else its version.
    #[schema(example = "0.1.0")]
    deployed_sha: &'static str,
    /// The same.
    commit: &'static str,
    /// Whether the database accepts no changes.
    read_only: bool,
}

/// Show what serves the registry
#[utoipa::path(
    get,
    path = "/api/v1/site_metadata",
    tag = "registry",
    responses((status = 200, body = SiteMetadata, description = "The program and its state"))
)]
pub async fn show(State(app): State<App>) -> Result<Json<SiteMetadata>, ApiError> {
    let read_only = diesel::dsl::sql::<Bool>("current_setting('transaction_read_only') = 'on'");
    let read_only = app.with_connection(move |connection| diesel::select(read_only).get_result(connection)).await?;
    let commit = option_env!("SUPERCARGO_COMMIT").unwrap_or(env!("CARGO_PKG_VERSION"));
    Ok(Json(SiteMetadata { deployed_sha: commit, commit, read_only }))
}
