//! The upload allowance: the bytes of crate files that a user can upload in a day. It is a bucket like those of the
//! rate limits, from which a publish draws before its file is stored. Rejected publishes count, because they write to
//! the disk too.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Double, Integer};

use super::rate_limits::RateLimited;
use crate::package::limits::ByteSize;
use crate::statement::statement;

/// The action in the bucket's row.
const ACTION: &str = "upload";
/// The period in which an empty bucket fills, in seconds.
const DAY: f64 = 24.0 * 60.0 * 60.0;

/// The bytes in a full bucket, which fills in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadAllowance(pub u64);

#[derive(QueryableByName)]
struct Left {
    #[diesel(sql_type = Double)]
    tokens: f64,
}

impl UploadAllowance {
    /// Draws the size of an upload from the user's bucket: `Ok(None)` if it held enough, else the time to wait. An
    /// upload that is larger than the whole allowance needs a full bucket, and the next one waits longer. The draw
    /// commits asynchronously: a crash of the database can lose the draws of the last second.
    pub fn draw(
        self,
        connection: &mut PgConnection,
        user: i32,
        login: &str,
        size: usize,
    ) -> QueryResult<Option<RateLimited>> {
        let drawn: Option<Left> = statement(
            "WITH given AS MATERIALIZED (
                 SELECT $1::integer AS user_id, $2::float8 AS size, $3::float8 AS allowance,
                        set_config('synchronous_commit', 'off', true))
             INSERT INTO rate_limit_buckets AS bucket (user_id, action, tokens, filled_at)
             SELECT user_id, 'upload', allowance - size, clock_timestamp() FROM given
             ON CONFLICT (user_id, action) DO UPDATE
             SET tokens = least((SELECT allowance FROM given), bucket.tokens
                     + extract(epoch FROM clock_timestamp() - bucket.filled_at) * (SELECT allowance FROM given) / 86400)
                     - (SELECT size FROM given),
                 filled_at = clock_timestamp()
             WHERE bucket.tokens
                     + extract(epoch FROM clock_timestamp() - bucket.filled_at) * (SELECT allowance FROM given) / 86400
                 >= (SELECT least(size, allowance) FROM given)
             RETURNING tokens",
        )
        .bind::<Integer, _>(user)
        .bind::<Double, _>(float(size as u64))
        .bind::<Double, _>(float(self.0))
        .get_result(connection)
        .optional()?;
        if drawn.is_some() {
            return Ok(None);
        }
        let missing = statement(
            "SELECT $1 - (tokens + extract(epoch FROM clock_timestamp() - filled_at) * $2 / 86400) AS tokens
             FROM rate_limit_buckets WHERE user_id = $3 AND action = 'upload'",
        )
        .bind::<Double, _>(float(self.0.min(size as u64)))
        .bind::<Double, _>(float(self.0))
        .bind::<Integer, _>(user)
        .get_result::<Left>(connection)?;
        Ok(Some(self.refused(login, missing.tokens)))
    }

    fn refused(self, login: &str, missing: f64) -> RateLimited {
        let seconds = (missing / float(self.0.max(1)) * DAY).clamp(0.0, DAY * 365.0);
        let wait = Duration::from_secs(Duration::from_secs_f64(seconds).as_secs() + 1);
        let at = chrono::Utc::now() + chrono::TimeDelta::from_std(wait).unwrap_or(chrono::TimeDelta::MAX);
        RateLimited {
            login: login.to_owned(),
            action: ACTION,
            allowed: format!("{} of crate files a day, including those of rejected publishes", ByteSize(self.0)),
            wait,
            at: at.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "the last digits of sizes above 2^53 bytes do not matter")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
