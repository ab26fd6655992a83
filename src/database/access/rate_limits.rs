//! Rate limits: how often a user may do something, by a token bucket for each user and action.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::buckets::{Bucket, Draw, Levels};
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
const DEFAULTS: [(Scope, RateLimit); 5] = [
    (Scope::PublishNew, RateLimit { burst: 1000, period: HOUR }),
    (Scope::PublishUpdate, RateLimit { burst: 3000, period: HOUR }),
    (Scope::Yank, RateLimit { burst: 1000, period: HOUR }),
    (Scope::ChangeOwners, RateLimit { burst: 1000, period: HOUR }),
    (Scope::PublishDocs, RateLimit { burst: 1000, period: HOUR }),
];

/// The limits of a registry. An action without a limit is unlimited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RateLimits {
    limits: HashMap<Scope, RateLimit>,
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
     action publish-new, publish-update, yank, change-owners or publish-docs"
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
        Ok(Self { limits })
    }

    fn of(&self, action: Scope) -> Option<RateLimit> {
        self.limits.get(&action).copied()
    }

    /// The bucket of an action; None if the action is unlimited.
    pub fn bucket(&self, action: Scope) -> Option<Bucket> {
        let limit = self.of(action)?;
        Some(Bucket { action: action.as_str(), size: limit.burst.into(), period: limit.period.as_secs_f64() })
    }

    /// The draw of an action; None if the action is unlimited.
    pub fn draw_of(&self, action: Scope) -> Option<Draw> {
        Some(Draw { bucket: self.bucket(action)?, amount: 1.0 })
    }

    /// Checks that a draw of the action would be allowed now.
    pub fn check(&self, levels: &Levels, login: &str, action: Scope) -> Result<(), RateLimited> {
        self.judge(levels, login, action, 1.0)
    }

    /// Checks the buckets after the draw of an action: an error if the draw took more than there was.
    pub fn check_drawn(&self, levels: &Levels, login: &str, action: Scope) -> Result<(), RateLimited> {
        self.judge(levels, login, action, 0.0)
    }

    fn judge(&self, levels: &Levels, login: &str, action: Scope, needed: f64) -> Result<(), RateLimited> {
        let (Some(limit), Some(bucket)) = (self.of(action), self.bucket(action)) else { return Ok(()) };
        match levels.of(bucket).map(|level| level - needed) {
            Some(left) if left < 0.0 => Err(refused(login, action, limit, left)),
            _ => Ok(()),
        }
    }
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
            // These have no limit of their own: a staging counts as a publish.
            Scope::StageNew | Scope::StageUpdate => "stage versions",
            Scope::Approve => "approve release sets",
            Scope::TrustedPublishing => "configure trusted publishers",
            Scope::PublishDocs => "upload documentation",
            Scope::Administer => "administer users",
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
    let is_limited = |action: &Scope| {
        !matches!(action, Scope::Read | Scope::StageNew | Scope::StageUpdate | Scope::Approve | Scope::Administer)
    };
    let limited = Scope::from_str(action.trim()).ok().filter(is_limited);
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
        assert_eq!(RateLimits::configured([]).unwrap(), RateLimits { limits: DEFAULTS.into() });
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
