//! `GET /api/v1/crates`: search and lists.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::database::catalog::rows;
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

/// Search crates, or list them
///
/// Crates whose index shows no version yet are not found; those whose versions are all yanked are, and say so.
#[utoipa::path(
    get,
    path = "/api/v1/crates",
    tag = "crates",
    params(
        ("q" = Option<String>, Query, description = "A name, a part of one, or words; without it all crates are listed"),
        ("sort" = Option<CratesSort>, Query, description = "relevance is the default with q, alpha without"),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100, description = "10 unless given"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000, description = "1 unless given"),
        ("keyword" = Option<String>, Query, description = "Only crates with this keyword"),
        ("category" = Option<String>, Query, description = "Only crates of the category with this slug"),
        ("user_id" = Option<i32>, Query, description = "Only crates of this owner"),
        ("ids[]" = Option<Vec<String>>, Query, description = "Only crates with these names; may stand there several times"),
    ),
    responses((status = 200, body = CratesPage, description = "A page"), (status = 400, body = Errors, description = "A parameter can't be read"))
)]
pub async fn list(State(app): State<App>, query: QueryParameters) -> Result<Json<CratesPage>, ApiError> {
    let pagination = query.pagination()?;
    let text = query.get("q").filter(|text| !text.trim().is_empty());
    let search = SearchQuery { text: text.and_then(SearchText::parse), filter: filter(&query)?, sort: sort(&query)? };
    let totals = app.totals.clone();
    app.with_connection(move |connection| {
        let found = search::search(connection, &search, pagination.page(), &totals)?;
        let name = search.text.as_ref().and_then(|text| text.name.as_deref());
        let crates = rows::crates(connection, &found.crate_ids)?;
        let crates = crates.into_iter().map(|one| CrateView::new(one).exact_match(name)).collect();
        Ok::<_, ApiError>(Json(CratesPage { crates, meta: pagination.meta(found.total, &query) }))
    })
    .await
}

fn filter(query: &QueryParameters) -> Result<Filter, ApiError> {
    let lower = |name| query.get(name).map(str::to_lowercase);
    let names = query.all("ids[]");
    Ok(Filter {
        keyword: lower("keyword"),
        category: lower("category"),
        names: (!names.is_empty()).then_some(names),
        owner: query.number("user_id", "the number of a user")?,
    })
}

/// The order of a list of crates.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CratesSort {
    Relevance,
    #[serde(alias = "alphabetical")]
    Alpha,
    Downloads,
    RecentDownloads,
    RecentUpdates,
    New,
}

fn sort(query: &QueryParameters) -> Result<Sort, ApiError> {
    let words = "relevance, alpha, downloads, recent-downloads, recent-updates or new";
    Ok(match query.choice("sort", words)? {
        None | Some(CratesSort::Relevance) => Sort::Relevance,
        Some(CratesSort::Alpha) => Sort::Alphabetical,
        Some(CratesSort::Downloads) => Sort::Downloads,
        Some(CratesSort::RecentDownloads) => Sort::RecentDownloads,
        Some(CratesSort::RecentUpdates) => Sort::RecentUpdates,
        Some(CratesSort::New) => Sort::New,
    })
}
