//! `GET /api/v1/crates/{crate}/downloads` and `GET /api/v1/crates/{crate}/{version}/downloads`: download counts.

use axum::Json;
use axum::extract::State;
use chrono::{Datelike, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::catalog::downloads;
use crate::database::catalog::version_details::{self, Features};
use crate::web::extract::path::{ApiPath, CratePath, VersionPath, crate_and_version, crate_name};
use crate::web::extract::query::{QueryParameters, refused};
use crate::web::lookup::{shown_crate, version_id};
use crate::web::views::{Errors, ExtraDownloads, VersionDownloads, VersionView};
use crate::web::{ApiError, App};

/// Versions of a crate with counts of their own.
const SINGLE_VERSIONS: usize = 5;

/// Downloads of a crate.
#[derive(Serialize, ToSchema)]
pub struct CrateDownloads {
    /// Downloads of the five highest versions.
    version_downloads: Vec<VersionDownloads>,
    /// These five versions, with `include=versions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<Vec<VersionView>>,
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
    params(
        CratePath,
        ("include" = Option<String>, Query, pattern = "^(versions(,|$)|,)*$", description = "`versions`: with the five highest versions"),
    ),
    responses(
        (status = 200, body = CrateDownloads, description = "The counts; days without downloads are omitted"),
        (status = 400, body = Errors, description = "A parameter cannot be read"),
        (status = 404, body = Errors, description = "There is no such crate in the index"),
    )
)]
pub async fn of_crate(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    query: QueryParameters,
) -> Result<Json<CrateDownloads>, ApiError> {
    let name = crate_name(&name)?;
    let with_versions = query.words("include", &["versions"])?.is_some_and(|words| !words.is_empty());
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| {
        let krate = shown_crate(connection, &name)?;
        let versions = version_details::highest_first(connection, krate.row.id)?;
        let highest: Vec<i32> = versions.iter().take(SINGLE_VERSIONS).map(|one| one.id).collect();
        let versions = match with_versions {
            true => Some(version_details::by_ids(connection, &highest, Features::LeftOut)?),
            false => None,
        };
        let view = |version| VersionView::new(version, &base_url);
        let now = Utc::now();
        let counts = downloads::of_versions(connection, &highest, now)?;
        let others = downloads::of_other_versions(connection, krate.row.id, &highest, now)?;
        Ok::<_, ApiError>(Json(CrateDownloads {
            version_downloads: counts.into_iter().map(Into::into).collect(),
            versions: versions.map(|versions| versions.into_iter().map(view).collect()),
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
    params(
        VersionPath,
        ("before_date" = Option<NaiveDate>, Query, description = "The last day of the counts; today by default"),
    ),
    responses(
        (status = 200, body = DownloadsOfVersion, description = "The counts; days without downloads are omitted"),
        (status = 400, body = Errors, description = "A parameter cannot be read"),
        (status = 404, body = Errors, description = "There is no such version"),
    )
)]
pub async fn of_version(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
    query: QueryParameters,
) -> Result<Json<DownloadsOfVersion>, ApiError> {
    let (name, num) = crate_and_version(&name, &num)?;
    let before_date = before_date(&query)?;
    app.with_connection(move |connection| {
        let version = version_id(connection, &name, &num)?;
        let counts = match before_date {
            Some(day) => downloads::of_version_until(connection, version, day)?,
            None => downloads::of_versions(connection, &[version], Utc::now())?,
        };
        let version_downloads = counts.into_iter().map(Into::into).collect();
        Ok::<_, ApiError>(Json(DownloadsOfVersion { version_downloads }))
    })
    .await
}

fn before_date(query: &QueryParameters) -> Result<Option<NaiveDate>, ApiError> {
    const WHAT: &str = "a day such as 2030-01-31";
    let day: Option<NaiveDate> = query.parsed("before_date", WHAT)?;
    // The database has no days that are much earlier or later.
    if day.is_some_and(|day| !(1..10_000).contains(&day.year())) {
        return Err(refused("before_date", query.get("before_date").unwrap_or_default(), WHAT));
    }
    Ok(day)
}
