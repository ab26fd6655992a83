//! `PATCH /api/v1/crates/{crate}`: lets only trusted publishers publish a crate.

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MAX_BODY;
use crate::database::access::caller::Caller;
use crate::database::access::scope::Scope;
use crate::database::catalog::crate_details;
use crate::jobs::trusted_publishing::configure;
use crate::web::extract::json::callers_json;
use crate::web::extract::path::{ApiPath, CratePath, crate_name};
use crate::web::lookup::no_such_crate;
use crate::web::views::{AnyError, CrateView};
use crate::web::{ApiError, App};

/// A change of a crate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CrateUpdateRequest {
    #[serde(rename = "crate")]
    krate: CrateUpdate,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CrateUpdate {
    /// Whether only trusted publishers may publish it; null: as it is. Only an admin may make it false again.
    #[serde(default)]
    trustpub_only: Option<bool>,
}

/// A crate that was changed.
#[derive(Serialize, ToSchema)]
pub struct CrateUpdated {
    #[serde(rename = "crate")]
    krate: CrateView,
}

/// Change a crate
#[utoipa::path(
    patch,
    path = "/api/v1/crates/{crate}",
    tag = "trusted publishing",
    security(("token" = ["trusted-publishing"])),
    params(CratePath),
    request_body = CrateUpdateRequest,
    responses((status = 200, body = CrateUpdated, description = "The crate"), AnyError),
)]
pub async fn update(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    request: Request,
) -> Result<Json<CrateUpdated>, ApiError> {
    let may = |caller: &Caller| Ok(caller.has_one_of(&[Scope::TrustedPublishing], Scope::TrustedPublishing.as_str())?);
    let (caller, asked): (_, CrateUpdateRequest) = callers_json(&app, request, MAX_BODY, may).await?;
    let name = crate_name(&name)?;
    app.blocking(move |app| {
        if let Some(trustpub_only) = asked.krate.trustpub_only {
            app.pool.with(|connection| configure::restrict_as(connection, &name, trustpub_only, &caller))??;
        }
        let krate = app.pool.with(|connection| crate_details::find_queued(connection, &name))??;
        let krate = krate.ok_or_else(|| no_such_crate(name.as_str()))?;
        Ok(Json(CrateUpdated { krate: CrateView::new(krate, &app.settings.base_url) }))
    })
    .await
}
