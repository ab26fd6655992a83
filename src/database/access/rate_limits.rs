//! Rate limits: a token bucket for each user and action, in the database, so that all processes share it. A draw is
//! part of the transaction of its action: a rejected request costs nothing.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{Double, Integer, Text};
use parking_lot::Mutex;

use super::scope::Scope;

/// The size of a bucket, and the period in which an empty one fills.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    pub burst: u32,
    pub period: Duration,
}

const HOUR: Duration = Duration::from_secs(3600);

/// The default limits. They stop a program in a loop, but not people and their CI: the first publish of a workspace of
/// some hundred crates, a release of all of them several times an hour, a fleet of runners with one token.
const DEFAULTS: [(Scope, RateLimit); 4] = [
    (Scope::PublishNew, RateLimit { burst: 1000, period: HOUR }),
    (Scope::PublishUpdate, RateLimit { burst: 3000, period: HOUR }),
    (Scope::Yank, RateLimit { burst: 1000, period: HOUR }),
    (Scope::ChangeOwners, RateLimit { burst: 1000, period: HOUR }),
];

/// The most refusals that are remembered. Above it, expired ones are dropped, and if that is not enough, all.
const REMEMBERED: usize = 10_000;

/// The limits of a registry. An action without a limit is unlimited.
#[derive(Clone, Debug, Default)]
pub struct RateLimits {
    limits: HashMap<Scope, RateLimit>,
    /// The refused users and actions, and until when: only they are looked up before a draw.
    refused: Arc<Mutex<HashMap<(i32, Scope), Instant>>>,
}

/// Compares the limits, without the remembered refusals.
impl PartialEq for RateLimits {
    fn eq(&self, other: &Self) -> bool {
        self.limits == other.limits
    }
}

/// A user exceeded a limit. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rate limit exceeded (`{login}` may {action} {allowed}): try again in {} s, after {at}", .wait.as_secs())]
pub struct RateLimited {
    pub login: String,
    pub action: &'static str,
    pub allowed: String,
    /// Whole seconds until the next one is allowed.
    pub wait: Duration,
    /// The time at which the next one is allowed, as an HTTP date.
    pub at: String,
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} times in {}", self.burst, humantime::format_duration(self.period))
    }
}

/// The text is not a rate limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a rate limit: use ACTION=N/PERIOD (such as publish-new=5/10m), ACTION=unlimited, or none, with the \
     action publish-new, publish-update, yank or change-owners"
)]
pub struct InvalidRateLimit(pub String);

impl RateLimits {
    /// Parses the limits of the configuration. Each replaces the default of its action; `none` removes the defaults and
    /// all limits before it.
    pub fn configured<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidRateLimit> {
        let mut limits = HashMap::from(DEFAULTS);
        for text in texts.into_iter().map(str::trim) {
            if text == "none" {
                limits.clear();
                continue;
            }
            match parse(text)? {
                (action, Some(limit)) => drop(limits.insert(action, limit)),
                (action, None) => drop(limits.remove(&action)),
            }
        }
        Ok(Self { limits, ..Self::default() })
    }

    fn of(&self, action: Scope) -> Option<RateLimit> {
        self.limits.get(&action).copied()
    }

    /// Draws one from the user's bucket: `Ok(None)` if it had one, else the time to wait.
    pub fn draw(
        &self,
        connection: &mut PgConnection,
        user: i32,
        login: &str,
        action: Scope,
    ) -> QueryResult<Option<RateLimited>> {
        let Some(limit) = self.of(action) else { return Ok(None) };
        let left = left_after_draw(connection, user, action, limit)?;
        if left >= 0.0 {
            return Ok(None);
        }
        let refused = refused(login, action, limit, left);
        self.remember(user, action, refused.wait);
        Ok(Some(refused))
    }

    /// Whether a draw would be refused now. It costs nothing for users whom this process has not refused recently, and
    /// saves the work before a draw for the others.
    pub fn peek(
        &self,
        connection: &mut PgConnection,
        user: i32,
        login: &str,
        action: Scope,
    ) -> QueryResult<Option<RateLimited>> {
        let Some(limit) = self.of(action).filter(|_| self.was_refused(user, action)) else { return Ok(None) };
        let left: Option<Left> = diesel::sql_query(
            "SELECT least($3, tokens + extract(epoch FROM clock_timestamp() - filled_at) * $3 / $4) - 1 AS left
             FROM rate_limit_buckets WHERE user_id = $1 AND action = $2",
        )
        .bind::<Integer, _>(user)
        .bind::<Text, _>(action.as_str())
        .bind::<Double, _>(f64::from(limit.burst))
        .bind::<Double, _>(limit.period.as_secs_f64())
        .get_result(connection)
        .optional()?;
        Ok(left.filter(|found| found.left < 0.0).map(|found| refused(login, action, limit, found.left)))
    }

    fn remember(&self, user: i32, action: Scope, wait: Duration) {
        let mut refused = self.refused.lock();
        let now = Instant::now();
        if refused.len() >= REMEMBERED {
            refused.retain(|_, until| *until > now);
        }
        if refused.len() >= REMEMBERED {
            refused.clear();
        }
        refused.insert((user, action), now + wait);
    }

    fn was_refused(&self, user: i32, action: Scope) -> bool {
        let mut refused = self.refused.lock();
        match refused.get(&(user, action)) {
            Some(until) if *until > Instant::now() => true,
            Some(_) => {
                refused.remove(&(user, action));
                false
            }
            None => false,
        }
    }
}

#[derive(QueryableByName)]
struct Left {
    #[diesel(sql_type = Double)]
    left: f64,
}

/// The content of the bucket after a draw. It is below zero if the draw is refused: the caller rolls the transaction
/// back.
fn left_after_draw(connection: &mut PgConnection, user: i32, action: Scope, limit: RateLimit) -> QueryResult<f64> {
    let left: Left = diesel::sql_query(
        "INSERT INTO rate_limit_buckets AS bucket (user_id, action, tokens, filled_at)
         VALUES ($1, $2, $3 - 1, clock_timestamp())
         ON CONFLICT (user_id, action) DO UPDATE
         SET tokens = least($3, bucket.tokens
                 + extract(epoch FROM clock_timestamp() - bucket.filled_at) * $3 / $4) - 1,
             filled_at = clock_timestamp()
         RETURNING tokens AS left",
    )
    .bind::<Integer, _>(user)
    .bind::<Text, _>(action.as_str())
    .bind::<Double, _>(f64::from(limit.burst))
    .bind::<Double, _>(limit.period.as_secs_f64())
    .get_result(connection)?;
    Ok(left.left)
}

fn refused(login: &str, action: Scope, limit: RateLimit, left: f64) -> RateLimited {
    let missing = Duration::from_secs_f64((-left / f64::from(limit.burst) * limit.period.as_secs_f64()).max(0.0));
    let wait = Duration::from_secs(missing.as_secs() + 1);
    let at = chrono::Utc::now() + chrono::TimeDelta::from_std(wait).unwrap_or(chrono::TimeDelta::MAX);
    RateLimited {
        login: login.to_owned(),
        action: match action {
            Scope::PublishNew => "publish new crates",
            Scope::PublishUpdate => "publish versions",
            Scope::Yank => "yank and unyank",
            Scope::ChangeOwners => "change owners",
            Scope::Read => "read",
        },
        allowed: limit.to_string(),
        wait,
        at: at.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    }
}

/// Parses a limit of an action; None for an unlimited one.
fn parse(text: &str) -> Result<(Scope, Option<RateLimit>), InvalidRateLimit> {
    let invalid = || InvalidRateLimit(text.to_owned());
    let (action, limit) = text.split_once('=').ok_or_else(invalid)?;
    let limited = Scope::from_str(action.trim()).ok().filter(|action| *action != Scope::Read);
    if let (Some(action), "unlimited") = (limited, limit.trim()) {
        return Ok((action, None));
    }
    let (burst, period) = limit.split_once('/').ok_or_else(invalid)?;
    let action = limited.ok_or_else(invalid)?;
    let burst: u32 = burst.trim().parse().map_err(|_| invalid())?;
    let period = humantime::parse_duration(period.trim()).map_err(|_| invalid())?;
    if burst == 0 || period.is_zero() {
        return Err(invalid());
    }
    Ok((action, Some(RateLimit { burst, period })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_parsed() {
        let limits = RateLimits::configured(["none", "publish-new=5/10m", "yank=100/1h", "publish-new=6/1m"]).unwrap();
        assert_eq!(limits.of(Scope::PublishNew), Some(RateLimit { burst: 6, period: Duration::from_secs(60) }));
        assert_eq!(limits.of(Scope::Yank).unwrap().to_string(), "100 times in 1h");
        assert_eq!(limits.of(Scope::PublishUpdate), None);
        let unlimited = RateLimits::configured(["yank=unlimited"]).unwrap();
        assert_eq!(
            (unlimited.of(Scope::Yank), unlimited.of(Scope::PublishNew).map(|limit| limit.burst)),
            (None, Some(1000))
        );
        assert_eq!(
            RateLimits::configured([]).unwrap(),
            RateLimits { limits: DEFAULTS.into(), ..RateLimits::default() }
        );
        let one = RateLimits::configured(["yank=1/1h", "none", "publish-new=5/10m"]).unwrap();
        let five = RateLimit { burst: 5, period: Duration::from_secs(600) };
        assert_eq!(one.limits, HashMap::from([(Scope::PublishNew, five)]));
        for wrong in [
            "",
            "publish-new",
            "publish-new=5",
            "publish-new=0/1m",
            "publish=5/1m",
            "yank=5/0s",
            "read=5/1m",
            "read=unlimited",
        ] {
            assert!(RateLimits::configured([wrong]).is_err(), "{wrong}");
        }
    }
}
