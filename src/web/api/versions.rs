//! `GET /api/v1/crates/{crate}/versions`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ApiPath, crate_name, shown_crate};
use crate::database::catalog::rows::{self, Features};
use crate::package::Version;
use crate::web::extract::path::CratePath;
use crate::web::extract::query::{MOST_PER_PAGE, QueryParameters};
use crate::web::views::{Errors, PageMeta, VersionView};
use crate::web::{ApiError, App};

/// Versions of a crate, `features` empty.
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
/// Those that the index shows, in pages, and without their features, which each version alone is shown with.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/versions",
    tag = "versions",
    params(
        CratePath,
        ("sort" = Option<VersionsSort>, Query, description = "semver (the default: the highest first) or date (the last first)"),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100, description = "100 unless given"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000, description = "1 unless given"),
    ),
    responses(
        (status = 200, body = VersionsPage, description = "A page of versions"),
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
    let pagination = query.pagination_of(MOST_PER_PAGE)?;
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| {
        let krate = shown_crate(connection, &name)?;
        let mut versions = rows::shown_versions(connection, krate.row.id)?;
        if !by_date {
            versions = by_number(versions);
        }
        let meta = pagination.meta(i64::try_from(versions.len()).unwrap_or(i64::MAX), &query);
        let page = pagination.page();
        let number = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        let page = versions.into_iter().map(|(id, _)| id).skip(number(page.offset)).take(number(page.limit));
        let versions = rows::versions(connection, &page.collect::<Vec<_>>(), Features::LeftOut)?;
        let versions = versions.into_iter().map(|version| VersionView::new(version, &base_url)).collect();
        Ok::<_, ApiError>(Json(VersionsPage { versions, meta }))
    })
    .await
}

/// The highest first.
pub(super) fn by_number(mut versions: Vec<(i32, Version)>) -> Vec<(i32, Version)> {
    versions.sort_by(|(_, one), (_, other)| other.cmp(one));
    versions
}
