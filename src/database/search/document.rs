//! The search document of a crate.

use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text};

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

/// Writes the search documents of crates. A row that already has the document is not written: the write is the most
/// expensive part of a description, because every word is an index entry.
pub fn note(connection: &mut PgConnection, described: &[Described<'_>]) -> QueryResult<()> {
    if described.is_empty() {
        return Ok(());
    }
    let texts = |of: &dyn Fn(&Described<'_>) -> String| -> Vec<String> { described.iter().map(of).collect() };
    // Materialized, because each vector is used more than once.
    statement(
        "WITH given (crate_id, name, name_words, keywords, description, readme) AS MATERIALIZED (
             SELECT crate_id, name, to_tsvector('english', name_words), to_tsvector('english', keywords),
                    to_tsvector('english', description), to_tsvector('english', readme)
             FROM unnest($1, $2, $3, $4, $5, $6)
                  AS texts (crate_id, name, name_words, keywords, description, readme)
         ), described AS MATERIALIZED (
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
    .bind::<Array<Integer>, _>(described.iter().map(|one| one.crate_id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(texts(&|one| one.canonical_name.to_owned()))
    .bind::<Array<Text>, _>(texts(&|one| one.canonical_name.replace('_', " ")))
    .bind::<Array<Text>, _>(texts(&|one| words(&one.about.keyword_ids().join(" "), DESCRIPTION)))
    .bind::<Array<Text>, _>(texts(&|one| words(one.about.description.as_deref().unwrap_or_default(), DESCRIPTION)))
    .bind::<Array<Text>, _>(texts(&|one| words(one.readme, README)))
    .execute(connection)
    .map(drop)
}

/// Deletes the search documents of crates.
pub fn forget(connection: &mut PgConnection, crate_ids: &[i32]) -> QueryResult<()> {
    if crate_ids.is_empty() {
        return Ok(());
    }
    statement("DELETE FROM crate_search WHERE crate_id = ANY($1)")
        .bind::<Array<Integer>, _>(crate_ids)
        .execute(connection)
        .map(drop)
}
