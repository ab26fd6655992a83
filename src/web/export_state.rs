//! How far the copy of the index in a bucket is behind, as the schedule of exports has last seen it: for metrics and health.

use std::sync::Arc;

use metrics::{describe_gauge, gauge};
use parking_lot::Mutex;
use serde::Serialize;

const COMMITS: &str = "supercargo_index_export_commits_behind";
const SECONDS: &str = "supercargo_index_export_seconds_behind";

/// The state of the copy, shared by the schedule and the web. Without `--index-export` it is never set.
#[derive(Clone, Default)]
pub struct ExportState(Arc<Mutex<Option<Behind>>>);

/// What health shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Behind {
    /// `current`, `behind`, or `unknown` before the first export is complete and without the database.
    state: &'static str,
    /// Commits that are not exported, and the age of the oldest.
    commits_behind: Option<usize>,
    seconds_behind: Option<i64>,
}

impl ExportState {
    /// Registers the help texts.
    pub fn describe() {
        describe_gauge!(COMMITS, "Commits of the index that are not in its copy in the bucket");
        describe_gauge!(SECONDS, metrics::Unit::Seconds, "Age of the oldest of them; 0 if there is none");
    }

    /// Notes the commits that are not exported, and the age of the oldest in seconds; None if that is not known.
    pub fn set(&self, lag: Option<(usize, i64)>) {
        #[expect(clippy::cast_precision_loss, reason = "both are below 2^52")]
        let (commits, seconds) =
            lag.map_or((f64::NAN, f64::NAN), |(commits, seconds)| (commits as f64, seconds as f64));
        gauge!(COMMITS).set(commits);
        gauge!(SECONDS).set(seconds);
        let state = match lag {
            None => "unknown",
            Some((0, _)) => "current",
            Some(_) => "behind",
        };
        let (commits_behind, seconds_behind) = lag.unzip();
        *self.0.lock() = Some(Behind { state, commits_behind, seconds_behind });
    }

    /// None if this process exports nothing.
    pub fn get(&self) -> Option<Behind> {
        *self.0.lock()
    }
}
