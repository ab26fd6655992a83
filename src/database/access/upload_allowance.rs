//! How many bytes of crate files a user may upload in a day: a bucket as those of the rate limits, of bytes, which a
//! publish draws from before its file is stored. Refused publishes have drawn as well, so that nobody can keep the disk
//! busy with them.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Double, Integer};

use super::rate_limits::RateLimited;
use crate::package::limits::ByteSize;
use crate::statement::statement;

/// What the bucket is called.
const ACTION: &str = "upload";
/// In which an empty bucket fills.
const DAY: f64 = 24.0 * 60.0 * 60.0;

/// So many bytes at once, and as many again in each day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadAllowance(pub u64);

#[derive(QueryableByName)]
struct Left {
    #[diesel(sql_type = Double)]
    tokens: f64,
}

impl UploadAllowance {
    /// Takes the size of an upload from the user's bucket: Ok(None) if there was as much in it, or else how long to wait.
    /// An upload that is larger than the whole allowance needs a full bucket, and the next one waits for it. It is a
    /// commit of its own, which waits for no disk: a crash of the database may forget the draws of the last second.
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
            allowed: format!("{} of crate files in a day, those of refused publishes included", ByteSize(self.0)),
            wait,
            at: at.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "of sizes beyond 2^53 bytes the last digits don't matter")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
