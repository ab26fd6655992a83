//! A database with crates of made-up words.

use std::error::Error;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Text};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::words::{WORDS, Words};

pub const README_WORDS: usize = 120;
const CHUNK: usize = 2_000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Crates as publishes would have left them, each with so many versions.
pub fn populate(connection: &mut PgConnection, words: &Words, crates: usize, versions: usize) -> Outcome<()> {
    let mut random = StdRng::seed_from_u64(1);
    // Indexes are made faster than they are kept. A plan for the tables as they were when empty would read them whole for each
    // row later.
    connection.batch_execute(
        "SET plan_cache_mode = force_custom_plan; ALTER TABLE crates DISABLE TRIGGER USER; DROP INDEX crate_search_document; DROP INDEX crate_search_similar_name",
    )?;
    for first in (0..crates).step_by(CHUNK) {
        let numbers = first..(first + CHUNK).min(crates);
        let names: Vec<String> = numbers
            .clone()
            .map(|number| format!("{}-{}-{}", words.any(&mut random), words.any(&mut random), words.0[number % WORDS]))
            .zip(numbers.clone())
            .map(|(name, number)| if number % 3 == 0 { format!("{name}{number}") } else { format!("{name}-{number}") })
            .collect();
        let mut texts = |count: usize| numbers.clone().map(|_| words.text(&mut random, count)).collect::<Vec<_>>();
        let (keywords, descriptions, readmes) = (texts(4), texts(12), texts(README_WORDS));
        // The n-th crate has one of n parts of all downloads.
        let downloads: Vec<i64> =
            numbers.clone().map(|number| 100_000_000 / (1 + (number * 7919 % crates) as i64)).collect();
        diesel::sql_query(
            "WITH new AS (SELECT * FROM unnest($1, $2, $3, $4, $5) AS new (name, keywords, description, readme, downloads)),
             made AS (
                 INSERT INTO crates (name, max_version, version_count, description, keywords)
                 SELECT name, '1.' || $6 - 1 || '.0', $6, description, string_to_array(keywords, ' ') FROM new RETURNING id, name, canonical_name
             ), versions AS (
                 INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, state, effective_yanked,
                                       commit_id, published_at, metadata, manifest)
                 SELECT id, '1.' || minor || '.0', '1.' || minor || '.0', sha256((name || minor)::bytea), 1, '{}', 'published',
                        false, '', now(),
                        jsonb_build_object('readme', readme), jsonb_build_object('description', description)
                 FROM made JOIN new USING (name) CROSS JOIN generate_series(0, $6 - 1) AS minor
             ), searched AS (
                 INSERT INTO crate_search (crate_id, name, head, document)
                 SELECT id, canonical_name, head, strip(head || to_tsvector('english', readme))
                     || array_to_tsvector(ARRAY['=' || canonical_name] || name_words)
                 FROM (SELECT ARRAY(SELECT '@' || word FROM unnest(tsvector_to_array(
                                  to_tsvector('english', replace(canonical_name, '_', ' ')))) AS word) AS name_words, id, canonical_name, readme,
                              setweight(to_tsvector('english', replace(canonical_name, '_', ' ')), 'A')
                                  || setweight(to_tsvector('english', keywords), 'B')
                                  || setweight(to_tsvector('english', description), 'C') AS head
                       FROM made JOIN new USING (name)) AS described
             )
             INSERT INTO crate_downloads (crate_id, downloads, recent, shown)
             SELECT id, downloads, downloads / 10, true FROM made JOIN new USING (name)",
        )
        .bind::<Array<Text>, _>(&names)
        .bind::<Array<Text>, _>(&keywords)
        .bind::<Array<Text>, _>(&descriptions)
        .bind::<Array<Text>, _>(&readmes)
        .bind::<Array<BigInt>, _>(&downloads)
        .bind::<Integer, _>(i32::try_from(versions)?)
        .execute(connection)?;
    }
    connection.batch_execute(
        "CREATE INDEX crate_search_document ON crate_search USING gin (document);
         CREATE INDEX crate_search_similar_name ON crate_search USING gin (name gin_trgm_ops);
         UPDATE crates SET default_version_id = latest.id
             FROM (SELECT crate_id, max(id) AS id FROM versions GROUP BY crate_id) AS latest WHERE crate_id = crates.id;
         ALTER TABLE crates ENABLE TRIGGER USER; SELECT recount_registry()",
    )?;
    for table in ["crates", "versions", "crate_search", "crate_downloads"] {
        connection.batch_execute(&format!("VACUUM ANALYZE {table}"))?;
    }
    Ok(())
}
