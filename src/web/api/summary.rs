//! `GET /api/v1/summary`: shows the registry at a glance.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::catalog::crate_details;
use crate::database::catalog::topics::{self, Kind, Order};
use crate::database::registry_counts::{self, Count};
use crate::database::search::{self, Filter, Page, SearchQuery, Sort};
use crate::web::views::{CategoryView, CrateView, KeywordView};
use crate::web::{ApiError, App};

/// Length of each list.
const LENGTH: i64 = 10;

/// The registry at a glance.
#[derive(Serialize, ToSchema)]
pub struct Summary {
    /// The number of crates that the index shows.
    num_crates: i64,
    /// The number of downloads of all time.
    num_downloads: i64,
    /// The most recently created crates.
    new_crates: Vec<CrateView>,
    most_downloaded: Vec<CrateView>,
    most_recently_downloaded: Vec<CrateView>,
    /// The most recently changed crates.
    just_updated: Vec<CrateView>,
    popular_keywords: Vec<KeywordView>,
    popular_categories: Vec<CategoryView>,
}

/// Show counts and top lists of the registry
#[utoipa::path(
    get,
    path = "/api/v1/summary",
    tag = "registry",
    responses((status = 200, body = Summary, description = "The counts, and lists of ten"))
)]
pub async fn show(State(app): State<App>) -> Result<Json<Summary>, ApiError> {
    let base_url = app.settings.base_url.clone();
    app.with_connection(move |connection| {
        let [num_crates, num_downloads] = registry_counts::read(connection, [Count::Crates, Count::Downloads])?;
        let mut listed = |sort| {
            let query = SearchQuery { text: None, filter: Filter::default(), sort, after: None };
            let ids = search::page(connection, &query, Page { limit: LENGTH, offset: 0 })?;
            let crates = crate_details::by_ids(connection, &ids)?;
            Ok::<_, diesel::result::Error>(crates.into_iter().map(|one| CrateView::new(one, &base_url)).collect())
        };
        let new_crates = listed(Sort::New)?;
        let most_downloaded = listed(Sort::Downloads)?;
        let most_recently_downloaded = listed(Sort::RecentDownloads)?;
        let just_updated = listed(Sort::RecentUpdates)?;
        let keywords = topics::list(connection, Kind::Keywords, Order::Crates, LENGTH, 0)?;
        let categories = topics::list(connection, Kind::Categories, Order::Crates, LENGTH, 0)?;
        Ok::<_, ApiError>(Json(Summary {
            num_crates,
            num_downloads,
            new_crates,
            most_downloaded,
            most_recently_downloaded,
            just_updated,
            popular_keywords: keywords.into_iter().map(Into::into).collect(),
            popular_categories: categories.into_iter().map(Into::into).collect(),
        }))
    })
    .await
}
