//! Who downloaded a crate or a version, from the log.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};

use crate::package::{CrateName, Version};

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The name of the upstream; empty for this registry.
    pub upstream: String,
    pub name: CrateName,
    /// None for all versions.
    pub version: Option<Version>,
}

/// The downloads of a version with one token.
#[derive(QueryableByName, Clone, Debug)]
pub struct ByToken {
    #[diesel(sql_type = Text)]
    pub version: String,
    #[diesel(sql_type = Text)]
    pub login: String,
    #[diesel(sql_type = Integer)]
    pub token_id: i32,
    /// At the time of the last one.
    #[diesel(sql_type = Text)]
    pub token_name: String,
    /// Some of the addresses that they came from.
    #[diesel(sql_type = Array<Text>)]
    pub addresses: Vec<String>,
    #[diesel(sql_type = BigInt)]
    pub delivered: i64,
    #[diesel(sql_type = BigInt)]
    pub refused: i64,
    #[diesel(sql_type = Timestamptz)]
    pub first: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub last: DateTime<Utc>,
}

/// The downloads of a version without a token from one address.
#[derive(QueryableByName, Clone, Debug)]
pub struct ByAddress {
    #[diesel(sql_type = Text)]
    pub version: String,
    /// None if it was not known.
    #[diesel(sql_type = Nullable<Text>)]
    pub address: Option<String>,
    /// That of the last one.
    #[diesel(sql_type = Nullable<Text>)]
    pub user_agent: Option<String>,
    #[diesel(sql_type = BigInt)]
    pub delivered: i64,
    #[diesel(sql_type = BigInt)]
    pub refused: i64,
    #[diesel(sql_type = Timestamptz)]
    pub first: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub last: DateTime<Utc>,
}

/// The condition on the rows: `$1` to `$4` are upstream, name, version and time.
/// A version that is given without build metadata is that with any.
const OF_SUBJECT: &str = "upstream = $1 AND canonical_name = $2 AND at >= $4
    AND ($3::text IS NULL OR version = $3 OR (strpos($3, '+') = 0 AND split_part(version, '+', 1) = $3))";

/// The counts and times of a group of rows.
const COUNTED: &str =
    "count(*) FILTER (WHERE is_delivered) AS delivered, count(*) FILTER (WHERE NOT is_delivered) AS refused,
    min(at) AS first, max(at) AS last";

/// Those with a token, the first `limit` by the time of the first download.
pub fn by_token(
    connection: &mut PgConnection,
    subject: &Subject,
    (since, limit): (DateTime<Utc>, i64),
) -> QueryResult<Vec<ByToken>> {
    let query = format!(
        "SELECT version, login, token_id, (array_agg(token_name ORDER BY at DESC))[1] AS token_name,
             coalesce((array_agg(DISTINCT address) FILTER (WHERE address IS NOT NULL))[1:20], '{{}}') AS addresses, {COUNTED}
         FROM download_log WHERE {OF_SUBJECT} AND login IS NOT NULL
         GROUP BY version, login, token_id ORDER BY min(at), login, token_id LIMIT $5"
    );
    bound(query, subject, since).bind::<BigInt, _>(limit).load(connection)
}

/// Those without, the same.
pub fn by_address(
    connection: &mut PgConnection,
    subject: &Subject,
    (since, limit): (DateTime<Utc>, i64),
) -> QueryResult<Vec<ByAddress>> {
    let query = format!(
        "SELECT version, address, (array_agg(user_agent ORDER BY at DESC))[1] AS user_agent, {COUNTED}
         FROM download_log WHERE {OF_SUBJECT} AND login IS NULL
         GROUP BY version, address ORDER BY min(at), address LIMIT $5"
    );
    bound(query, subject, since).bind::<BigInt, _>(limit).load(connection)
}

type Bound = diesel::query_builder::BoxedSqlQuery<'static, diesel::pg::Pg, diesel::query_builder::SqlQuery>;

fn bound(query: String, subject: &Subject, since: DateTime<Utc>) -> Bound {
    diesel::sql_query(query)
        .into_boxed()
        .bind::<Text, _>(subject.upstream.clone())
        .bind::<Text, _>(subject.name.canonical())
        .bind::<Nullable<Text>, _>(subject.version.as_ref().map(ToString::to_string))
        .bind::<Timestamptz, _>(since)
}
