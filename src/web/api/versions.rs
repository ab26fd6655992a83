//! `GET /api/v1/crates/{crate}/versions`: lists the versions of a crate.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use strum::{EnumString, VariantNames};
use utoipa::ToSchema;

use crate::database::catalog::version_details::{self, Features};
use crate::web::extract::path::{ApiPath, CratePath, crate_name};
use crate::web::extract::query::{MAX_PER_PAGE, QueryParameters};
use crate::web::lookup::{highest_first, shown_crate};
use crate::web::views::{Errors, PageMeta, VersionView};
use crate::web::{ApiError, App};

/// A page of versions, with empty `features`.
#[derive(Serialize, ToSchema)]
pub struct VersionsPage {
    versions: Vec<VersionView>,
    meta: PageMeta,
}

/// The order of versions.
#[derive(EnumString, VariantNames, ToSchema)]
#[strum(serialize_all = "kebab-case")]
#[schema(rename_all = "kebab-case")]
pub enum VersionsSort {
    /// By version, the highest first.
    Semver,
    /// By date, the newest first.
    Date,
}

/// List the versions of a crate
///
/// Lists the versions that the index shows, without their features; a single version is shown with them.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/versions",
    tag = "versions",
    params(
        CratePath,
        ("sort" = Option<VersionsSort>, Query, description = "The order: semver (the default, the highest first) or date (the newest first)"),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Items on a page; 100 by default"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000, description = "The page; 1 by default"),
    ),
    responses(
        (status = 200, body = VersionsPage, description = "A page of versions"),
        (status = 400, body = Errors, description = "A parameter cannot be read"),
        (status = 404, body = Errors, description = "There is no such crate in the index"),
    )
)]
pub async fn list(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    query: QueryParameters,
) -> Result<Json<VersionsPage>, ApiError> {
    let name = crate_name(&name)?;
    let by_date = query.choice("sort")?.is_some_and(|sort| matches!(sort, VersionsSort::Date));
    let pagination = query.pagination_of(MAX_PER_PAGE)?;
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| {
        let krate = shown_crate(connection, &name)?;
        let mut versions = version_details::shown(connection, krate.row.id)?;
        if !by_date {
            versions = highest_first(versions);
        }
        let meta = pagination.meta(i64::try_from(versions.len()).unwrap_or(i64::MAX), &query);
        let page = pagination.page();
        let number = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        let page = versions.into_iter().map(|(id, _)| id).skip(number(page.offset)).take(number(page.limit));
        let versions = version_details::by_ids(connection, &page.collect::<Vec<_>>(), Features::LeftOut)?;
        let versions = versions.into_iter().map(|version| VersionView::new(version, &base_url)).collect();
        Ok::<_, ApiError>(Json(VersionsPage { versions, meta }))
    })
    .await
}
