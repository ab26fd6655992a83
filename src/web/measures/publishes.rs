//! Publishes: accepted, refused by reason, and how long they take.

use std::time::Instant;

/// Accepted publishes, by what their answer said.
const PUBLISHES: &str = "supercargo_publishes_total";
/// Publishes that were not accepted, by reason.
const REFUSALS: &str = "supercargo_publish_refusals_total";
/// Seconds from the request's head until the index shows the version.
const SECONDS: &str = "supercargo_publish_seconds";
/// Bytes of crate files of accepted publishes.
const BYTES: &str = "supercargo_publish_bytes_total";

const PUBLISHED: &str = "published";
const QUEUED: &str = "queued";
/// The reason of a publish whose client disconnected.
const ABORTED: &str = "aborted";

pub(super) fn describe() {
    metrics::describe_counter!(
        PUBLISHES,
        "Accepted publishes: published if the index showed the version before the answer, queued if not yet"
    );
    metrics::describe_counter!(REFUSALS, "Publishes that were not accepted, by reason");
    metrics::describe_histogram!(
        SECONDS,
        metrics::Unit::Seconds,
        "Time from the head of a publish until the index shows the version"
    );
    metrics::describe_counter!(BYTES, metrics::Unit::Bytes, "Size of the crate files of accepted publishes");
    for outcome in [PUBLISHED, QUEUED] {
        metrics::counter!(PUBLISHES, "outcome" => outcome).absolute(0);
    }
    metrics::counter!(BYTES).absolute(0);
}

/// A publish in progress. If it is dropped without an end, its client has disconnected.
pub struct Publish {
    began: Instant,
    is_ended: bool,
}

impl Publish {
    pub fn begin() -> Self {
        Self { began: Instant::now(), is_ended: false }
    }

    /// The publish was accepted, with a crate file of this size.
    pub fn accepted(mut self, is_shown: bool, size: usize) {
        self.is_ended = true;
        metrics::counter!(PUBLISHES, "outcome" => if is_shown { PUBLISHED } else { QUEUED }).increment(1);
        metrics::counter!(BYTES).increment(size as u64);
        if is_shown {
            metrics::histogram!(SECONDS).record(self.began.elapsed());
        }
    }

    /// The publish was not accepted.
    pub fn refused(mut self, reason: &'static str) {
        self.is_ended = true;
        metrics::counter!(REFUSALS, "reason" => reason).increment(1);
    }
}

impl Drop for Publish {
    fn drop(&mut self) {
        if !self.is_ended {
            metrics::counter!(REFUSALS, "reason" => ABORTED).increment(1);
        }
    }
}
