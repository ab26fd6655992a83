//! `GET /api/v1/crates/{crate}/{version}` and what is told of a version below it.

use axum::Json;
use axum::extract::State;
use diesel::PgConnection;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ApiPath, crate_name, no_such_crate, no_such_version, version};
use crate::database::catalog::rows::{self, CountedVersion, Features};
use crate::database::catalog::{crates, dependencies, versions};
use crate::package::characters::harmless;
use crate::package::{CrateName, Version};
use crate::web::extract::path::VersionPath;
use crate::web::views::{DependencyView, Errors, VersionView};
use crate::web::{ApiError, App};

/// A version.
#[derive(Serialize, ToSchema)]
pub struct VersionAnswer {
    version: VersionView,
}

/// Show a version, and where it stands
///
/// Also of a version that was accepted and is not in the index yet. The registry's own fields stand beside those of
/// crates.io: `state`, `desired_yanked`, `published_at` and `index_commit`.
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
    let (name, num) = named(&name, &num)?;
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| {
        let version = VersionView::new(find(connection, &name, &num)?, &base_url);
        Ok::<_, ApiError>(Json(VersionAnswer { version }))
    })
    .await
}

/// What a version depends upon.
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
        (status = 200, body = Dependencies, description = "The dependencies in the manifest's order"),
        (status = 404, body = Errors, description = "There is no such version"),
    )
)]
pub async fn dependencies(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Json<Dependencies>, ApiError> {
    let (name, num) = named(&name, &num)?;
    app.with_connection(move |connection| {
        let version = find_id(connection, &name, &num)?;
        let stored = dependencies::of_version(connection, version)?;
        let dependencies = stored.into_iter().map(|one| DependencyView::new(one, 0)).collect();
        Ok::<_, ApiError>(Json(Dependencies { dependencies }))
    })
    .await
}

/// Who wrote a version.
#[derive(Serialize, ToSchema)]
pub struct Authors {
    /// Always empty.
    #[schema(value_type = Vec<String>)]
    users: [(); 0],
    meta: AuthorNames,
}

/// The authors as the manifest names them.
#[derive(Serialize, ToSchema)]
pub struct AuthorNames {
    names: Vec<String>,
}

/// List the authors that the manifest of a version names
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
    let (name, num) = named(&name, &num)?;
    app.with_connection(move |connection| {
        let names = find(connection, &name, &num)?.about.authors.unwrap_or_default();
        let names = names.into_iter().map(harmless).collect();
        Ok::<_, ApiError>(Json(Authors { users: [], meta: AuthorNames { names } }))
    })
    .await
}

/// Name and version of a path.
pub(super) fn named(name: &str, num: &str) -> Result<(CrateName, Version), ApiError> {
    let name = crate_name(name)?;
    let num = version(&name, num)?;
    Ok((name, num))
}

/// The id of exactly this version.
pub(super) fn find_id(connection: &mut PgConnection, name: &CrateName, num: &Version) -> Result<i32, ApiError> {
    let krate = crates::find(connection, name)?.ok_or_else(|| no_such_crate(name.as_str()))?;
    let found = versions::find(connection, krate.id, num)?.filter(|found| found.num == *num);
    let found = found.ok_or_else(|| no_such_version(&krate.name, &num.to_string()))?;
    match found.deletion_reason {
        Some(reason) => {
            Err(ApiError::not_found(format!("`{}@{num}` was deleted from this registry: {reason}", krate.name)))
        }
        None => Ok(found.id),
    }
}

fn find(connection: &mut PgConnection, name: &CrateName, num: &Version) -> Result<CountedVersion, ApiError> {
    let id = find_id(connection, name, num)?;
    let found = rows::versions(connection, &[id], Features::Included)?.pop();
    found.ok_or_else(|| no_such_version(name, &num.to_string()))
}
