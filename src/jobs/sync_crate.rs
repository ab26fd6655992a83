//! Making one file of the index as it is wanted, whatever it is now: what a repair asks for.

use diesel::PgConnection;
use serde::{Deserialize, Serialize};

use super::subject::Subject;
use super::sync_index::SyncIndex;
use super::{Environment, VersionChange};
use crate::queue::{Enqueue, EnqueueError, Job, JobId, Member, Policy};

/// A file of the index is to be rendered from the rows of the crate that has it, or removed if none has.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct SyncCrate {
    /// In the index, as in `3/f/foo`. Which crate has it is looked up when the job runs: it may be published meanwhile.
    pub path: String,
}

impl Job for SyncCrate {
    const KIND: &'static str = "sync_crate";
    const POLICY: Policy = VersionChange::POLICY;

    fn key(&self) -> Option<String> {
        Some(self.path.clone())
    }
}

impl Member<Environment, SyncIndex> for SyncCrate {
    fn into_member(self) -> Subject {
        Subject::File(self.path)
    }
}

/// Asks for it.
pub fn request(connection: &mut PgConnection, path: &str, requested_by: &str) -> Result<JobId, EnqueueError> {
    Enqueue::new(&SyncCrate { path: path.to_owned() }).requested_by(requested_by).insert(connection)
}
