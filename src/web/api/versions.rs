//! `GET /api/v1/crates/{crate}/versions`.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::path::CratePath;
use super::query::QueryParameters;
use super::{ApiPath, crate_name, shown_crate};
use crate::database::rows::{self, CountedVersion, Versions};
use crate::web::views::{Errors, PageMeta, VersionView};
use crate::web::{ApiError, App};

/// Versions of a crate.
#[derive(Serialize, ToSchema)]
pub struct VersionsPage {
    versions: Vec<VersionView>,
    meta: PageMeta,
}

/// The order of versions.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VersionsSort {
    /// The highest first.
    Semver,
    /// The one accepted last first.
    Date,
}

/// List the versions of a crate
///
/// Those that the index shows: all of them, unless `per_page` or `page` is given.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/versions",
    tag = "versions",
    params(
        CratePath,
        ("sort" = Option<VersionsSort>, Query, description = "semver (the default: the highest first) or date (the last first)"),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100, description = "10 if there is a page"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000, description = "1 if per_page is given"),
    ),
    responses(
        (status = 200, body = VersionsPage, description = "The versions"),
        (status = 400, body = Errors, description = "A parameter can't be read"),
        (status = 404, body = Errors, description = "There is no such crate, or the index does not show it yet"),
    )
)]
pub async fn list(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    query: QueryParameters,
) -> Result<Json<VersionsPage>, ApiError> {
    let name = crate_name(&name)?;
    let by_date = query.choice("sort", "semver or date")?.is_some_and(|sort| matches!(sort, VersionsSort::Date));
    let pagination = query.pagination()?;
    let paged = query.get("per_page").or(query.get("page")).is_some();
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| {
        let krate = shown_crate(connection, &name)?;
        let mut versions = rows::versions(connection, Versions::OfCrate(krate.row.id))?;
        if !by_date {
            versions = by_number(versions);
        }
        let total = versions.len();
        let mut meta = pagination.meta(i64::try_from(total).unwrap_or(i64::MAX), &query);
        let page = pagination.page();
        let (skipped, taken) = if paged {
            (usize::try_from(page.offset).unwrap_or(usize::MAX), usize::try_from(page.limit).unwrap_or(usize::MAX))
        } else {
            (meta.next_page, meta.prev_page) = (None, None);
            (0, total)
        };
        let versions = versions.into_iter().skip(skipped).take(taken);
        let versions = versions.map(|version| VersionView::new(version, &base_url)).collect();
        Ok::<_, ApiError>(Json(VersionsPage { versions, meta }))
    })
    .await
}

/// The highest first.
pub(super) fn by_number(mut versions: Vec<CountedVersion>) -> Vec<CountedVersion> {
    versions.sort_by(|one, other| Reverse(&one.row.num).cmp(&Reverse(&other.row.num)));
    versions
}
