//! `GET /api/v1/crates/{crate}`: shows a crate.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::database::catalog::topics::{self, Kind};
use crate::database::catalog::version_details::{self, Features};
use crate::web::extract::path::{ApiPath, CratePath, crate_name};
use crate::web::extract::query::QueryParameters;
use crate::web::lookup::shown_crate;
use crate::web::views::{CategoryView, CrateView, Errors, KeywordView, VersionView};
use crate::web::{ApiError, App};

/// Versions that are included in a crate at most.
const MAX_VERSIONS: usize = 100;

/// A crate, and what is included with it.
#[derive(Serialize, ToSchema)]
pub struct CrateAnswer {
    #[serde(rename = "crate")]
    krate: CrateView,
    /// At most 100 versions, the highest first, without their features. If there are more, `links.versions` of the crate
    /// leads to all of them. With `include=default_version` alone, that version.
    versions: Option<Vec<VersionView>>,
    keywords: Option<Vec<KeywordView>>,
    categories: Option<Vec<CategoryView>>,
}

/// Describes the query.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a part of the API's description only")]
pub struct IncludeParameter {
    /// What to include, separated by commas; `versions,keywords,categories` by default.
    #[param(pattern = "^((versions|keywords|categories|badges|downloads|default_version|full)(,|$))*$")]
    include: Option<String>,
}

/// What is included with a crate.
#[derive(Clone, Copy, Default)]
struct Include {
    versions: bool,
    default_version: bool,
    keywords: bool,
    categories: bool,
}

/// Show a crate
#[utoipa::path(
    get,
    path = "/api/v1/crates/{crate}",
    tag = "crates",
    params(
        CratePath,
        IncludeParameter
    ),
    responses(
        (status = 200, body = CrateAnswer, description = "The crate"),
        (status = 400, body = Errors, description = "A parameter cannot be read"),
        (status = 404, body = Errors, description = "There is no such crate in the index"),
    )
)]
pub async fn show(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
    query: QueryParameters,
) -> Result<Json<CrateAnswer>, ApiError> {
    let name = crate_name(&name)?;
    let include = include(&query)?;
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| {
        let krate = shown_crate(connection, &name)?;
        let mut is_complete = true;
        let included: Option<Vec<i32>> = if include.versions {
            let shown = version_details::highest_first(connection, krate.row.id)?;
            is_complete = shown.len() <= MAX_VERSIONS;
            Some(shown.into_iter().take(MAX_VERSIONS).map(|one| one.id).collect())
        } else {
            include.default_version.then(|| krate.row.default_version_id.into_iter().collect())
        };
        let versions = included.map(|ids| version_details::by_ids(connection, &ids, Features::LeftOut)).transpose()?;
        let mut topics = |kind, names: &[String]| topics::find(connection, kind, names);
        let keywords = include.keywords.then(|| topics(Kind::Keywords, &krate.row.keywords)).transpose()?;
        let categories = include.categories.then(|| topics(Kind::Categories, &krate.row.categories)).transpose()?;
        let names = |included: bool, names: &[String]| included.then(|| names.to_vec());
        let (keyword_ids, category_ids) =
            (names(include.keywords, &krate.row.keywords), names(include.categories, &krate.row.categories));
        let ids = versions.as_ref().filter(|_| include.versions);
        let version_ids = ids.map(|versions| versions.iter().map(|version| version.row.id).collect());
        let view = |version| VersionView::new(version, &base_url);
        Ok::<_, ApiError>(Json(CrateAnswer {
            krate: CrateView::new(krate, &base_url).with((version_ids, is_complete), keyword_ids, category_ids),
            versions: versions.map(|versions| versions.into_iter().map(view).collect()),
            keywords: keywords.map(|all| all.into_iter().map(Into::into).collect()),
            categories: categories.map(|all| all.into_iter().map(Into::into).collect()),
        }))
    })
    .await
}

/// Show the crate named `new`
///
/// PUT to the same path publishes a crate.
#[utoipa::path(
    get,
    path = "/api/v1/crates/new",
    tag = "crates",
    params(IncludeParameter),
    responses(
        (status = 200, body = CrateAnswer, description = "The crate"),
        (status = 400, body = Errors, description = "A parameter cannot be read"),
        (status = 404, body = Errors, description = "There is no such crate in the index"),
    )
)]
pub async fn show_new(state: State<App>, query: QueryParameters) -> Result<Json<CrateAnswer>, ApiError> {
    show(state, ApiPath("new".to_owned()), query).await
}

fn include(query: &QueryParameters) -> Result<Include, ApiError> {
    const ALL: Include = Include { versions: true, default_version: true, keywords: true, categories: true };
    let allowed = ["versions", "keywords", "categories", "downloads", "default_version", "badges", "full"];
    let Some(parts) = query.words("include", &allowed)? else { return Ok(ALL) };
    let mut include = Include::default();
    for part in parts {
        match part {
            "versions" => include.versions = true,
            "default_version" => include.default_version = true,
            "keywords" => include.keywords = true,
            "categories" => include.categories = true,
            "full" => include = ALL,
            // Downloads are always included, and there are no badges.
            _ => {}
        }
    }
    Ok(include)
}
