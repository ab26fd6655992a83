//! The query of a URL. Unknown parameters mean nothing, as the Cargo book has it; a known one that can't be read is
//! refused with its value.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::database::search::Page;
use crate::web::ApiError;
use crate::web::shortened::shortened;
use crate::web::views::{PageMeta, count};

/// Items of a page unless the query says otherwise, and at most.
const PER_PAGE: u32 = 10;
pub const MOST_PER_PAGE: u32 = 100;
/// The last page that anybody may ask for.
const MOST_PAGES: u32 = 1_000_000;

/// The parameters in their order.
#[derive(Clone, Debug)]
pub struct QueryParameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for QueryParameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

impl QueryParameters {
    fn parse(query: &str) -> Self {
        // PostgreSQL has no NUL in a text, so nothing can be found by one.
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.replace('\0', "\u{fffd}"))).collect())
    }

    /// The value of a parameter, the last one if it stands there several times.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The values of a parameter that may stand there several times.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| value.clone()).collect()
    }

    /// A number.
    pub fn number<N: FromStr>(&self, name: &str, what: &str) -> Result<Option<N>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| refused(name, text, what))
    }

    /// One of several words.
    pub fn choice<T: DeserializeOwned>(&self, name: &str, words: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let word: StrDeserializer<'_, ValueError> = text.into_deserializer();
        T::deserialize(word).map(Some).map_err(|_| refused(name, text, words))
    }

    /// Which page is asked for.
    pub fn pagination(&self) -> Result<Pagination, ApiError> {
        self.pagination_of(PER_PAGE)
    }

    /// The same for pages that have so many items unless the query says otherwise.
    pub fn pagination_of(&self, usual: u32) -> Result<Pagination, ApiError> {
        let per_page = self.number("per_page", PER_PAGE_IS)?.unwrap_or(usual);
        if !(1..=MOST_PER_PAGE).contains(&per_page) {
            return Err(refused("per_page", &per_page.to_string(), PER_PAGE_IS));
        }
        let page = self.number("page", PAGE_IS)?.unwrap_or(1);
        if !(1..=MOST_PAGES).contains(&page) {
            return Err(refused("page", &page.to_string(), PAGE_IS));
        }
        Ok(Pagination { per_page, page })
    }

    /// The same query for another page.
    fn with_page(&self, page: u32) -> String {
        let mut query = url::form_urlencoded::Serializer::new("?".to_owned());
        query.extend_pairs(self.0.iter().filter(|(name, _)| name != "page"));
        query.append_pair("page", &page.to_string());
        // The serializer takes what is there for a parameter.
        query.finish().replacen("?&", "?", 1)
    }
}

const PER_PAGE_IS: &str = "a number from 1 to 100";
const PAGE_IS: &str = "a number from 1 to 1000000";

/// The error of a parameter that can't be read.
pub fn refused(name: &str, value: &str, what: &str) -> ApiError {
    let value = shortened(value);
    ApiError::new(
        StatusCode::BAD_REQUEST,
        format!("the parameter `{name}` of the query is `{value}`: it has to be {what}"),
    )
}

/// A page that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pagination {
    per_page: u32,
    /// The first is 1.
    page: u32,
}

impl Pagination {
    /// As the database is asked for it.
    pub fn page(self) -> Page {
        Page { limit: i64::from(self.per_page), offset: i64::from(self.per_page) * (i64::from(self.page) - 1) }
    }

    /// Where it stands among `total` items.
    pub fn meta(self, total: i64, query: &QueryParameters) -> PageMeta {
        let Page { limit, offset } = self.page();
        PageMeta {
            total: count(total),
            next_page: (offset + limit < total && self.page < MOST_PAGES).then(|| query.with_page(self.page + 1)),
            prev_page: (self.page > 1).then(|| query.with_page(self.page - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(query: &str) -> Result<Pagination, String> {
        QueryParameters::parse(query).pagination().map_err(|error| error.to_string())
    }

    #[test]
    fn a_page_is_one_of_ten_unless_the_query_says_otherwise() {
        assert_eq!(parsed(""), Ok(Pagination { per_page: 10, page: 1 }));
        assert_eq!(parsed("per_page=100&page=7&x=y"), Ok(Pagination { per_page: 100, page: 7 }));
        insta::assert_snapshot!(parsed("per_page=101").unwrap_err(), @"the parameter `per_page` of the query is `101`: it has to be a number from 1 to 100");
        insta::assert_snapshot!(parsed("page=%00x").unwrap_err(), @"the parameter `page` of the query is `�x`: it has to be a number from 1 to 1000000");
        for wrong in ["per_page=0", "per_page=", "page=0", "page=-1", "page=1000001", "page=4294967296"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_page_links_to_its_neighbours_with_the_same_query() {
        let query = QueryParameters::parse("q=a+%26b&page=2&per_page=5");
        let meta = query.pagination().unwrap().meta(11, &query);
        assert_eq!(meta.next_page.as_deref(), Some("?q=a+%26b&per_page=5&page=3"));
        assert_eq!(meta.prev_page.as_deref(), Some("?q=a+%26b&per_page=5&page=1"));
        let query = QueryParameters::parse("page=3&per_page=5");
        assert_eq!(query.pagination().unwrap().meta(11, &query).next_page, None);
    }
}
