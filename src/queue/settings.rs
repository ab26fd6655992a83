//! The times a runner lives by.

use std::time::Duration;

/// How far a claim moves the due time of fresh rows.
pub(super) const GAP: Duration = Duration::from_secs(3);

/// What a runner may be told. The defaults are right for production; tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How far a claim moves the due time of fresh rows, between its two steps and beyond: longer than the microseconds
    /// from touch to hold, short enough that a worker killed there is hardly missed.
    pub gap: Duration,
    /// How long a job waits after a failure that was everybody's, unless a success wakes it earlier.
    pub shared_backoff: Duration,
    /// How often an idle worker looks for itself, a fifth more or less.
    pub poll: Duration,
    /// How long the second step of a claim waits for a lock.
    pub hold_timeout: Duration,
    /// How long a claim or a record may take that is not running a job. Beyond it the connection counts as hung.
    pub talk_limit: Duration,
    /// How often running jobs are held against their time limits.
    pub watch_every: Duration,
    /// How long a place stays empty when too many of its queue's threads hang.
    pub hung_pause: Duration,
    /// How often the sweep goes through all jobs, a fifth more or less.
    pub sweep_every: Duration,
    /// Jobs that the sweep reads at once.
    pub sweep_page: u32,
    /// How much longer than its kind allows a row may be held before the sweep ends the session: the process that runs
    /// the job comes first, and then the database's own time limits.
    pub sweep_patience: Duration,
    /// The longest that any job may run, whatever its kind allows.
    pub longest_run: Duration,
    /// How long receipts are kept in the history.
    pub history_retention: Duration,
    /// A mistake to make on purpose, for the tests that have to notice it.
    #[doc(hidden)]
    pub hold_skips_locked: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gap: GAP,
            shared_backoff: Duration::from_secs(5),
            poll: Duration::from_secs(1),
            hold_timeout: Duration::from_secs(2),
            talk_limit: Duration::from_secs(30),
            watch_every: Duration::from_secs(1),
            hung_pause: Duration::from_secs(10 * 60),
            sweep_every: Duration::from_secs(60),
            sweep_page: 500,
            sweep_patience: Duration::from_secs(30),
            longest_run: Duration::MAX,
            history_retention: Duration::from_secs(30 * 24 * 60 * 60),
            hold_skips_locked: false,
        }
    }
}
