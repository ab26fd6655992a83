//! The search document of a crate.

use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};

use super::words::words;
use crate::database::about::About;
use crate::statement::statement;

/// The most bytes of words that are searched: of a description, and of a README, whose first lines are the most
/// relevant.
const DESCRIPTION: usize = 1000;
pub const README: usize = 4000;

/// The texts of a crate's default version.
pub struct Described<'a> {
    pub crate_id: i32,
    pub canonical_name: &'a str,
    pub about: &'a About,
    pub readme: &'a str,
}

/// Writes the search document of a crate. A row that already has the document is not written: the write is the most
/// expensive part of a publish, because every word is an index entry.
pub fn note(connection: &mut PgConnection, described: &Described<'_>) -> QueryResult<()> {
    let about = described.about;
    let keywords = about.keyword_ids().join(" ");
    statement(
        "WITH given (crate_id, name, name_words, keywords, description, readme) AS (
             VALUES ($1::integer, $2, to_tsvector('english', $3), to_tsvector('english', $4),
                     to_tsvector('english', $5), to_tsvector('english', $6))
         ), described AS (
             SELECT crate_id, name, readme,
                    ARRAY(SELECT '@' || word FROM unnest(tsvector_to_array(name_words)) AS word) AS name_words,
                    setweight(name_words, 'A') || setweight(keywords, 'B') || setweight(description, 'C') AS head
             FROM given
         )
         INSERT INTO crate_search (crate_id, name, head, document)
         SELECT crate_id, name, head, strip(head || readme) || array_to_tsvector(ARRAY['=' || name] || name_words)
         FROM described
         ON CONFLICT (crate_id) DO UPDATE SET head = excluded.head, document = excluded.document
         WHERE (crate_search.head, crate_search.document) IS DISTINCT FROM (excluded.head, excluded.document)",
    )
    .bind::<Integer, _>(described.crate_id)
    .bind::<Text, _>(described.canonical_name)
    .bind::<Text, _>(described.canonical_name.replace('_', " "))
    .bind::<Text, _>(words(&keywords, DESCRIPTION))
    .bind::<Text, _>(words(about.description.as_deref().unwrap_or_default(), DESCRIPTION))
    .bind::<Text, _>(words(described.readme, README))
    .execute(connection)
    .map(drop)
}

/// Deletes the search document of a crate.
pub fn forget(connection: &mut PgConnection, crate_id: i32) -> QueryResult<()> {
    diesel::sql_query("DELETE FROM crate_search WHERE crate_id = $1")
        .bind::<Integer, _>(crate_id)
        .execute(connection)
        .map(drop)
}
