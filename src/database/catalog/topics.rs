//! Keywords and categories of crates.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz};

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

impl Kind {
    fn column(self) -> &'static str {
        match self {
            Self::Keywords => "keywords",
            Self::Categories => "categories",
        }
    }
}

/// A page of the topics, and the number of all.
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
    let all = format!(
        "SELECT word AS name, count(*) AS crates, min(created_at) AS created_at FROM crates, unnest({}) AS word
         WHERE version_count > 0 GROUP BY word",
        kind.column()
    );
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
    let column = kind.column();
    diesel::sql_query(format!(
        "SELECT word AS name, count(*) AS crates, min(created_at) AS created_at
         FROM unnest($1) AS word JOIN crates ON crates.{column} @> ARRAY[word]
         WHERE version_count > 0 GROUP BY word ORDER BY word"
    ))
    .bind::<diesel::sql_types::Array<Text>, _>(names)
    .load(connection)
}
