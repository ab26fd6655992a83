//! `GET /api/v1/crates/{crate}/downloads` and `GET /api/v1/crates/{crate}/{version}/downloads`: download counts.

use axum::Json;
use axum::extract::State;
use chrono::Utc;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::catalog::downloads;
use crate::database::catalog::version_details;
use crate::web::extract::path::{ApiPath, CratePath, VersionPath, crate_and_version, crate_name};
use crate::web::lookup::{highest_first, shown_crate, version_id};
use crate::web::views::{Errors, ExtraDownloads, VersionDownloads};
use crate::web::{ApiError, App};

/// Versions of a crate with counts of their own.
const SINGLE_VERSIONS: usize = 5;

/// Downloads of a crate.
#[derive(Serialize, ToSchema)]
pub struct CrateDownloads {
    /// Downloads of the five highest versions.
    version_downloads: Vec<VersionDownloads>,
    meta: CrateDownloadsMeta,
}

/// Downloads of the other versions, added up.
#[derive(Serialize, ToSchema)]
pub struct CrateDownloadsMeta {
    extra_downloads: Vec<ExtraDownloads>,
}

/// Show the downloads of a crate by day, over the last 90 days
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/downloads",
    tag = "downloads",
    params(CratePath),
    responses(
        (status = 200, body = CrateDownloads, description = "The counts; days without downloads are omitted"),
        (status = 404, body = Errors, description = "There is no such crate in the index"),
    )
)]
pub async fn of_crate(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
) -> Result<Json<CrateDownloads>, ApiError> {
    let name = crate_name(&name)?;
    app.with_connection(move |connection| {
        let krate = shown_crate(connection, &name)?;
        let versions = highest_first(version_details::shown(connection, krate.row.id)?);
        let highest: Vec<i32> = versions.iter().take(SINGLE_VERSIONS).map(|(id, _)| *id).collect();
        let now = Utc::now();
        let counts = downloads::of_versions(connection, &highest, now)?;
        let others = downloads::of_other_versions(connection, krate.row.id, &highest, now)?;
        Ok::<_, ApiError>(Json(CrateDownloads {
            version_downloads: counts.into_iter().map(Into::into).collect(),
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

/// Show the downloads of a version by day, over the last 90 days
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}/downloads",
    tag = "downloads",
    params(VersionPath),
    responses(
        (status = 200, body = DownloadsOfVersion, description = "The counts; days without downloads are omitted"),
        (status = 404, body = Errors, description = "There is no such version"),
    )
)]
pub async fn of_version(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Json<DownloadsOfVersion>, ApiError> {
    let (name, num) = crate_and_version(&name, &num)?;
    app.with_connection(move |connection| {
        let version = version_id(connection, &name, &num)?;
        let counts = downloads::of_versions(connection, &[version], Utc::now())?;
        let version_downloads = counts.into_iter().map(Into::into).collect();
        Ok::<_, ApiError>(Json(DownloadsOfVersion { version_downloads }))
    })
    .await
}
