//! Numbers of the whole registry, which the database keeps, so that no request counts crates. Triggers on the tables keep
//! them; only downloads are added by a statement.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};

use crate::statement::statement;

/// What is counted. Keywords and categories are in `topics`, dependents in `dependents`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// The crates in the index.
    Crates,
    /// The crates in the index of which a version is not yanked.
    Usable,
    /// The downloads of all crates.
    Downloads,
}

impl Count {
    fn kind(self) -> &'static str {
        match self {
            Self::Crates => "crates",
            Self::Usable => "usable",
            Self::Downloads => "downloads",
        }
    }
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Reads several numbers at one moment.
pub fn read<const N: usize>(connection: &mut PgConnection, counts: [Count; N]) -> QueryResult<[i64; N]> {
    let kinds: Vec<&str> = counts.iter().map(|count| count.kind()).collect();
    let found: Vec<Counted> =
        statement("SELECT kind, count FROM registry_counts_now WHERE name = '' AND kind = ANY ($1)")
            .bind::<Array<Text>, _>(kinds)
            .load(connection)?;
    // A number that is 0 has no row.
    let of = |count: Count| found.iter().find(|one| one.kind == count.kind()).map_or(0, |one| one.count);
    Ok(counts.map(of))
}

/// The number of crates that have a keyword.
pub fn crates_with_keyword(connection: &mut PgConnection, keyword: &str) -> QueryResult<i64> {
    of(connection, "keyword", keyword)
}

/// The number of crates that have a category or one below it.
pub fn crates_in_category(connection: &mut PgConnection, slug: &str) -> QueryResult<i64> {
    of(connection, if slug.contains("::") { "subcategory" } else { "category" }, slug)
}

/// The number of crates whose default version depends on a crate.
pub fn dependents(connection: &mut PgConnection, canonical_name: &str) -> QueryResult<i64> {
    of(connection, "dependents", canonical_name)
}

fn of(connection: &mut PgConnection, kind: &str, name: &str) -> QueryResult<i64> {
    let found: Option<Counted> = statement("SELECT kind, count FROM registry_counts_now WHERE kind = $1 AND name = $2")
        .bind::<Text, _>(kind)
        .bind::<Text, _>(name)
        .get_result(connection)
        .optional()?;
    Ok(found.map_or(0, |found| found.count))
}

/// Adds the changes that concurrent transactions left, unless another transaction is about to.
pub fn fold(connection: &mut PgConnection) -> QueryResult<()> {
    statement("SELECT change_registry_counts('{}', '{}', '{}', '{}')").execute(connection).map(drop)
}
