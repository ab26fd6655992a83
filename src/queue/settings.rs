//! The settings of a runner.

use std::time::Duration;

/// How far a claim moves the due time of fresh rows.
pub(super) const GAP: Duration = Duration::from_secs(3);

/// The settings of a runner. The defaults are right for production; tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How far a claim moves the due time of fresh rows: longer than the microseconds between its two steps, and short
    /// enough that a job whose worker is killed there is hardly late.
    pub gap: Duration,
    /// How long a job waits after an outage, unless a success in its queue makes it due earlier.
    pub outage_backoff: Duration,
    /// How often an idle worker polls, a fifth more or less.
    pub poll: Duration,
    /// How long the second step of a claim waits for a lock.
    pub hold_timeout: Duration,
    /// How long claiming or recording may take. After that the connection counts as hung.
    pub database_timeout: Duration,
    /// How often the time limits of running jobs are checked.
    pub watch_every: Duration,
    /// How long a worker's place stays empty while too many threads of its queue hang.
    pub hung_pause: Duration,
    /// How often the sweep goes through all jobs, a fifth more or less.
    pub sweep_every: Duration,
    /// Jobs that the sweep reads in one statement.
    pub sweep_page: u32,
    /// How much longer than the kind's time limit a row may be held before the sweep ends the session. The process that
    /// runs the job enforces the limit first, and then the database.
    pub sweep_patience: Duration,
    /// An upper bound on the time limits of all kinds.
    pub longest_run: Duration,
    /// How long receipts are kept in the history.
    pub history_retention: Duration,
    /// A deliberate mistake that the tests must detect.
    #[cfg(any(debug_assertions, feature = "fail-points"))]
    #[doc(hidden)]
    pub hold_skips_locked: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gap: GAP,
            outage_backoff: Duration::from_secs(5),
            poll: Duration::from_secs(1),
            hold_timeout: Duration::from_secs(2),
            database_timeout: Duration::from_secs(30),
            watch_every: Duration::from_secs(1),
            hung_pause: Duration::from_secs(10 * 60),
            sweep_every: Duration::from_secs(60),
            sweep_page: 500,
            sweep_patience: Duration::from_secs(30),
            longest_run: Duration::MAX,
            history_retention: Duration::from_secs(30 * 24 * 60 * 60),
            #[cfg(any(debug_assertions, feature = "fail-points"))]
            hold_skips_locked: false,
        }
    }
}

/// A fifth more or less than `wait`, so that retries and polls which began together spread out.
pub(super) fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::random_range(0.8..1.2))
}
