//! `GET /api/v1/crates/{crate}/{version}`, and a version's dependencies and authors.

use axum::Json;
use axum::extract::State;
use diesel::PgConnection;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::catalog::dependencies;
use crate::database::catalog::version_details::{self, CountedVersion, Features};
use crate::package::characters::harmless;
use crate::package::{CrateName, Version};
use crate::web::extract::path::{ApiPath, VersionPath, crate_and_version};
use crate::web::lookup::{no_such_version, version_id};
use crate::web::views::{DependencyView, Errors, VersionView};
use crate::web::{ApiError, App};

/// A version.
#[derive(Serialize, ToSchema)]
pub struct VersionAnswer {
    version: VersionView,
}

/// Show a version and its state
///
/// Shows versions that were accepted and are not in the index yet as well. Besides the fields of crates.io there are `state`,
/// `desired_yanked`, `published_at` and `index_commit`.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}",
    tag = "versions",
    params(VersionPath),
    responses(
        (status = 200, body = VersionAnswer, description = "The version"),
        (status = 404, body = Errors, description = "There is no such version"),
    )
)]
pub async fn show(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Json<VersionAnswer>, ApiError> {
    let (name, num) = crate_and_version(&name, &num)?;
    answer(&app, name, num).await
}

/// The answer that shows a version.
pub(super) async fn answer(app: &App, name: CrateName, num: Version) -> Result<Json<VersionAnswer>, ApiError> {
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| {
        let version = VersionView::new(find(connection, &name, &num)?, &base_url);
        Ok::<_, ApiError>(Json(VersionAnswer { version }))
    })
    .await
}

/// The dependencies of a version.
#[derive(Serialize, ToSchema)]
pub struct Dependencies {
    dependencies: Vec<DependencyView>,
}

/// List the dependencies of a version
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}/dependencies",
    tag = "versions",
    params(VersionPath),
    responses(
        (status = 200, body = Dependencies, description = "The dependencies, in the order of the manifest"),
        (status = 404, body = Errors, description = "There is no such version"),
    )
)]
pub async fn dependencies(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Json<Dependencies>, ApiError> {
    let (name, num) = crate_and_version(&name, &num)?;
    app.with_connection(move |connection| {
        let version = version_id(connection, &name, &num)?;
        let stored = dependencies::of_version(connection, version)?;
        let dependencies = stored.into_iter().map(|one| DependencyView::new(one, 0)).collect();
        Ok::<_, ApiError>(Json(Dependencies { dependencies }))
    })
    .await
}

/// The authors of a version.
#[derive(Serialize, ToSchema)]
pub struct Authors {
    /// Always empty.
    #[schema(value_type = Vec<String>)]
    users: [(); 0],
    meta: AuthorNames,
}

/// The authors' names in the manifest.
#[derive(Serialize, ToSchema)]
pub struct AuthorNames {
    names: Vec<String>,
}

/// List the authors of a version
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}/authors",
    tag = "versions",
    params(VersionPath),
    responses(
        (status = 200, body = Authors, description = "The authors"),
        (status = 404, body = Errors, description = "There is no such version"),
    )
)]
pub async fn authors(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Json<Authors>, ApiError> {
    let (name, num) = crate_and_version(&name, &num)?;
    app.with_connection(move |connection| {
        let names = find(connection, &name, &num)?.about.authors.unwrap_or_default();
        let names = names.into_iter().map(harmless).collect();
        Ok::<_, ApiError>(Json(Authors { users: [], meta: AuthorNames { names } }))
    })
    .await
}

fn find(connection: &mut PgConnection, name: &CrateName, num: &Version) -> Result<CountedVersion, ApiError> {
    let id = version_id(connection, name, num)?;
    let found = version_details::by_ids(connection, &[id], Features::Included)?.pop();
    found.ok_or_else(|| no_such_version(name, &num.to_string()))
}
