//! Pages of lists.

use serde::Serialize;
use utoipa::ToSchema;

/// A page's place in the whole list.
#[derive(Serialize, ToSchema)]
pub struct PageMeta {
    /// The number of items on all pages.
    pub total: u32,
    /// The query of the next page; null on the last one.
    pub next_page: Option<String>,
    /// The query of the previous page; null on the first one.
    pub prev_page: Option<String>,
}

/// The length of a list.
#[derive(Serialize, ToSchema)]
pub struct Total {
    /// The number of items on all pages.
    pub total: u32,
}

/// A count, as the API has it.
pub fn count(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
