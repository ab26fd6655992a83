//! Lists that are followed by `seek`, as on crates.io: the query of the next page names the last item of this one, so that
//! a page is found as fast wherever it is, and items that come or go before it move nothing. The value is opaque to
//! clients. A query with `page` gets numbered pages instead.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::query::{MAX_PAGE, MAX_PER_PAGE, Pagination, QueryParameters, refused};
use crate::database::search::Page;
use crate::web::ApiError;
use crate::web::views::{PageMeta, count};

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place<S> {
    First,
    /// At the number of items that the page's number implies.
    Numbered(Pagination),
    /// After the item that this value of `seek` names.
    After(S),
}

/// The page that a query selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeekPage<S> {
    pub place: Place<S>,
    per_page: u32,
}

impl QueryParameters {
    /// The page that the query selects, of a list that is followed by `seek`.
    pub fn seek_page<S: DeserializeOwned>(&self, default_per_page: u32) -> Result<SeekPage<S>, ApiError> {
        let numbered = self.numbered(default_per_page)?;
        let place = match (self.get("page"), self.get("seek")) {
            (Some(_), Some(_)) => {
                return Err(ApiError::new(
                    StatusCode::BAD_REQUEST,
                    "the query has both `page` and `seek`: leave one of them out",
                ));
            }
            (Some(_), None) => Place::Numbered(numbered),
            (None, None) => Place::First,
            (None, Some(text)) => Place::After(decoded(text).ok_or_else(|| self.refused_seek())?),
        };
        Ok(SeekPage { place, per_page: numbered.per_page() })
    }

    /// The error for a `seek` that is not of this list in this order.
    pub fn refused_seek(&self) -> ApiError {
        refused("seek", self.get("seek").unwrap_or_default(), "taken from `meta.next_page` of the same list")
    }
}

impl<S: Serialize> SeekPage<S> {
    /// The items to read: unless the page is numbered, one more than it has, which shows whether a page follows.
    pub fn page(&self, offset: i64) -> Page {
        match self.place {
            Place::Numbered(pagination) => pagination.page(),
            _ => Page { limit: i64::from(self.per_page) + 1, offset },
        }
    }

    /// Removes the item that was read in addition; true if there was one.
    pub fn cut<T>(&self, items: &mut Vec<T>) -> bool {
        let per_page = usize::try_from(self.per_page).unwrap_or(usize::MAX);
        let follows = items.len() > per_page;
        items.truncate(per_page);
        follows
    }

    /// The page's links to its neighbours, among `total` items. `last` is its last item, if a page follows.
    pub fn meta(&self, total: i64, last: Option<S>, query: &QueryParameters) -> PageMeta {
        match self.place {
            Place::Numbered(pagination) => pagination.meta(total, query),
            _ => PageMeta {
                total: count(total),
                next_page: last.map(|last| query.with_page("seek", &encoded(&last))),
                prev_page: None,
            },
        }
    }
}

/// The most items before a page.
pub const MAX_OFFSET: u32 = MAX_PAGE * MAX_PER_PAGE;

fn encoded(value: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}

fn decoded<S: DeserializeOwned>(text: &str) -> Option<S> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<SeekPage<(String, i32)>, String> {
        QueryParameters::parse(query).seek_page(10).map_err(|error| error.to_string())
    }

    #[test]
    fn a_page_begins_at_the_first_item_at_a_number_or_after_an_item() {
        assert_eq!(page("per_page=3"), Ok(SeekPage { place: Place::First, per_page: 3 }));
        assert!(matches!(page("page=2").unwrap().place, Place::Numbered(_)));
        let last = ("a".to_owned(), 7);
        let query = QueryParameters::parse("q=x&per_page=3");
        let next = page("per_page=3").unwrap().meta(9, Some(last.clone()), &query).next_page.unwrap();
        assert_eq!(page(next.strip_prefix('?').unwrap()), Ok(SeekPage { place: Place::After(last), per_page: 3 }));
        assert_eq!(page("").unwrap().meta(9, None, &query).next_page, None);
        assert_eq!(
            page("page=1&per_page=3").unwrap().meta(9, None, &query).next_page.unwrap(),
            "?q=x&per_page=3&page=2"
        );
    }

    #[test]
    fn a_seek_that_was_not_given_out_is_refused() {
        insta::assert_snapshot!(page("seek=abc&page=1").unwrap_err(), @"the query has both `page` and `seek`: leave one of them out");
        insta::assert_snapshot!(page("seek=abc").unwrap_err(), @"the query parameter `seek` is `abc`: it must be taken from `meta.next_page` of the same list");
        for wrong in ["seek=", "seek=%00", "seek=W10", "seek=bnVsbA"] {
            assert!(page(wrong).is_err(), "{wrong}");
        }
    }
}
