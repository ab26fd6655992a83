//! The query of a URL, and the fields of a form, which have the same syntax. Unknown parameters are ignored, as the Cargo
//! book requires; a known one that cannot be read is refused with its value.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use strum::VariantNames;

use crate::database::search::Page;
use crate::web::ApiError;
use crate::web::shortened::shortened;
use crate::web::views::{PageMeta, count};

/// Default number of items on a page.
pub const PER_PAGE: u32 = 10;
/// Largest number of items on a page.
pub const MAX_PER_PAGE: u32 = 100;
/// Largest page number.
pub(super) const MAX_PAGE: u32 = 1_000_000;

/// The parameters, in their order.
#[derive(Clone, Debug)]
pub struct QueryParameters {
    pairs: Vec<(String, String)>,
    /// What errors call one of them.
    called: &'static str,
}

/// What errors call a parameter of a query.
const PARAMETER: &str = "query parameter";

impl<S: Send + Sync> FromRequestParts<S> for QueryParameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

impl QueryParameters {
    /// The parameters of a query.
    pub fn parse(query: &str) -> Self {
        Self::read(query, PARAMETER)
    }

    /// The fields of a form.
    pub fn form(content: &str) -> Self {
        Self::read(content, "field")
    }

    fn read(text: &str, called: &'static str) -> Self {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        let pairs = pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Self { pairs, called }
    }

    /// The value of a parameter; the last one if the parameter is repeated.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that the database is searched for.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(without_nul)
    }

    /// All values of a parameter that the database is searched for.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.pairs.iter().filter(|(given, _)| given == name).map(|(_, value)| without_nul(value)).collect()
    }

    /// The value of a parameter as another type; the error describes the type as `what`.
    pub fn parsed<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.refused(name, text, what))
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.parsed(name, "true or false")
    }

    /// A time in RFC 3339.
    pub fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
        self.parsed(name, "a time such as 2030-01-01T00:00:00Z")
    }

    /// One of several words.
    pub fn choice<T: FromStr + VariantNames>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.parsed(name, &format!("one of {}", T::VARIANTS.join(", ")))
    }

    /// The words of a list that commas separate, each of which must be allowed; None without the parameter.
    pub fn words(&self, name: &str, allowed: &[&'static str]) -> Result<Option<Vec<&'static str>>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let known = words.map(|word| {
            let known = allowed.iter().find(|known| **known == word).copied();
            known.ok_or_else(|| {
                self.refused(name, word, &format!("a list, separated by commas, of {}", allowed.join(", ")))
            })
        });
        known.collect::<Result<_, _>>().map(Some)
    }

    /// Refuses a parameter that crates.io has for this call and this registry has not.
    pub fn refuse_unsupported(&self, name: &str, instead: &str) -> Result<(), ApiError> {
        match self.get(name) {
            Some(_) => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                format!("the {} `{name}` is not supported here: {instead}", self.called),
            )),
            None => Ok(()),
        }
    }

    /// Refuses every parameter but these, for what cannot be undone: a misspelled one would be left out.
    pub fn refuse_others(&self, known: &[&str]) -> Result<(), ApiError> {
        match self.pairs.iter().find(|(name, _)| !known.contains(&&**name)) {
            Some((name, _)) => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                format!("there is no {} `{}`: use {}", self.called, shortened(&without_nul(name)), known.join(", ")),
            )),
            None => Ok(()),
        }
    }

    /// The page that the query selects.
    pub fn pagination(&self) -> Result<Pagination, ApiError> {
        self.pagination_of(PER_PAGE)
    }

    /// The page that the query selects, with another default number of items.
    pub fn pagination_of(&self, default_per_page: u32) -> Result<Pagination, ApiError> {
        self.refuse_unsupported("seek", "this list has numbered pages, so use `page`")?;
        self.numbered(default_per_page)
    }

    pub(super) fn numbered(&self, default_per_page: u32) -> Result<Pagination, ApiError> {
        let per_page = self.parsed("per_page", PER_PAGE_IS)?.unwrap_or(default_per_page);
        if !(1..=MAX_PER_PAGE).contains(&per_page) {
            return Err(self.refused("per_page", &per_page.to_string(), PER_PAGE_IS));
        }
        let page = self.parsed("page", PAGE_IS)?.unwrap_or(1);
        if !(1..=MAX_PAGE).contains(&page) {
            return Err(self.refused("page", &page.to_string(), PAGE_IS));
        }
        Ok(Pagination { per_page, page })
    }

    /// The same query without a parameter.
    pub fn without(&self, name: &str) -> Self {
        let pairs = self.pairs.iter().filter(|(given, _)| given != name).cloned().collect();
        Self { pairs, called: self.called }
    }

    /// The same query for another page: with this value of `page` or `seek`.
    pub fn with_page(&self, name: &str, value: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new("?".to_owned());
        query.extend_pairs(self.pairs.iter().filter(|(name, _)| name != "page" && name != "seek"));
        query.append_pair(name, value);
        // The serializer takes the `?` for a parameter.
        query.finish().replacen("?&", "?", 1)
    }

    fn refused(&self, name: &str, value: &str, what: &str) -> ApiError {
        unreadable(self.called, name, value, what)
    }
}

const PER_PAGE_IS: &str = "a number from 1 to 100";
const PAGE_IS: &str = "a number from 1 to 1000000";

/// PostgreSQL texts cannot hold a NUL, so a value with one finds nothing.
fn without_nul(value: &str) -> String {
    value.replace('\0', "\u{fffd}")
}

/// The error for a parameter of a query that cannot be read.
pub fn refused(name: &str, value: &str, what: &str) -> ApiError {
    unreadable(PARAMETER, name, value, what)
}

fn unreadable(called: &str, name: &str, value: &str, what: &str) -> ApiError {
    let value = without_nul(value);
    let value = shortened(&value);
    ApiError::new(StatusCode::BAD_REQUEST, format!("the {called} `{name}` is `{value}`: it must be {what}"))
}

/// The page that a query selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pagination {
    per_page: u32,
    /// The first is 1.
    page: u32,
}

impl Pagination {
    /// The most items on the page.
    pub(super) fn per_page(self) -> u32 {
        self.per_page
    }

    /// The page as limit and offset.
    pub fn page(self) -> Page {
        Page { limit: i64::from(self.per_page), offset: i64::from(self.per_page) * (i64::from(self.page) - 1) }
    }

    /// The page's links to its neighbours, among `total` items.
    pub fn meta(self, total: i64, query: &QueryParameters) -> PageMeta {
        let Page { limit, offset } = self.page();
        PageMeta {
            total: count(total),
            next_page: (offset + limit < total && self.page < MAX_PAGE)
                .then(|| query.with_page("page", &(self.page + 1).to_string())),
            prev_page: (self.page > 1).then(|| query.with_page("page", &(self.page - 1).to_string())),
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
        insta::assert_snapshot!(parsed("per_page=101").unwrap_err(), @"the query parameter `per_page` is `101`: it must be a number from 1 to 100");
        insta::assert_snapshot!(parsed("page=%00x").unwrap_err(), @"the query parameter `page` is `�x`: it must be a number from 1 to 1000000");
        for wrong in ["per_page=0", "per_page=", "page=0", "page=-1", "page=1000001", "page=4294967296"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_error_says_whether_a_query_or_a_form_is_wrong() {
        let refused = |sent: QueryParameters| sent.parsed::<u8>("n", "a byte").unwrap_err().to_string();
        insta::assert_snapshot!(refused(QueryParameters::parse("n=256")), @"the query parameter `n` is `256`: it must be a byte");
        insta::assert_snapshot!(refused(QueryParameters::form("n=256")), @"the field `n` is `256`: it must be a byte");
        let without = QueryParameters::form("n=256&x=y").without("x");
        insta::assert_snapshot!(refused(without), @"the field `n` is `256`: it must be a byte");
    }

    #[test]
    fn a_page_links_to_its_neighbours_with_the_same_query() {
        let query = QueryParameters::parse("q=a+%26b&page=2&per_page=5");
        let meta = query.pagination().unwrap().meta(11, &query);
        assert_eq!(meta.next_page.as_deref(), Some("?q=a+%26b&per_page=5&page=3"));
        assert_eq!(meta.prev_page.as_deref(), Some("?q=a+%26b&per_page=5&page=1"));
        let query = QueryParameters::parse("seek=a&page=1&per_page=5");
        assert_eq!(query.with_page("seek", "b"), "?per_page=5&seek=b");
        let query = QueryParameters::parse("page=3&per_page=5");
        assert_eq!(query.pagination().unwrap().meta(11, &query).next_page, None);
    }
}
