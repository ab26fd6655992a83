//! `GET /api/v1/crates/{crate}/reverse_dependencies`: lists the dependents of a crate.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::catalog::crate_details;
use crate::database::catalog::dependencies::StoredDependency;
use crate::database::catalog::dependents;
use crate::database::catalog::version_details::{self, Features};
use crate::database::search::Page;
use crate::web::extract::path::{ApiPath, CratePath, crate_name};
use crate::web::extract::query::QueryParameters;
use crate::web::lookup::shown_crate;
use crate::web::views::{DependencyView, Errors, PageMeta, VersionView};
use crate::web::{ApiError, App};

/// The dependents of a crate.
#[derive(Serialize, ToSchema)]
pub struct ReverseDependencies {
    /// One dependency of each dependent, the most downloaded dependent first.
    dependencies: Vec<DependencyView>,
    /// The versions that have these dependencies, without their features.
    versions: Vec<VersionView>,
    meta: PageMeta,
}

/// List the crates that depend on a crate
///
/// Lists crates of this registry whose default version depends on the crate.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/reverse_dependencies",
    tag = "crates",
    params(
        CratePath,
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Items on a page; 10 by default"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000, description = "The page; 1 by default"),
    ),
    responses(
        (status = 200, body = ReverseDependencies, description = "A page of dependents"),
        (status = 400, body = Errors, description = "A parameter cannot be read"),
        (status = 404, body = Errors, description = "There is no such crate in the index"),
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
        let (found, total) = dependents::of_default_versions(connection, &krate.row.name, limit, offset)?;
        let version_ids: Vec<i32> = found.iter().map(|one| one.version_id).collect();
        let versions = version_details::by_ids(connection, &version_ids, Features::LeftOut)?;
        let crate_ids: Vec<i32> = versions.iter().map(|version| version.row.crate_id).collect();
        let downloads: HashMap<i32, i64> =
            crate_details::by_ids(connection, &crate_ids)?.into_iter().map(|one| (one.row.id, one.downloads)).collect();
        let of_version: HashMap<i32, i64> = versions
            .iter()
            .map(|version| (version.row.id, downloads.get(&version.row.crate_id).copied().unwrap_or(0)))
            .collect();
        let view = |mut one: StoredDependency| {
            // The dependent may use another spelling.
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
