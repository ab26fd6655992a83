//! `GET /api/v1/crates/{crate}/reverse_dependencies`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ApiPath, crate_name, shown_crate};
use crate::database::catalog::dependencies;
use crate::database::catalog::rows::{self, Features};
use crate::database::search::Page;
use crate::web::extract::path::CratePath;
use crate::web::extract::query::QueryParameters;
use crate::web::views::{DependencyView, Errors, PageMeta, VersionView};
use crate::web::{ApiError, App};

/// Who depends on a crate.
#[derive(Serialize, ToSchema)]
pub struct ReverseDependencies {
    /// One of each dependent, the most downloaded dependent first.
    dependencies: Vec<DependencyView>,
    /// The versions that have them, without their features.
    versions: Vec<VersionView>,
    meta: PageMeta,
}

/// List the crates that depend on a crate
///
/// Those of this registry whose default version does.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/reverse_dependencies",
    tag = "crates",
    params(
        CratePath,
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100, description = "10 unless given"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000, description = "1 unless given"),
    ),
    responses(
        (status = 200, body = ReverseDependencies, description = "A page of dependents"),
        (status = 400, body = Errors, description = "A parameter can't be read"),
        (status = 404, body = Errors, description = "There is no such crate, or the index does not show it yet"),
    )
)]
pub async fn list(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    query: QueryParameters,
) -> Result<Json<ReverseDependencies>, ApiError> {
    let name = crate_name(&name)?;
    let pagination = query.pagination()?;
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| {
        let krate = shown_crate(connection, &name)?;
        let Page { limit, offset } = pagination.page();
        let (found, total) = dependencies::dependents(connection, &krate.row.name, limit, offset)?;
        let version_ids: Vec<i32> = found.iter().map(|one| one.version_id).collect();
        let versions = rows::versions(connection, &version_ids, Features::LeftOut)?;
        let crate_ids: Vec<i32> = versions.iter().map(|version| version.row.crate_id).collect();
        let downloads: HashMap<i32, i64> =
            rows::crates(connection, &crate_ids)?.into_iter().map(|one| (one.row.id, one.downloads)).collect();
        let of_version: HashMap<i32, i64> = versions
            .iter()
            .map(|version| (version.row.id, downloads.get(&version.row.crate_id).copied().unwrap_or(0)))
            .collect();
        let view = |mut one: dependencies::StoredDependency| {
            // Whatever spelling the dependent chose.
            one.name = krate.row.name.to_string();
            let downloads = of_version.get(&one.version_id).copied().unwrap_or(0);
            DependencyView::new(one, downloads)
        };
        Ok::<_, ApiError>(Json(ReverseDependencies {
            dependencies: found.into_iter().map(view).collect(),
            versions: versions.into_iter().map(|version| VersionView::new(version, &base_url)).collect(),
            meta: pagination.meta(total, &query),
        }))
    })
    .await
}
