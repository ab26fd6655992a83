//! Searches by text, with the best match first.
//!
//! A crate matches a text if its document has all words of the text, or if its name begins with the text. An exact
//! name, in any spelling, comes first. The score of the others depends on the fields that contain the words, on whether
//! the name begins with the text, and a little on the downloads.
//!
//! Ranking reads every match, which is too slow for thousands of matches. Then only candidates are ranked, of kinds
//! that can be found fast: crates that have the words in their names, crates whose names begin with the text, and
//! matches among the most downloaded crates of the registry. The other matches follow, the newest first.
//!
//! If no crate matches, the result has similar names: names that contain the text, that share most of its trigrams, or
//! that have two of its characters swapped.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text};

use super::found::{Found, FoundId};
use super::list::{family_of, join, order, paged, with_filter};
use super::query::{Page, SearchQuery, SearchText, Sort};
use super::totals::Totals;

/// The most matches that are all ranked.
const RANKED: i64 = 1000;
/// With more matches, the numbers of candidates by words in the name, by prefix of the name, and of the most downloaded
/// crates.
const NAMED: i64 = 200;
const NEAREST: i64 = 50;
const POPULAR: i64 = 600;
/// The most matches that are sorted in another order.
const SORTED: i64 = 3000;
/// The most similar names in a result.
const SIMILAR: i64 = 100;
/// The smallest similarity of two names, as pg_trgm measures it, from 0 to 1.
const SIMILARITY: &str = "0.45";
/// The shortest text, in bytes, for which similar names are searched: shorter ones are part of too many names.
const SHORTEST_PART: usize = 3;

/// Planner settings for the rest of the transaction. The planner underestimates the cost of reading a document, which
/// may be stored out of line, and no statement here is worth a second process.
const PLANNING: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;
    SET LOCAL enable_mergejoin = off; SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0;
    SET LOCAL pg_trgm.similarity_threshold = ";

/// The score of a match. A word in the name counts most, a word that is only in the README does not count.
const SCORE: &str = "(ts_rank('{0, 0.2, 0.5, 1}', s.head, plainto_tsquery('english', $1))
    + CASE WHEN s.name >= $2 AND s.name < $3 THEN 0.3 ELSE 0 END + least(ln(1 + coalesce(downloads, 0)) / 40, 0.4))";

/// The query for crates with all words in the name.
const NAMES: &str = "(SELECT string_agg(quote_literal('@' || word), ' & ')::tsquery
    FROM unnest(tsvector_to_array(to_tsvector('english', $1))) AS word)";

/// $1 are the words, $4 is the query for the prefix of the name. If both are empty, nothing matches.
const MATCHES: &str = "s.document @@ (plainto_tsquery('english', $1) || $4::tsquery)";

pub(super) fn search(
    connection: &mut PgConnection,
    text: &SearchText,
    query: &SearchQuery,
    page: Page,
    totals: &Totals,
) -> QueryResult<Found> {
    let name = text.name.clone().unwrap_or_default();
    let beginning = text.name.as_ref().map(|name| format!("'={name}':*")).unwrap_or_default();
    let search = Search { text, name, name_end: text.name_end().unwrap_or_default(), beginning };
    connection.transaction(|connection| search.find(connection, query, page, totals))
}

/// A text as the first four parameters of the statements: its words, the range of names that begin with it (empty if it
/// cannot be a name), and the query for the prefix.
struct Search<'a> {
    text: &'a SearchText,
    name: String,
    name_end: String,
    beginning: String,
}

type Statement = diesel::query_builder::BoxedSqlQuery<'static, diesel::pg::Pg, diesel::query_builder::SqlQuery>;

impl Search<'_> {
    fn find(
        &self,
        connection: &mut PgConnection,
        query: &SearchQuery,
        page: Page,
        totals: &Totals,
    ) -> QueryResult<Found> {
        connection.batch_execute(&format!("{PLANNING}{SIMILARITY}"))?;
        if !query.filter.is_empty() || query.sort != Sort::Relevance {
            return self.in_order(connection, query, page, totals);
        }
        let counting = format!("SELECT count(*) AS total FROM crate_search AS s WHERE {MATCHES}");
        let total = totals.of(&self.key(), || self.bound(&counting).get_result(connection))?;
        let crate_ids = match total {
            0 => return self.similar(connection, page),
            1..=RANKED => self.ranked(connection, page)?,
            _ => self.many(connection, page)?,
        };
        Ok(Found { crate_ids, total })
    }

    /// The key of the total in the cache.
    fn key(&self) -> String {
        format!("{}\0{}", self.text.words, self.beginning)
    }

    fn bound(&self, statement: &str) -> Statement {
        diesel::sql_query(statement.to_owned())
            .into_boxed()
            .bind::<Text, _>(self.text.words.clone())
            .bind::<Text, _>(self.name.clone())
            .bind::<Text, _>(self.name_end.clone())
            .bind::<Text, _>(self.beginning.clone())
    }

    /// Matches in another order, or with a filter.
    fn in_order(
        &self,
        connection: &mut PgConnection,
        query: &SearchQuery,
        page: Page,
        totals: &Totals,
    ) -> QueryResult<Found> {
        let counting = format!("SELECT count(*) AS total FROM crate_search AS s WHERE {MATCHES}");
        let matching = totals.of(&self.key(), || self.bound(&counting).get_result(connection))?;
        let joined = if query.sort == Sort::Relevance { join(Sort::Downloads) } else { join(query.sort) };
        // Few matches are found first and then sorted. With many, the first ones in the order are found soon.
        let tables = if matching <= SORTED {
            format!(
                "FROM (SELECT * FROM crate_search AS s WHERE {MATCHES} OFFSET 0) AS s
                 JOIN crates ON crates.id = s.crate_id {joined} WHERE version_count > 0"
            )
        } else {
            format!(
                "FROM crates {joined} JOIN LATERAL (
                     SELECT * FROM crate_search AS s WHERE s.crate_id = crates.id AND {MATCHES} OFFSET 0
                 ) AS s ON true WHERE version_count > 0"
            )
        };
        let family = family_of(connection, &query.filter)?;
        let total = if query.filter.is_empty() {
            matching
        } else {
            let counting = || self.bound(&format!("SELECT count(*) AS total {tables}"));
            totals.of(&format!("{}\0{:?}", self.key(), query.filter), || {
                with_filter(counting(), &query.filter, &family, 5).get_result(connection)
            })?
        };
        let finding = with_filter(self.bound(&format!("SELECT crates.id {tables}")), &query.filter, &family, 5);
        let ordered = match query.sort {
            Sort::Relevance => finding.sql(format!(" ORDER BY s.name = $2 DESC, {SCORE} DESC, s.name")),
            sort => finding.sql(order(sort)),
        };
        Ok(Found { crate_ids: ids(paged(ordered, page).load(connection)?), total })
    }

    /// All matches, ranked.
    fn ranked(&self, connection: &mut PgConnection, page: Page) -> QueryResult<Vec<i32>> {
        let statement = self.bound(&format!(
            "SELECT s.crate_id AS id FROM crate_search AS s LEFT JOIN crate_downloads USING (crate_id) WHERE {MATCHES}
             ORDER BY s.name = $2 DESC, {SCORE} DESC, s.name"
        ));
        Ok(ids(paged(statement, page).load(connection)?))
    }

    /// Ranked candidates, then the other matches, the newest first.
    fn many(&self, connection: &mut PgConnection, page: Page) -> QueryResult<Vec<i32>> {
        let best = self.bound(&format!(
            "SELECT s.crate_id AS id FROM (
                 (SELECT crate_id FROM crate_search WHERE name = $2)
                 UNION
                 (SELECT crate_id FROM crate_search WHERE name >= $2 AND name < $3 ORDER BY name LIMIT {NEAREST})
                 UNION
                 (SELECT crate_id FROM crate_search WHERE document @@ {NAMES} LIMIT {NAMED})
                 UNION
                 (SELECT s.crate_id FROM (
                      SELECT crate_id FROM crate_downloads WHERE shown ORDER BY downloads DESC, crate_id LIMIT {POPULAR}
                  ) AS popular CROSS JOIN LATERAL (
                      SELECT s.crate_id FROM crate_search AS s WHERE s.crate_id = popular.crate_id AND {MATCHES} OFFSET 0
                  ) AS s)
             ) AS candidates JOIN crate_search AS s USING (crate_id) LEFT JOIN crate_downloads USING (crate_id)
             ORDER BY s.name = $2 DESC, {SCORE} DESC, s.name"
        ));
        let best = ids(best.load(connection)?);
        let mut found = slice(&best, page);
        let missing = page.limit - i64::try_from(found.len()).unwrap_or(i64::MAX);
        if missing > 0 {
            let offset = (page.offset - i64::try_from(best.len()).unwrap_or(i64::MAX)).max(0);
            let others = self.bound(&format!(
                "SELECT s.crate_id AS id FROM crate_search AS s WHERE {MATCHES} AND s.crate_id <> ALL ($5)
                 ORDER BY s.crate_id DESC"
            ));
            let others = paged(others.bind::<Array<Integer>, _>(best), Page { limit: missing, offset });
            found.extend(ids(others.load(connection)?));
        }
        Ok(found)
    }

    /// Similar names.
    fn similar(&self, connection: &mut PgConnection, page: Page) -> QueryResult<Found> {
        if self.name.len() < SHORTEST_PART {
            return Ok(Found { crate_ids: Vec::new(), total: 0 });
        }
        // In LIKE an unescaped underscore matches any character.
        let part = self.name.replace('_', "\\_");
        let statement = self.bound(&format!(
            "SELECT crate_id AS id FROM (
                 SELECT crate_id, name, similarity(name, $2) AS score FROM crate_search
                 WHERE name % $2 OR name LIKE '%{part}%'
                 UNION ALL
                 SELECT crate_id, name, 1 FROM crate_search WHERE name = ANY ($5)
             ) AS alike
             GROUP BY crate_id, name ORDER BY max(score) DESC, name LIMIT {SIMILAR}"
        ));
        let all = ids(statement.bind::<Array<Text>, _>(self.text.transposed()).load(connection)?);
        Ok(Found { crate_ids: slice(&all, page), total: i64::try_from(all.len()).unwrap_or(i64::MAX) })
    }
}

fn ids(found: Vec<FoundId>) -> Vec<i32> {
    found.into_iter().map(|one| one.id).collect()
}

fn slice(all: &[i32], page: Page) -> Vec<i32> {
    let from = usize::try_from(page.offset).unwrap_or(usize::MAX).min(all.len());
    let to = from.saturating_add(usize::try_from(page.limit).unwrap_or_default()).min(all.len());
    all[from..to].to_vec()
}
