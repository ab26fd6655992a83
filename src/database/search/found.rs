//! Results of queries.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer};

/// One page of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The crates of the page, in order.
    pub crate_ids: Vec<i32>,
    /// The number of crates on all pages.
    pub total: i64,
}

#[derive(QueryableByName)]
pub(super) struct FoundId {
    #[diesel(sql_type = Integer)]
    pub(super) id: i32,
}

#[derive(QueryableByName)]
pub(super) struct Count {
    #[diesel(sql_type = BigInt)]
    pub(super) total: i64,
}
