//! Keywords and categories of crates. A crate that has a subcategory has the categories above it as well.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz};

use crate::database::search::categories::family;

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

/// The order of a list of topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By the number of crates, the largest first.
    Crates,
    Alphabetical,
}

/// A page of the keywords, or of the topmost categories, and the number of all.
pub fn list(
    connection: &mut PgConnection,
    kind: Kind,
    order: Order,
    limit: i64,
    offset: i64,
) -> QueryResult<(Vec<Topic>, i64)> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        total: i64,
    }
    let all = match kind {
        Kind::Keywords => {
            "SELECT word AS name, count(*) AS crates, min(created_at) AS created_at FROM crates, unnest(keywords) AS word
             WHERE version_count > 0 GROUP BY word"
        }
        Kind::Categories => {
            "SELECT top AS name, count(DISTINCT crates.id) AS crates, min(created_at) AS created_at
             FROM crates, unnest(categories) AS word, split_part(word, '::', 1) AS top
             WHERE version_count > 0 GROUP BY top"
        }
    };
    let order = match order {
        Order::Crates => "crates DESC, name",
        Order::Alphabetical => "name",
    };
    let Count { total } =
        diesel::sql_query(format!("SELECT count(*) AS total FROM ({all}) AS topics")).get_result(connection)?;
    let page = diesel::sql_query(format!("{all} ORDER BY {order} LIMIT {limit} OFFSET {offset}")).load(connection)?;
    Ok((page, total))
}

/// The topics with these names that a crate has.
pub fn find(connection: &mut PgConnection, kind: Kind, names: &[String]) -> QueryResult<Vec<Topic>> {
    let having = match kind {
        Kind::Keywords => "crates ON crates.keywords @> ARRAY[word]".to_owned(),
        Kind::Categories => format!(
            "LATERAL (SELECT array_agg(slug) AS slugs FROM ({}) AS family) AS family ON true
             JOIN crates ON crates.categories && family.slugs",
            family("word")
        ),
    };
    diesel::sql_query(format!(
        "SELECT word AS name, count(*) AS crates, min(created_at) AS created_at FROM unnest($1) AS word JOIN {having}
         WHERE version_count > 0 GROUP BY word ORDER BY word"
    ))
    .bind::<diesel::sql_types::Array<Text>, _>(names)
    .load(connection)
}
