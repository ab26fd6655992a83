//! `GET /api/v1/keywords`, `/categories` and `/category_slugs`: list and show keywords and categories.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use strum::{EnumString, VariantNames};
use utoipa::ToSchema;

use crate::database::catalog::topics::{self, Kind, Order, Topic};
use crate::database::search::{Page, categories};
use crate::package::policy::labels;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::shortened::shortened;
use crate::web::views::{CategoryView, Errors, KeywordView, Total, count};
use crate::web::{ApiError, App};

/// A page of keywords.
#[derive(Serialize, ToSchema)]
pub struct KeywordsPage {
    keywords: Vec<KeywordView>,
    meta: Total,
}

/// A keyword.
#[derive(Serialize, ToSchema)]
pub struct KeywordAnswer {
    keyword: KeywordView,
}

/// A page of categories.
#[derive(Serialize, ToSchema)]
pub struct CategoriesPage {
    categories: Vec<CategoryView>,
    meta: Total,
}

/// A category.
#[derive(Serialize, ToSchema)]
pub struct CategoryAnswer {
    category: CategoryView,
}

/// The known categories.
#[derive(Serialize, ToSchema)]
pub struct CategorySlugs {
    category_slugs: Vec<CategorySlug>,
}

/// A category that a crate may name, whether or not one does.
#[derive(Serialize, ToSchema)]
pub struct CategorySlug {
    /// The same as `slug`.
    id: &'static str,
    /// The name in manifests.
    #[schema(example = "web-programming::http-server")]
    slug: &'static str,
    /// Always empty.
    description: &'static str,
}

/// The order of keywords and of categories.
#[derive(EnumString, VariantNames, ToSchema)]
#[strum(serialize_all = "kebab-case")]
#[schema(rename_all = "kebab-case")]
pub enum TopicsSort {
    Alpha,
    /// By the number of crates, the largest first.
    Crates,
}

/// List keywords
#[utoipa::path(
    get,
    path = "/api/v1/keywords",
    tag = "keywords",
    params(
        ("sort" = Option<TopicsSort>, Query, description = "The order: alpha (the default) or crates (most crates first)"),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Items on a page; 10 by default"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000, description = "The page; 1 by default"),
    ),
    responses((status = 200, body = KeywordsPage, description = "A page"), (status = 400, body = Errors, description = "A parameter cannot be read"))
)]
pub async fn keywords(State(app): State<App>, query: QueryParameters) -> Result<Json<KeywordsPage>, ApiError> {
    let (found, total) = list(&app, Kind::Keywords, query).await?;
    Ok(Json(KeywordsPage {
        keywords: found.into_iter().map(Into::into).collect(),
        meta: Total { total: count(total) },
    }))
}

/// Show a keyword
#[utoipa::path(
    get,
    path = "/api/v1/keywords/{keyword}",
    tag = "keywords",
    params(("keyword" = String, Path, description = "The keyword, in any case")),
    responses((status = 200, body = KeywordAnswer, description = "The keyword"), (status = 404, body = Errors, description = "No crate has it"))
)]
pub async fn keyword(State(app): State<App>, ApiPath(name): ApiPath<String>) -> Result<Json<KeywordAnswer>, ApiError> {
    Ok(Json(KeywordAnswer { keyword: find(&app, Kind::Keywords, name).await?.into() }))
}

/// List categories
///
/// Lists the topmost categories; the answer for a single one has its subcategories.
#[utoipa::path(
    get,
    path = "/api/v1/categories",
    tag = "categories",
    params(
        ("sort" = Option<TopicsSort>, Query, description = "The order: alpha (the default) or crates (most crates first)"),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Items on a page; 10 by default"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000, description = "The page; 1 by default"),
    ),
    responses((status = 200, body = CategoriesPage, description = "A page"), (status = 400, body = Errors, description = "A parameter cannot be read"))
)]
pub async fn categories(State(app): State<App>, query: QueryParameters) -> Result<Json<CategoriesPage>, ApiError> {
    let (found, total) = list(&app, Kind::Categories, query).await?;
    let categories = found.into_iter().map(Into::into).collect();
    Ok(Json(CategoriesPage { categories, meta: Total { total: count(total) } }))
}

/// Show a category
///
/// With the categories above it and those one level below it.
#[utoipa::path(
    get,
    path = "/api/v1/categories/{category}",
    tag = "categories",
    params(("category" = String, Path, description = "The slug, in any case")),
    responses((status = 200, body = CategoryAnswer, description = "The category"), (status = 404, body = Errors, description = "No crate has it"))
)]
pub async fn category(
    State(app): State<App>,
    ApiPath(name): ApiPath<String>,
) -> Result<Json<CategoryAnswer>, ApiError> {
    let found = find(&app, Kind::Categories, name).await?;
    app.with_connection(move |connection| {
        let parents = topics::find(connection, Kind::Categories, &categories::ancestors(&found.name))?;
        let children = categories::children(connection, &found.name)?;
        let children = topics::find(connection, Kind::Categories, &children)?;
        let category = CategoryView::from(found).with_family(parents, children);
        Ok::<_, ApiError>(Json(CategoryAnswer { category }))
    })
    .await
}

/// List the known categories
///
/// These are the categories of crates.io. Crates may name others; `/categories` lists those that crates name.
#[utoipa::path(
    get,
    path = "/api/v1/category_slugs",
    tag = "categories",
    responses((status = 200, body = CategorySlugs, description = "The categories, in alphabetical order"))
)]
pub async fn category_slugs() -> Json<CategorySlugs> {
    let slug = |slug| CategorySlug { id: slug, slug, description: "" };
    Json(CategorySlugs { category_slugs: labels::known_categories().map(slug).collect() })
}

async fn list(app: &App, kind: Kind, query: QueryParameters) -> Result<(Vec<Topic>, i64), ApiError> {
    let Page { limit, offset } = query.pagination()?.page();
    let order = match query.choice("sort")? {
        None | Some(TopicsSort::Alpha) => Order::Alphabetical,
        Some(TopicsSort::Crates) => Order::Crates,
    };
    app.with_connection(move |connection| {
        let total = topics::total(connection, kind)?;
        Ok::<_, ApiError>((topics::list(connection, kind, order, limit, offset)?, total))
    })
    .await
}

async fn find(app: &App, kind: Kind, name: String) -> Result<Topic, ApiError> {
    let what = if kind == Kind::Keywords { "keyword" } else { "category" };
    let missing = ApiError::not_found(format!("no crate has the {what} `{}`", shortened(&name)));
    if name.contains('\0') {
        return Err(missing);
    }
    let found = app.with_connection(move |connection| topics::find(connection, kind, &[name.to_lowercase()])).await?;
    found.into_iter().next().ok_or(missing)
}
