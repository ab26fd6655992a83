//! Token buckets in the database, so that all processes share them: what a user may do or upload in a period. A draw is
//! part of the transaction of its action, so a rejected request costs nothing; except an upload of documentation, whose
//! archive is costly to examine.

use diesel::prelude::*;
use diesel::sql_types::{Array, Double, Integer, Jsonb, Nullable, Text};
use serde_json::Value;

use crate::statement::{Statement, statement};

/// A kind of bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The action in the bucket's row.
    pub action: &'static str,
    /// The content of a full bucket.
    pub size: f64,
    /// The seconds in which an empty bucket fills.
    pub period: f64,
}

/// What a request draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    pub bucket: Bucket,
    pub amount: f64,
}

/// The contents of a user's buckets, by action.
#[derive(Clone, Debug, Default)]
pub struct Levels(Value);

impl Levels {
    /// The content of a bucket; None if nothing was ever drawn from it, so that it is full. It is below zero after a draw
    /// of more than it held.
    pub fn of(&self, bucket: Bucket) -> Option<f64> {
        self.0[bucket.action].as_f64().map(|level| level.min(bucket.size))
    }
}

impl From<Option<Value>> for Levels {
    fn from(levels: Option<Value>) -> Self {
        Self(levels.unwrap_or_default())
    }
}

/// SQL: an expression with the present [`Levels`] of some buckets, in a statement in which `asked` has `user_id` and what
/// [`bind_buckets`] binds.
pub(in crate::database) const LEVELS: &str = "
    (SELECT jsonb_object_agg(
         action, tokens + extract(epoch FROM clock_timestamp() - filled_at) * bucket_size / bucket_period)
     FROM asked, unnest(bucket_actions, bucket_sizes, bucket_periods) AS bucket (action, bucket_size, bucket_period)
     JOIN rate_limit_buckets USING (action)
     WHERE rate_limit_buckets.user_id = asked.user_id)";

/// SQL: the common table expressions `draws` and `drawn`, which draw from buckets in the order of their actions, so that
/// two requests do not deadlock. `asked` has `user_id` and what [`bind_draws`] binds.
pub(in crate::database) const DRAWN: &str = "
    draws AS MATERIALIZED (
        SELECT user_id, draw.*
        FROM asked, unnest(bucket_actions, bucket_sizes, bucket_periods, bucket_draws) AS draw (action, size, period, amount)),
    drawn AS (
        INSERT INTO rate_limit_buckets AS bucket (user_id, action, tokens, filled_at)
        SELECT user_id, action, size - amount, clock_timestamp() FROM draws ORDER BY action
        ON CONFLICT (user_id, action) DO UPDATE
        SET (tokens, filled_at) = (
            SELECT least(size, bucket.tokens
                       + extract(epoch FROM clock_timestamp() - bucket.filled_at) * size / period) - amount,
                   clock_timestamp()
            FROM draws WHERE draws.action = bucket.action)
        RETURNING action, tokens)";

/// SQL: an expression with the [`Levels`] after the draws of [`DRAWN`].
pub(in crate::database) const LEVELS_AFTER: &str = "(SELECT jsonb_object_agg(action, tokens) FROM drawn)";

/// Binds three arrays: `bucket_actions`, `bucket_sizes` and `bucket_periods`.
pub(in crate::database) fn bind_buckets<'a>(statement: Statement<'a>, buckets: &[Bucket]) -> Statement<'a> {
    statement
        .bind::<Array<Text>, _>(buckets.iter().map(|bucket| bucket.action).collect::<Vec<_>>())
        .bind::<Array<Double>, _>(buckets.iter().map(|bucket| bucket.size).collect::<Vec<_>>())
        .bind::<Array<Double>, _>(buckets.iter().map(|bucket| bucket.period).collect::<Vec<_>>())
}

/// Binds four arrays: those of [`bind_buckets`], and `bucket_draws`.
pub(in crate::database) fn bind_draws<'a>(statement: Statement<'a>, draws: &[Draw]) -> Statement<'a> {
    bind_buckets(statement, &draws.iter().map(|draw| draw.bucket).collect::<Vec<_>>())
        .bind::<Array<Double>, _>(draws.iter().map(|draw| draw.amount).collect::<Vec<_>>())
}

/// Draws from a user's buckets. If one is below zero then, the caller rolls the transaction back.
pub fn draw(connection: &mut PgConnection, user: i32, draws: &[Draw]) -> QueryResult<Levels> {
    if draws.is_empty() {
        return Ok(Levels::default());
    }
    let statement = statement(format!(
        "WITH asked AS MATERIALIZED (
             SELECT $1 AS user_id, $2 AS bucket_actions, $3 AS bucket_sizes, $4 AS bucket_periods, $5 AS bucket_draws),
         {DRAWN}
         SELECT {LEVELS_AFTER}"
    ))
    .bind::<Integer, _>(user);
    let levels: Option<Value> = bind_draws(statement, draws).returning::<Nullable<Jsonb>>().get_result(connection)?;
    Ok(levels.into())
}
