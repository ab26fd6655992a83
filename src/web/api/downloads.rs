//! `GET /api/v1/crates/{crate}/downloads` and `GET /api/v1/crates/{crate}/{version}/downloads`: counts, not files.

use axum::Json;
use axum::extract::State;
use chrono::Utc;
use serde::Serialize;
use utoipa::ToSchema;

use super::version::{find_id, named};
use super::versions::by_number;
use super::{ApiPath, crate_name, shown_crate};
use crate::database::catalog::downloads;
use crate::database::catalog::rows;
use crate::web::extract::path::{CratePath, VersionPath};
use crate::web::views::{Errors, ExtraDownloads, VersionDownloads};
use crate::web::{ApiError, App};

/// Versions of a crate that are told one by one.
const TOLD: usize = 5;

/// Downloads of a crate.
#[derive(Serialize, ToSchema)]
pub struct CrateDownloads {
    /// Of its five highest versions.
    version_downloads: Vec<VersionDownloads>,
    meta: CrateDownloadsMeta,
}

/// Downloads of the other versions.
#[derive(Serialize, ToSchema)]
pub struct CrateDownloadsMeta {
    extra_downloads: Vec<ExtraDownloads>,
}

/// Count the downloads of a crate by day, of the last ninety days
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/downloads",
    tag = "downloads",
    params(CratePath),
    responses(
        (status = 200, body = CrateDownloads, description = "The counts; days without a download are left out"),
        (status = 404, body = Errors, description = "There is no such crate, or the index does not show it yet"),
    )
)]
pub async fn of_crate(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
) -> Result<Json<CrateDownloads>, ApiError> {
    let name = crate_name(&name)?;
    app.with_connection(move |connection| {
        let krate = shown_crate(connection, &name)?;
        let versions = by_number(rows::shown_versions(connection, krate.row.id)?);
        let highest: Vec<i32> = versions.iter().take(TOLD).map(|(id, _)| *id).collect();
        let now = Utc::now();
        let told = downloads::of_versions(connection, &highest, now)?;
        let others = downloads::of_other_versions(connection, krate.row.id, &highest, now)?;
        Ok::<_, ApiError>(Json(CrateDownloads {
            version_downloads: told.into_iter().map(Into::into).collect(),
            meta: CrateDownloadsMeta { extra_downloads: others.into_iter().map(Into::into).collect() },
        }))
    })
    .await
}

/// Downloads of a version.
#[derive(Serialize, ToSchema)]
pub struct DownloadsOfVersion {
    version_downloads: Vec<VersionDownloads>,
}

/// Count the downloads of a version by day, of the last ninety days
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}/downloads",
    tag = "downloads",
    params(VersionPath),
    responses(
        (status = 200, body = DownloadsOfVersion, description = "The counts; days without a download are left out"),
        (status = 404, body = Errors, description = "There is no such version"),
    )
)]
pub async fn of_version(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Json<DownloadsOfVersion>, ApiError> {
    let (name, num) = named(&name, &num)?;
    app.with_connection(move |connection| {
        let version = find_id(connection, &name, &num)?;
        let told = downloads::of_versions(connection, &[version], Utc::now())?;
        let version_downloads = told.into_iter().map(Into::into).collect();
        Ok::<_, ApiError>(Json(DownloadsOfVersion { version_downloads }))
    })
    .await
}
