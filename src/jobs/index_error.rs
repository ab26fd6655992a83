//! Failures to read or write the index, as failures of jobs.

use crate::index::IndexError;
use crate::queue::JobError;

/// How often a batch starts over because another writer moved the head.
pub(super) const TRIES: usize = 5;

/// An outage if the index cannot be reached, and else a failure of the job.
pub(super) fn index_failed(error: IndexError) -> JobError {
    if error.is_outage() { JobError::outage(error) } else { JobError::failed(error) }
}
