//! The upload allowance: the bytes of crate files that a user can publish in a day. It is a bucket like those of the
//! rate limits. A publish looks at it before its file is stored, and draws from it in its transaction. The file of a
//! rejected publish is removed, so it does not count.

use std::time::Duration;

use super::buckets::{Bucket, Draw, Levels};
use super::rate_limits::RateLimited;
use crate::package::limits::ByteSize;

/// The action in the bucket's row.
const ACTION: &str = "upload";
/// The period in which an empty bucket fills, in seconds.
const DAY: f64 = 24.0 * 60.0 * 60.0;

/// The bytes in a full bucket, which fills in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadAllowance(pub u64);

impl UploadAllowance {
    /// The user's bucket.
    pub fn bucket(self) -> Bucket {
        Bucket { action: ACTION, size: float(self.0), period: DAY }
    }

    /// The draw of an upload of this size.
    pub fn draw_of(self, size: usize) -> Draw {
        Draw { bucket: self.bucket(), amount: float(size as u64) }
    }

    /// Checks that an upload would be allowed now. One that is larger than the whole allowance needs a full bucket, and
    /// the next one waits longer.
    pub fn check(self, levels: &Levels, login: &str, size: usize) -> Result<(), RateLimited> {
        match levels.of(self.bucket()) {
            Some(level) => self.judge(level, login, size),
            None => Ok(()),
        }
    }

    /// Checks the bucket after the draw of an upload: an error if the draw took more than it may.
    pub fn check_drawn(self, levels: &Levels, login: &str, size: usize) -> Result<(), RateLimited> {
        match levels.of(self.bucket()) {
            Some(level) => self.judge(level + float(size as u64), login, size),
            None => Ok(()),
        }
    }

    fn judge(self, level: f64, login: &str, size: usize) -> Result<(), RateLimited> {
        let missing = float(self.0.min(size as u64)) - level;
        if missing > 0.0 { Err(self.refused(login, missing)) } else { Ok(()) }
    }

    fn refused(self, login: &str, missing: f64) -> RateLimited {
        let seconds = (missing / float(self.0.max(1)) * DAY).clamp(0.0, DAY * 365.0);
        let wait = Duration::from_secs(Duration::from_secs_f64(seconds).as_secs() + 1);
        let at = chrono::Utc::now() + chrono::TimeDelta::from_std(wait).unwrap_or(chrono::TimeDelta::MAX);
        RateLimited {
            login: login.to_owned(),
            action: ACTION,
            allowed: format!("{} of crate files a day", ByteSize(self.0)),
            wait,
            at: at.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "the last digits of sizes above 2^53 bytes do not matter")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
