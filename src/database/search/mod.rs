//! Finding crates: lists in some order, and searches by text.
//!
//! | file | what |
//! |---|---|
//! | [`document`] | what is searched of a crate, written by the job that describes it |
//! | [`query`] | what somebody looks for, and the text of it in the forms that the database is asked in |
//! | `list` | all crates in some order |
//! | `ranking` | the crates that a text finds, the best first |
//! | [`totals`] | how many were found lately |
//!
//! Each answers the ids of one page and the number of all.

pub(crate) mod words;

pub mod document;
pub mod query;
pub mod totals;

mod list;
mod ranking;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer};

pub use document::{Described, forget, note};
pub use query::{Filter, Page, SearchQuery, Sort};
pub use totals::Totals;

/// One page of what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The crates of the page, in their order.
    pub crate_ids: Vec<i32>,
    /// How many there are on all pages.
    pub total: i64,
}

#[derive(QueryableByName)]
struct FoundId {
    #[diesel(sql_type = Integer)]
    id: i32,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    total: i64,
}

/// FetchRequests for crates. Only those are found of which the index shows a version.
pub fn search(connection: &mut PgConnection, query: &SearchQuery, page: Page, totals: &Totals) -> QueryResult<Found> {
    match &query.text {
        None => list::list(connection, query, page, totals),
        Some(text) => ranking::search(connection, text, query, page, totals),
    }
}
