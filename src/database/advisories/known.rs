//! The advisories, as they are looked up.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;

use super::own::OWN;
use crate::advisory::Ranges;
use crate::database::schema::advisories;
use crate::package::CrateName;

/// What one advisory says of one crate.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = advisories)]
pub struct Known {
    pub upstream: String,
    pub advisory_id: String,
    /// In lower case with `_`.
    pub canonical_name: String,
    pub crate_name: String,
    pub title: String,
    pub url: Option<String>,
    pub severity: String,
    pub informational: Option<String>,
    pub ranges: Value,
    pub withdrawn_at: Option<DateTime<Utc>>,
    pub vanished_at: Option<DateTime<Utc>>,
    pub first_seen: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
}

impl Known {
    /// The versions that it affects.
    pub fn affected(&self) -> serde_json::Result<Ranges> {
        serde_json::from_value(self.ranges.clone())
    }
}

/// Which advisories to list.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub upstream: Option<String>,
    /// In lower case with `_`.
    pub canonical_name: Option<String>,
    /// Also those that do not count any more.
    pub with_former: bool,
}

/// Advisories by crate and id, the newest id first.
pub fn list(connection: &mut PgConnection, wanted: &Wanted) -> QueryResult<Vec<Known>> {
    let mut query = advisories::table
        .order((advisories::upstream, advisories::canonical_name, advisories::advisory_id.desc()))
        .select(Known::as_select())
        .into_boxed();
    if let Some(upstream) = &wanted.upstream {
        query = query.filter(advisories::upstream.eq(upstream.clone()));
    }
    if let Some(name) = &wanted.canonical_name {
        query = query.filter(advisories::canonical_name.eq(name.clone()));
    }
    if !wanted.with_former {
        query = query.filter(advisories::withdrawn_at.is_null().and(advisories::vanished_at.is_null()));
    }
    query.load(connection)
}

/// The document with an id, in the form of OSV, and the upstream whose it is: that of this registry, or else of the first upstream
/// that has it.
pub fn document(
    connection: &mut PgConnection,
    id: &str,
    upstream: Option<&str>,
) -> QueryResult<Option<(String, Value)>> {
    let mut query = advisories::table
        .filter(advisories::advisory_id.eq(id))
        // Those of this registry have the empty name, which is the first.
        .order((advisories::vanished_at.is_not_null(), advisories::upstream, advisories::canonical_name))
        .select((advisories::upstream, advisories::document))
        .into_boxed();
    if let Some(upstream) = upstream {
        query = query.filter(advisories::upstream.eq(upstream.to_owned()));
    }
    query.first(connection).optional()
}

/// Those that count about some crates of an upstream, whose names are in lower case with `_`.
pub fn about(connection: &mut PgConnection, upstream: &str, canonical_names: &[String]) -> QueryResult<Vec<Known>> {
    advisories::table
        .filter(advisories::upstream.eq(upstream).and(advisories::canonical_name.eq_any(canonical_names)))
        .filter(advisories::withdrawn_at.is_null().and(advisories::vanished_at.is_null()))
        .order((advisories::canonical_name, advisories::advisory_id.desc()))
        .select(Known::as_select())
        .load(connection)
}

/// Those of this registry about a crate that are not withdrawn.
pub fn of_own_crate(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Vec<Known>> {
    list(
        connection,
        &Wanted { upstream: Some(OWN.to_owned()), canonical_name: Some(name.canonical()), with_former: false },
    )
}

/// How many advisories count, by upstream.
pub fn counts(connection: &mut PgConnection) -> QueryResult<Vec<(String, i64)>> {
    use diesel::dsl::count_star;
    advisories::table
        .filter(advisories::withdrawn_at.is_null().and(advisories::vanished_at.is_null()))
        .group_by(advisories::upstream)
        .select((advisories::upstream, count_star()))
        .load(connection)
}
