//! `GET /api/v1/crates`: searches and lists crates.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use strum::{EnumString, VariantNames};
use utoipa::ToSchema;

use crate::database::catalog::crate_details;
use crate::database::search::query::SearchText;
use crate::database::search::{self, Filter, SearchQuery, Sort};
use crate::web::extract::query::QueryParameters;
use crate::web::views::{CrateView, Errors, PageMeta};
use crate::web::{ApiError, App};

/// One page of crates.
#[derive(Serialize, ToSchema)]
pub struct CratesPage {
    crates: Vec<CrateView>,
    meta: PageMeta,
}

/// Search or list crates
///
/// Only crates that the index shows are found. Crates of which all versions are yanked are found as well and have `yanked` set.
#[utoipa::path(
    get,
    path = "/api/v1/crates",
    tag = "crates",
    params(
        ("q" = Option<String>, Query, description = "A name, a part of a name, or words; all crates are listed without it"),
        ("sort" = Option<CratesSort>, Query, description = "The order; relevance by default with q, alpha without"),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Items on a page; 10 by default"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000, description = "The page; 1 by default"),
        ("keyword" = Option<String>, Query, description = "Only crates with this keyword"),
        ("category" = Option<String>, Query, description = "Only crates of the category with this slug"),
        ("user_id" = Option<i32>, Query, description = "Only crates owned by the user with this id"),
        ("ids[]" = Option<Vec<String>>, Query, description = "Only crates with these names; may be repeated"),
    ),
    responses((status = 200, body = CratesPage, description = "A page"), (status = 400, body = Errors, description = "A parameter cannot be read"))
)]
pub async fn list(State(app): State<App>, query: QueryParameters) -> Result<Json<CratesPage>, ApiError> {
    let pagination = query.pagination()?;
    let text = query.text("q").filter(|text| !text.trim().is_empty());
    let search =
        SearchQuery { text: text.as_deref().and_then(SearchText::parse), filter: filter(&query)?, sort: sort(&query)? };
    let (totals, base_url) = (app.totals.clone(), app.settings.base_url.clone());
    app.with_connection(move |connection| {
        let found = search::search(connection, &search, pagination.page(), &totals)?;
        let name = search.text.as_ref().and_then(|text| text.name.as_deref());
        let crates = crate_details::by_ids(connection, &found.crate_ids)?;
        let crates = crates.into_iter().map(|one| CrateView::new(one, &base_url).exact_match(name)).collect();
        Ok::<_, ApiError>(Json(CratesPage { crates, meta: pagination.meta(found.total, &query) }))
    })
    .await
}

fn filter(query: &QueryParameters) -> Result<Filter, ApiError> {
    let lower = |name| query.text(name).map(|text| text.to_lowercase());
    let names = query.texts("ids[]");
    Ok(Filter {
        keyword: lower("keyword"),
        category: lower("category"),
        names: (!names.is_empty()).then_some(names),
        owner: query.parsed("user_id", "a user id")?,
    })
}

/// The order of a list of crates.
#[derive(EnumString, VariantNames, ToSchema)]
#[strum(serialize_all = "kebab-case")]
#[schema(rename_all = "kebab-case")]
pub enum CratesSort {
    Relevance,
    #[strum(to_string = "alpha", serialize = "alphabetical")]
    Alpha,
    Downloads,
    RecentDownloads,
    RecentUpdates,
    New,
}

fn sort(query: &QueryParameters) -> Result<Sort, ApiError> {
    Ok(match query.choice("sort")? {
        None | Some(CratesSort::Relevance) => Sort::Relevance,
        Some(CratesSort::Alpha) => Sort::Alphabetical,
        Some(CratesSort::Downloads) => Sort::Downloads,
        Some(CratesSort::RecentDownloads) => Sort::RecentDownloads,
        Some(CratesSort::RecentUpdates) => Sort::RecentUpdates,
        Some(CratesSort::New) => Sort::New,
    })
}
