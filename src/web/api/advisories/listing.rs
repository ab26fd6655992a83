//! `GET /api/v1/advisories`, and those about one crate or version of this registry.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::advisory::policy::Actions;
use crate::database::advisories::known::{self, Known};
use crate::database::advisories::own::{self, OWN};
use crate::database::advisories::search::Search;
use crate::database::search::Page;
use crate::package::{CrateName, Version};
use crate::web::extract::path::{ApiPath, CratePath, VersionPath, crate_and_version, crate_name};
use crate::web::extract::query::QueryParameters;
use crate::web::lookup::{shown_crate, version_id};
use crate::web::views::{AdvisoriesView, Errors, PageMeta};
use crate::web::{ApiError, App};

/// A page of advisories.
#[derive(Serialize, ToSchema)]
pub struct ListedAdvisories {
    #[serde(flatten)]
    listed: AdvisoriesView,
    meta: PageMeta,
}

/// Which advisories to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct AdvisoriesQuery {
    /// Only those with this text in the id, the title or the crate's name, whose case is ignored.
    q: Option<String>,
    #[param(minimum = 1, maximum = 1_000_000, default = 1)]
    page: Option<u32>,
    #[param(minimum = 1, maximum = 100, default = 50)]
    per_page: Option<u32>,
}

/// List the advisories of this registry about its own crates
///
/// Those that are not withdrawn, the newest id first.
#[utoipa::path(
    get,
    path = "/api/v1/advisories",
    tag = "advisories",
    params(AdvisoriesQuery),
    responses(
        (status = 200, body = ListedAdvisories, description = "A page of advisories"),
        (status = 400, body = Errors, description = "A parameter cannot be read"),
    )
)]
pub async fn list(State(app): State<App>, query: QueryParameters) -> Result<Json<ListedAdvisories>, ApiError> {
    let pagination = query.pagination_of(50)?;
    let Page { limit, offset } = pagination.page();
    let text = query.text("q").unwrap_or_default().trim().chars().take(200).collect();
    let search = Search { text, upstream: Some(OWN.to_owned()) };
    let found = app.with_connection(move |connection| {
        Ok::<_, ApiError>((search.page(connection, limit, offset)?, search.total(connection)?))
    });
    let (rows, total) = found.await?;
    Ok(Json(ListedAdvisories { listed: view(&app, rows, None)?, meta: pagination.meta(total, &query) }))
}

/// List the advisories about a crate
///
/// Those of this registry that are not withdrawn. A crate that was deleted may have some.
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/advisories",
    tag = "advisories",
    params(CratePath),
    responses(
        (status = 200, body = AdvisoriesView, description = "The advisories"),
        (status = 404, body = Errors, description = "There is no such crate in the index, and no advisory about it"),
    )
)]
pub async fn of_crate(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
) -> Result<Json<AdvisoriesView>, ApiError> {
    let name = crate_name(&name)?;
    let found = app.with_connection(move |connection| {
        if !own::any_about(connection, &name.canonical())? {
            shown_crate(connection, &name)?;
        }
        Ok::<_, ApiError>(known::of_own_crate(connection, &name)?)
    });
    Ok(Json(view(&app, found.await?, None)?))
}

/// List the advisories that affect a version
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}/{version}/advisories",
    tag = "advisories",
    params(VersionPath),
    responses(
        (status = 200, body = AdvisoriesView, description = "The advisories of this registry that are not withdrawn"),
        (status = 404, body = Errors, description = "There is no such version"),
    )
)]
pub async fn of_version(
    State(app): State<App>,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Json<AdvisoriesView>, ApiError> {
    let (name, num): (CrateName, Version) = crate_and_version(&name, &num)?;
    let wanted = num.clone();
    let found = app.with_connection(move |connection| {
        version_id(connection, &name, &wanted)?;
        Ok::<_, ApiError>(known::of_own_crate(connection, &name)?)
    });
    Ok(Json(view(&app, found.await?, Some(&num))?))
}

/// Nothing is done about versions of this registry.
fn view(app: &App, rows: Vec<Known>, version: Option<&Version>) -> Result<AdvisoriesView, ApiError> {
    AdvisoriesView::of(rows, version, (&Actions::default(), &app.settings.origin())).map_err(ApiError::internal)
}
