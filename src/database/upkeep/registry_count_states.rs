//! The numbers that the database keeps of the whole registry, compared with the rows that they count.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::statement::statement;

/// What is wrong with the numbers of one kind.
#[derive(QueryableByName, Clone, Debug, PartialEq, Eq)]
pub struct WrongCounts {
    /// The kind, such as `keyword`.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// How many numbers of this kind are wrong.
    #[diesel(sql_type = BigInt)]
    pub wrong: i64,
    /// The name of one of them; empty for a number of which there is only one.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// This number.
    #[diesel(sql_type = BigInt)]
    pub found: i64,
    #[diesel(sql_type = BigInt)]
    pub expected: i64,
}

/// SQL for the numbers that are wrong, with what corrects them. All are of one moment, so that a number is right whatever
/// is written meanwhile. A wrong `since` is corrected by a crate less and a crate more.
const WRONG: &str = "SELECT coalesce(should.kind, stored.kind) AS kind, coalesce(should.name, stored.name) AS name,
        coalesce(stored.count, 0) AS found, coalesce(should.count, 0) AS expected, should.since AS since,
        should.since IS DISTINCT FROM CASE WHEN should.since IS NOT NULL THEN since_of(stored.kind, stored.name) END
            AS is_since_wrong
    FROM registry_counts_expected AS should FULL JOIN registry_counts_now AS stored
        ON stored.kind = should.kind AND stored.name = should.name";

/// Reads which numbers are wrong, by kind.
pub fn wrong(connection: &mut PgConnection) -> QueryResult<Vec<WrongCounts>> {
    statement(format!(
        "SELECT DISTINCT ON (kind) kind, count(*) OVER (PARTITION BY kind) AS wrong, name, found, expected
         FROM ({WRONG}) AS every WHERE found <> expected OR is_since_wrong ORDER BY kind, found <> expected DESC, name"
    ))
    .load(connection)
}

/// Corrects the numbers of a kind: adds what they lack. Concurrent changes of the same numbers are kept.
pub fn correct(connection: &mut PgConnection, kind: &str) -> QueryResult<()> {
    statement(format!(
        "SELECT change_registry_counts(array_agg(kind), array_agg(name), array_agg(change), array_agg(since)) FROM (
             SELECT kind, name, expected - found AS change, since FROM ({WRONG}) AS every WHERE found <> expected
             UNION ALL
             SELECT kind, name, change, CASE change WHEN 1 THEN since ELSE '-infinity' END
             FROM ({WRONG}) AS every, (VALUES (1), (-1)) AS changes (change)
             WHERE is_since_wrong
         ) AS corrections WHERE kind = $1 HAVING count(*) > 0"
    ))
    .bind::<Text, _>(kind)
    .execute(connection)
    .map(drop)
}
