//! Lists of crates, and full-text search.
//!
//! | file | content |
//! |---|---|
//! | [`categories`] | the categories that crates name, by which a search includes subcategories |
//! | [`document`] | the search document of a crate, written by the job that writes its derived columns |
//! | [`query`] | a query, and its text in the forms that the statements use |
//! | `found` | results of queries |
//! | `list` | lists without a search text |
//! | `ranking` | searches by text, with the best match first |
//! | [`totals`] | a cache of recent totals |
//!
//! Lists and searches return the ids of one page and the total.

pub(crate) mod words;

pub mod categories;
pub mod document;
pub mod query;
pub mod totals;

mod found;
mod list;
mod ranking;

use diesel::prelude::*;

pub use document::{Described, forget, note};
pub use found::Found;
pub use query::{After, Filter, Only, Page, SearchQuery, Sort};
pub use totals::Totals;

/// Runs a query. The result has only crates with a version in the index.
pub fn search(connection: &mut PgConnection, query: &SearchQuery, page: Page, totals: &Totals) -> QueryResult<Found> {
    match &query.text {
        None => list::list(connection, query, page, totals),
        Some(text) => ranking::search(connection, text, query, page, totals),
    }
}

/// The crates of a page of a list, without their number.
pub fn page(connection: &mut PgConnection, query: &SearchQuery, page: Page) -> QueryResult<Vec<i32>> {
    list::ids(connection, query, page)
}
