//! Why an export did not succeed. All of it may succeed later: the job is tried again until it does.

use std::time::Duration;

use crate::crate_store::BucketError;
use crate::fault::Fault;
use crate::index::IndexError;

/// An error of an export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(
        "{path} was written by a later attempt (number {theirs}; this one is {ours}): another process exports the index"
    )]
    Superseded { path: String, theirs: i64, ours: i64 },
    #[error("{0} changed each time it was to be written: does another program write to the bucket?")]
    Contended(String),
    #[error("{0} objects were written in the time of one attempt: the next one goes on")]
    OutOfTime(usize),
    #[error("the export was stopped after {0} objects: start it again to go on")]
    Stopped(usize),
    #[error(
        "the index here is older than the commit {0}, which was exported or is the head of the remote: the export goes on when \
         the remote has been fetched; if that commit is lost, run `supercargo index export --full`"
    )]
    Behind(String),
    #[error(
        "config.json has auth-required, and everyone can read the objects of an export: remove --index-export, or serve the \
         registry without --auth-required"
    )]
    Private,
    #[error("the command of --index-export-invalidate {0}")]
    Invalidation(String),
    #[error("the command of --index-export-invalidate did not end within {0:?}")]
    InvalidationTimedOut(Duration),
    #[error(transparent)]
    Fault(#[from] Fault),
}
