//! `GET /api/v1/crates`: searches and lists crates.

mod filter;
mod seek;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use strum::{EnumString, VariantNames};
use utoipa::ToSchema;

use self::filter::filter;
use self::seek::Seek;
use crate::database::catalog::crate_details;
use crate::database::search::query::SearchText;
use crate::database::search::{self, SearchQuery, Sort};
use crate::web::extract::query::{PER_PAGE, QueryParameters};
use crate::web::extract::seek::{Place, SeekPage};
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
/// Of `all_keywords`, `keyword`, `letter`, `user_id`, `team_id` and `ids[]` the first one that is given counts.
#[utoipa::path(
    get,
    path = "/api/v1/crates",
    tag = "crates",
    params(
        ("q" = Option<String>, Query, description = "A name, a part of a name, or words; all crates are listed without it"),
        ("sort" = Option<CratesSort>, Query, description = "The order; relevance by default with q, alpha without"),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Items on a page; 10 by default"),
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000, description = "The page; 1 by default"),
        ("seek" = Option<String>, Query, description = "The place of the page, from `meta.next_page`; not with page"),
        ("category" = Option<String>, Query, description = "Only crates of the category with this slug, or of a subcategory"),
        ("include_yanked" = Option<String>, Query, description = "`yes` by default; any other value: only crates with a version that is not yanked"),
        ("all_keywords" = Option<String>, Query, description = "Only crates with all of these keywords, which spaces separate"),
        ("keyword" = Option<String>, Query, description = "Only crates with this keyword"),
        ("letter" = Option<String>, Query, min_length = 1, description = "Only crates whose names begin with this letter"),
        ("user_id" = Option<i32>, Query, description = "Only crates owned by the user with this id"),
        ("team_id" = Option<i32>, Query, description = "Only crates owned by the team with this id"),
        ("ids[]" = Option<Vec<String>>, Query, description = "Only crates with these names; may be repeated"),
    ),
    responses((status = 200, body = CratesPage, description = "A page"), (status = 400, body = Errors, description = "A parameter cannot be read"))
)]
pub async fn list(State(app): State<App>, query: QueryParameters) -> Result<Json<CratesPage>, ApiError> {
    let paging: SeekPage<Seek> = query.seek_page(PER_PAGE)?;
    let text = query.text("q").filter(|text| !text.trim().is_empty());
    let text = text.as_deref().and_then(SearchText::parse);
    let sort = sort(&query)?;
    let (after, offset) = match &paging.place {
        Place::After(seek) => match text {
            Some(_) => (None, seek.matches_before().ok_or_else(|| query.refused_seek())?),
            None => (Some(seek.after(sort).ok_or_else(|| query.refused_seek())?), 0),
        },
        _ => (None, 0),
    };
    let search = SearchQuery { text, filter: filter(&query)?, sort, after };
    let (totals, base_url) = (app.totals.clone(), app.settings.base_url.clone());
    app.with_connection(move |connection| {
        let mut found = search::search(connection, &search, paging.page(i64::from(offset)), &totals)?;
        let follows = paging.cut(&mut found.crate_ids);
        let name = search.text.as_ref().and_then(|text| text.name.as_deref());
        let crates = crate_details::by_ids(connection, &found.crate_ids)?;
        let last = crates.last().filter(|_| follows).map(|last| match search.text {
            Some(_) => Seek::Matches(offset.saturating_add(u32::try_from(crates.len()).unwrap_or(u32::MAX))),
            None => Seek::listed(search.sort, last),
        });
        let meta = paging.meta(found.total, last, &query);
        let crates = crates.into_iter().map(|one| CrateView::new(one, &base_url).exact_match(name)).collect();
        Ok::<_, ApiError>(Json(CratesPage { crates, meta }))
    })
    .await
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
