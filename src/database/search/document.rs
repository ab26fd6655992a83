//! What is searched of a crate.

use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};

use crate::database::about::About;
use crate::database::words::words;

/// Bytes of words that are searched: of a description, and of a README, whose first lines say what a crate is for.
const DESCRIPTION: usize = 1000;
const README: usize = 4000;

/// A crate as its default version describes it.
pub struct Described<'a> {
    pub crate_id: i32,
    pub canonical_name: &'a str,
    pub default_version: i32,
    pub about: &'a About,
}

/// Writes what is searched of a crate. A document that says the same already is not touched: that is what a publish pays
/// for most, since every word is an entry of an index.
pub fn note(connection: &mut PgConnection, described: &Described<'_>) -> QueryResult<()> {
    let about = described.about;
    let keywords = about.keyword_ids().join(" ");
    diesel::sql_query(
        "INSERT INTO crate_search (crate_id, name, head, document)
         SELECT $1, $2, head, strip(head || to_tsvector('english', $6)) || array_to_tsvector(ARRAY['=' || $2] || name_words)
         FROM (SELECT ARRAY(SELECT '@' || word FROM unnest(tsvector_to_array(to_tsvector('english', $3))) AS word) AS name_words,
                      setweight(to_tsvector('english', $3), 'A') || setweight(to_tsvector('english', $4), 'B')
                      || setweight(to_tsvector('english', $5), 'C') AS head) AS described
         ON CONFLICT (crate_id) DO UPDATE SET head = excluded.head, document = excluded.document
         WHERE (crate_search.head, crate_search.document) IS DISTINCT FROM (excluded.head, excluded.document)",
    )
    .bind::<Integer, _>(described.crate_id)
    .bind::<Text, _>(described.canonical_name)
    .bind::<Text, _>(described.canonical_name.replace('_', " "))
    .bind::<Text, _>(words(&keywords, DESCRIPTION))
    .bind::<Text, _>(words(about.description.as_deref().unwrap_or_default(), DESCRIPTION))
    .bind::<Text, _>(words(&readme_beginning(connection, described.default_version)?, README))
    .execute(connection)
    .map(drop)
}

/// Takes a crate out of what is searched.
pub fn forget(connection: &mut PgConnection, crate_id: i32) -> QueryResult<()> {
    diesel::sql_query("DELETE FROM crate_search WHERE crate_id = $1")
        .bind::<Integer, _>(crate_id)
        .execute(connection)
        .map(drop)
}

/// The beginning of a README: some of its characters are not of words.
fn readme_beginning(connection: &mut PgConnection, version_id: i32) -> QueryResult<String> {
    #[derive(QueryableByName)]
    struct Readme {
        #[diesel(sql_type = Text)]
        readme: String,
    }
    let statement = "SELECT left(coalesce(metadata->>'readme', ''), $2) AS readme FROM versions WHERE id = $1";
    diesel::sql_query(statement)
        .bind::<Integer, _>(version_id)
        .bind::<Integer, _>(i32::try_from(2 * README).unwrap_or(i32::MAX))
        .get_result(connection)
        .map(|Readme { readme }| readme)
}
