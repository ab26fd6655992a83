//! Rendering one file of the index again, for repairs and imports.

use diesel::PgConnection;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::subject::Subject;
use super::sync_index::SyncIndex;
use super::version_change::INDEX_POLICY;
use crate::queue::{Enqueue, EnqueueError, Job, JobId, Member, Policy};

/// A file of the index is to be rendered from the rows of its crate, or removed if there is no such crate.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct SyncCrate {
    /// Path in the index, as in `3/f/foo`. Its crate is looked up when the job runs, because it may be published meanwhile.
    pub path: String,
}

impl Job for SyncCrate {
    const KIND: &'static str = "sync_crate";
    const POLICY: Policy = INDEX_POLICY;

    fn key(&self) -> Option<String> {
        Some(self.path.clone())
    }
}

impl Member<Environment, SyncIndex> for SyncCrate {
    fn into_member(self) -> Subject {
        Subject::File(self.path)
    }
}

/// Enqueues the job.
pub fn request(connection: &mut PgConnection, path: &str, requested_by: &str) -> Result<JobId, EnqueueError> {
    Enqueue::new(&SyncCrate { path: path.to_owned() }).requested_by(requested_by).insert(connection)
}
