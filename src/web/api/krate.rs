//! `GET /api/v1/crates/{crate}`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::versions::by_number;
use super::{ApiPath, crate_name, shown_crate};
use crate::database::catalog::rows::{self, Features};
use crate::database::catalog::topics::{self, Kind};
use crate::web::extract::path::CratePath;
use crate::web::extract::query::{QueryParameters, refused};
use crate::web::views::{CategoryView, CrateView, Errors, KeywordView, VersionView};
use crate::web::{ApiError, App};

/// Versions that are told with a crate.
const TOLD: usize = 100;

/// A crate and what is told with it.
#[derive(Serialize, ToSchema)]
pub struct CrateAnswer {
    #[serde(rename = "crate")]
    krate: CrateView,
    /// The hundred highest, the highest first, without their features. Where there are more, `links.versions` of the crate
    /// leads to all of them.
    versions: Option<Vec<VersionView>>,
    keywords: Option<Vec<KeywordView>>,
    categories: Option<Vec<CategoryView>>,
}

/// A part of the query, for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the description is all there is to it")]
pub struct IncludeParameter {
    /// What is told with the crate, separated by commas; versions, keywords and categories unless given.
    #[param(pattern = "^((versions|keywords|categories|badges|downloads|default_version|full)(,|$))*$")]
    include: Option<String>,
}

/// What is told with a crate.
#[derive(Clone, Copy, Default)]
struct Include {
    versions: bool,
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
        (status = 400, body = Errors, description = "A parameter can't be read"),
        (status = 404, body = Errors, description = "There is no such crate, or the index does not show it yet"),
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
        let mut all_told = true;
        let versions = match include.versions {
            true => {
                let shown = by_number(rows::shown_versions(connection, krate.row.id)?);
                all_told = shown.len() <= TOLD;
                let told: Vec<i32> = shown.into_iter().take(TOLD).map(|(id, _)| id).collect();
                Some(rows::versions(connection, &told, Features::LeftOut)?)
            }
            false => None,
        };
        let mut topics = |kind, names: &[String]| topics::find(connection, kind, names);
        let keywords = include.keywords.then(|| topics(Kind::Keywords, &krate.row.keywords)).transpose()?;
        let categories = include.categories.then(|| topics(Kind::Categories, &krate.row.categories)).transpose()?;
        let names = |wanted: bool, names: &[String]| wanted.then(|| names.to_vec());
        let (keyword_ids, category_ids) =
            (names(include.keywords, &krate.row.keywords), names(include.categories, &krate.row.categories));
        let version_ids = versions.as_ref().map(|versions| versions.iter().map(|version| version.row.id).collect());
        let view = |version| VersionView::new(version, &base_url);
        Ok::<_, ApiError>(Json(CrateAnswer {
            krate: CrateView::new(krate).with((version_ids, all_told), keyword_ids, category_ids),
            versions: versions.map(|versions| versions.into_iter().map(view).collect()),
            keywords: keywords.map(|all| all.into_iter().map(Into::into).collect()),
            categories: categories.map(|all| all.into_iter().map(Into::into).collect()),
        }))
    })
    .await
}

/// Show the crate that is called `new`
///
/// Which is also where crates are published.
#[utoipa::path(
    get,
    path = "/api/v1/crates/new",
    tag = "crates",
    params(IncludeParameter),
    responses(
        (status = 200, body = CrateAnswer, description = "The crate"),
        (status = 400, body = Errors, description = "A parameter can't be read"),
        (status = 404, body = Errors, description = "There is no such crate, or the index does not show it yet"),
    )
)]
pub async fn show_new(state: State<App>, query: QueryParameters) -> Result<Json<CrateAnswer>, ApiError> {
    show(state, ApiPath("new".to_owned()), query).await
}

fn include(query: &QueryParameters) -> Result<Include, ApiError> {
    let Some(text) = query.get("include") else {
        return Ok(Include { versions: true, keywords: true, categories: true });
    };
    let mut include = Include::default();
    for part in text.split(',').map(str::trim) {
        match part {
            "versions" => include.versions = true,
            "keywords" => include.keywords = true,
            "categories" => include.categories = true,
            "full" => include = Include { versions: true, keywords: true, categories: true },
            // Told always, or never.
            "" | "downloads" | "default_version" | "badges" => {}
            other => return Err(refused("include", other, "made of versions, keywords, categories and downloads")),
        }
    }
    Ok(include)
}
