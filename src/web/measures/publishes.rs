//! Publishes: accepted, refused by reason, and how long they take.
//!
//! A publish is counted where it ends, which may be after its client has disconnected.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Accepted publishes.
const ACCEPTED: &str = "supercargo_publishes_total";
/// Accepted publishes whose answer did not wait for the index.
const QUEUED: &str = "supercargo_publishes_queued_total";
/// Publishes that were not accepted, by reason.
const REFUSED: &str = "supercargo_publish_refusals_total";
/// Seconds from the request's head until the index shows the version.
const SECONDS: &str = "supercargo_publish_seconds";
/// Bytes of crate files of accepted publishes.
const BYTES: &str = "supercargo_publish_bytes_total";

pub(super) fn describe() {
    metrics::describe_counter!(ACCEPTED, "Accepted publishes");
    metrics::describe_counter!(QUEUED, "Accepted publishes that were answered before the index showed the version");
    metrics::describe_counter!(REFUSED, "Publishes that were not accepted, by reason");
    metrics::describe_histogram!(
        SECONDS,
        metrics::Unit::Seconds,
        "Time from the head of a publish until the index shows the version"
    );
    metrics::describe_counter!(BYTES, metrics::Unit::Bytes, "Size of the crate files of accepted publishes");
    for counter in [ACCEPTED, QUEUED, BYTES] {
        metrics::counter!(counter).absolute(0);
    }
    // `increase` does not see the first one of a series that begins with it.
    metrics::counter!(REFUSED, "reason" => super::reason::STORAGE_FULL).absolute(0);
}

/// A publish in progress. If it is dropped before it was accepted or refused, its client has disconnected.
pub struct Publish {
    began: Instant,
    is_decided: AtomicBool,
}

impl Publish {
    pub fn begin() -> Self {
        Self { began: Instant::now(), is_decided: AtomicBool::new(false) }
    }

    /// The version is accepted, with a crate file of this size.
    pub fn accepted(&self, size: usize) {
        self.is_decided.store(true, Ordering::Relaxed);
        metrics::counter!(ACCEPTED).increment(1);
        metrics::counter!(BYTES).increment(size as u64);
    }

    /// Whether the index shows the accepted version.
    pub fn answered(&self, is_shown: bool) {
        if is_shown {
            metrics::histogram!(SECONDS).record(self.began.elapsed());
        } else {
            metrics::counter!(QUEUED).increment(1);
        }
    }

    /// The publish is not accepted.
    pub fn refused(&self, reason: &'static str) {
        self.is_decided.store(true, Ordering::Relaxed);
        metrics::counter!(REFUSED, "reason" => reason).increment(1);
    }
}

impl Drop for Publish {
    fn drop(&mut self) {
        if !self.is_decided.load(Ordering::Relaxed) {
            self.refused(super::reason::ABORTED);
        }
    }
}
