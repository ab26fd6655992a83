//! Keywords and categories of crates, with the numbers of the crates that have them, which the database keeps. A crate that
//! has a subcategory has the categories above it as well.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz};

use crate::statement::statement;

/// A keyword or a category, in lower case.
#[derive(QueryableByName, Clone, Debug)]
pub struct Topic {
    #[diesel(sql_type = Text)]
    pub name: String,
    /// The number of crates that have it.
    #[diesel(sql_type = BigInt)]
    pub crates: i64,
    /// The time at which the first of these crates was created.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
}

/// The kind of topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Keywords,
    Categories,
}

impl Kind {
    /// The kind of the numbers of those that are listed: of the categories the topmost.
    fn listed(self) -> &'static str {
        match self {
            Self::Keywords => "keyword",
            Self::Categories => "category",
        }
    }

    /// The kinds of the numbers of all.
    fn all(self) -> &'static [&'static str] {
        match self {
            Self::Keywords => &["keyword"],
            Self::Categories => &["category", "subcategory"],
        }
    }
}

/// The order of a list of topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By the number of crates, the largest first.
    Crates,
    Alphabetical,
}

/// A page of the keywords, or of the topmost categories.
pub fn list(
    connection: &mut PgConnection,
    kind: Kind,
    order: Order,
    limit: i64,
    offset: i64,
) -> QueryResult<Vec<Topic>> {
    let kind = kind.listed();
    let order = match order {
        Order::Crates => "count DESC, name",
        Order::Alphabetical => "name",
    };
    // An index has the numbers in order. The few that have changes are put in between.
    diesel::sql_query(format!(
        "SELECT name, count AS crates, since AS created_at FROM (
             (SELECT name, count, since FROM registry_counts
              WHERE kind = '{kind}' AND name NOT IN (SELECT name FROM registry_count_changes WHERE kind = '{kind}')
              ORDER BY {order} LIMIT {limit} + {offset})
             UNION ALL
             SELECT name, count, since_of(kind, name) FROM registry_counts_now
             WHERE kind = '{kind}' AND name = ANY (ARRAY(SELECT name FROM registry_count_changes WHERE kind = '{kind}'))
             ORDER BY {order} LIMIT {limit} OFFSET {offset}
         ) AS page ORDER BY {order}"
    ))
    .load(connection)
}

/// The number of the keywords, or of the topmost categories.
pub fn total(connection: &mut PgConnection, kind: Kind) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        total: i64,
    }
    let (one, all) = (kind.listed(), if kind == Kind::Keywords { "keywords" } else { "categories" });
    let found: Count = diesel::sql_query(format!(
        "WITH changed AS (SELECT array_agg(DISTINCT name) AS names FROM registry_count_changes WHERE kind = '{one}')
         SELECT coalesce((SELECT count FROM registry_counts_now WHERE kind = '{all}' AND name = ''), 0)
             + (SELECT count(*) FROM registry_counts_now WHERE kind = '{one}' AND name = ANY ((SELECT names FROM changed)::text[]))
             - (SELECT count(*) FROM registry_counts WHERE kind = '{one}' AND name = ANY ((SELECT names FROM changed)::text[]))
             AS total"
    ))
    .get_result(connection)?;
    Ok(found.total)
}

/// The topics with these names that a crate has.
pub fn find(connection: &mut PgConnection, kind: Kind, names: &[String]) -> QueryResult<Vec<Topic>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    statement(
        "SELECT name, count AS crates, CASE WHEN has_changes THEN since_of(kind, name) ELSE since END AS created_at
         FROM registry_counts_now WHERE kind = ANY ($1) AND name = ANY ($2) ORDER BY name",
    )
    .bind::<Array<Text>, _>(kind.all())
    .bind::<Array<Text>, _>(names)
    .load(connection)
}
