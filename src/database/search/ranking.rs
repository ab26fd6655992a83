//! The crates that a text finds, the best first.
//!
//! A text matches a crate whose document has all its words, or whose name begins with it. The exact name comes first,
//! however it is spelt. Then a crate counts for where the words stand in it, whether its name begins with the text, and a
//! little for its downloads.
//!
//! Ranking reads every match, which is too much where a word is in half of all crates. There the most downloaded matches
//! and the nearest names are ranked, and the others follow by downloads: who looks that far has not found the word that
//! tells them apart.
//!
//! Where hardly anything matches, names that resemble the text follow: those that contain it, share most of its
//! trigrams, or have two of its letters exchanged.

use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text};

use super::list::{join, order, paged, with_filter};
use super::query::SearchText;
use super::{Count, Found, FoundId, Page, SearchQuery, Sort};

/// Up to so many matches all are ranked.
const RANKED: i64 = 4000;
/// Of more matches so many of the most downloaded are ranked, and so many of the nearest names.
const POPULAR: i64 = 200;
const NEAREST: i64 = 50;
/// With fewer matches than these, names that resemble the text follow, and so many at most.
const FEW: i64 = 10;
const SIMILAR: i64 = 100;
/// How much alike two names have to be, as pg_trgm measures it, from 0 to 1.
const SIMILARITY: &str = "0.4";
/// Below this a text is part of too many names to tell anything.
const SHORTEST_PART: usize = 3;

/// How good a match is. A word in the name counts most, one that is only in the README nothing.
const SCORE: &str = "(ts_rank('{0, 0.2, 0.5, 1}', s.head, plainto_tsquery('english', $1))
    + CASE WHEN s.name >= $2 AND s.name < $3 THEN 0.3 ELSE 0 END + least(ln(1 + coalesce(downloads, 0)) / 40, 0.4))";

const MATCHES: &str = "(s.document @@ plainto_tsquery('english', $1) OR (s.name >= $2 AND s.name < $3))";

pub(super) fn search(
    connection: &mut PgConnection,
    text: &SearchText,
    query: &SearchQuery,
    page: Page,
) -> QueryResult<Found> {
    let name = text.name.clone().unwrap_or_default();
    let search = Search { text, name, name_end: text.name_end().unwrap_or_default() };
    if !query.filter.is_empty() || query.sort != Sort::Relevance {
        return search.in_order(connection, query, page);
    }
    let counting = format!("SELECT count(*) AS total FROM crate_search AS s WHERE {MATCHES}");
    let Count { total } = search.bound(&counting).get_result(connection)?;
    let crate_ids = match total {
        0..FEW => return search.few(connection, page),
        FEW..=RANKED => search.ranked(connection, page)?,
        _ => search.many(connection, page)?,
    };
    Ok(Found { crate_ids, total })
}

/// A text in the forms of the statements' first three parameters: its words, and the range of names that begin with it,
/// which is empty if it can't be a name.
struct Search<'a> {
    text: &'a SearchText,
    name: String,
    name_end: String,
}

type Statement = diesel::query_builder::BoxedSqlQuery<'static, diesel::pg::Pg, diesel::query_builder::SqlQuery>;

impl Search<'_> {
    fn bound(&self, statement: &str) -> Statement {
        diesel::sql_query(statement.to_owned())
            .into_boxed()
            .bind::<Text, _>(self.text.words.clone())
            .bind::<Text, _>(self.name.clone())
            .bind::<Text, _>(self.name_end.clone())
    }

    /// In another order, or of some crates only.
    fn in_order(&self, connection: &mut PgConnection, query: &SearchQuery, page: Page) -> QueryResult<Found> {
        let tables = format!(
            "FROM crates JOIN crate_search AS s ON s.crate_id = crates.id {} WHERE version_count > 0 AND {MATCHES}",
            if query.sort == Sort::Relevance { join(Sort::Downloads) } else { join(query.sort) }
        );
        let counting = self.bound(&format!("SELECT count(*) AS total {tables}"));
        let Count { total } = with_filter(counting, &query.filter, 4).get_result(connection)?;
        let finding = with_filter(self.bound(&format!("SELECT crates.id {tables}")), &query.filter, 4);
        let ordered = match query.sort {
            Sort::Relevance => finding.sql(format!(" ORDER BY s.name = $2 DESC, {SCORE} DESC, s.name")),
            sort => finding.sql(order(sort)),
        };
        Ok(Found { crate_ids: ids(paged(ordered, page).load(connection)?), total })
    }

    /// Every match, ranked.
    fn ranked(&self, connection: &mut PgConnection, page: Page) -> QueryResult<Vec<i32>> {
        let statement = self.bound(&format!(
            "SELECT s.crate_id AS id FROM crate_search AS s LEFT JOIN crate_downloads USING (crate_id) WHERE {MATCHES}
             ORDER BY s.name = $2 DESC, {SCORE} DESC, s.name"
        ));
        Ok(ids(paged(statement, page).load(connection)?))
    }

    /// The most downloaded matches and the nearest names, ranked; then the others by downloads.
    fn many(&self, connection: &mut PgConnection, page: Page) -> QueryResult<Vec<i32>> {
        let by_downloads =
            format!("FROM crate_downloads JOIN crate_search AS s USING (crate_id) WHERE shown AND {MATCHES}");
        let best = self.bound(&format!(
            "SELECT s.crate_id AS id FROM (
                 (SELECT crate_id FROM crate_search WHERE name = $2)
                 UNION
                 (SELECT crate_id FROM crate_search WHERE name >= $2 AND name < $3 ORDER BY name LIMIT {NEAREST})
                 UNION
                 (SELECT crate_id {by_downloads} ORDER BY downloads DESC, crate_id LIMIT {POPULAR})
             ) AS candidates JOIN crate_search AS s USING (crate_id) LEFT JOIN crate_downloads USING (crate_id)
             ORDER BY s.name = $2 DESC, {SCORE} DESC, s.name"
        ));
        let best = ids(best.load(connection)?);
        let mut found = slice(&best, page);
        let wanted = page.limit - i64::try_from(found.len()).unwrap_or(i64::MAX);
        if wanted > 0 {
            let offset = (page.offset - i64::try_from(best.len()).unwrap_or(i64::MAX)).max(0);
            let others = self.bound(&format!(
                "SELECT crate_id AS id {by_downloads} AND crate_id <> ALL ($4) ORDER BY downloads DESC, crate_id"
            ));
            let others = paged(others.bind::<Array<Integer>, _>(best), Page { limit: wanted, offset });
            found.extend(ids(others.load(connection)?));
        }
        Ok(found)
    }

    /// Every match, ranked, and then names that resemble the text.
    fn few(&self, connection: &mut PgConnection, page: Page) -> QueryResult<Found> {
        let part = if self.name.len() < SHORTEST_PART {
            "false".to_owned()
        } else {
            // An underscore stands for any character where it is not escaped.
            format!("s.name LIKE '%{}%'", self.name.replace('_', "\\_"))
        };
        let statement = self.bound(&format!(
            "WITH matching AS (
                 SELECT s.crate_id, s.name, 2 + {SCORE} AS score
                 FROM crate_search AS s LEFT JOIN crate_downloads USING (crate_id) WHERE {MATCHES}
             ), similar_ones AS (
                 SELECT crate_id, name, max(score) AS score FROM (
                     SELECT s.crate_id, s.name, similarity(s.name, $2) AS score FROM crate_search AS s
                     WHERE (s.name % $2 AND similarity(s.name, $2) >= {SIMILARITY}) OR {part}
                     UNION ALL
                     SELECT s.crate_id, s.name, 1 FROM crate_search AS s WHERE s.name = ANY ($4)
                 ) AS alike
                 WHERE crate_id NOT IN (SELECT crate_id FROM matching)
                 GROUP BY crate_id, name ORDER BY score DESC, name LIMIT {SIMILAR}
             )
             SELECT crate_id AS id FROM (SELECT * FROM matching UNION ALL SELECT * FROM similar_ones) AS both_kinds
             ORDER BY name = $2 DESC, score DESC, name"
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
