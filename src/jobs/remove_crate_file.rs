//! Removing the crate file of a deleted version, or documentation that was replaced or deleted. The index is written first,
//! then the database, and the file is removed last, so that no version is shown without its file.
//!
//! An upload of the same bytes may rely on the file at any moment: it is moved aside under its lock, and deleted when it is
//! certain that the session had the lock all the time (`unused_files`).

use std::time::Duration;

use diesel::PgConnection;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::unused_files::{self, UnusedFileError};
use crate::database::upkeep::backup;
use crate::package::Checksum;
use crate::queue::{Enqueue, EnqueueError, Job, JobError, Outcome, Perform, Policy, Run};

/// The delay of a removal while a backup is made, which may have to copy the file.
const LATER: Duration = Duration::from_secs(60);

/// A file that no version needs any longer is to be removed.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoveCrateFile {
    pub version_id: i32,
    pub checksum: Checksum,
}

impl Job for RemoveCrateFile {
    const KIND: &'static str = "remove_crate_file";
    const POLICY: Policy = Policy { max_attempts: 20, ..Policy::in_queue("maintenance") };
}

impl Perform<Environment> for RemoveCrateFile {
    fn perform(self, environment: &Environment, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        if !run.with_connection(backup::may_remove_files)? {
            run.with_connection(|connection| Enqueue::new(&self).after(LATER).insert(connection))?;
            return Ok(Outcome { detail: Some("postponed: a backup is being made".to_owned()) });
        }
        // A crate file contains the crate's name and version, so no other version should have the same file; documentation may
        // be that of several. If another version has it, the file stays.
        let store = &environment.crate_store;
        let removed =
            run.with_connection(|connection| unused_files::remove_undesired(connection, store, self.checksum));
        let is_gone = removed.map_err(|error| match error {
            UnusedFileError::CrateStore(error) => JobError::outage(error),
            other => other.into(),
        })?;
        let detail = match is_gone {
            true => format!("removed {}", self.checksum),
            false => format!("{} is the file of another version: kept", self.checksum),
        };
        Ok(Outcome { detail: Some(detail) })
    }
}

/// Enqueues the removal of these versions' files, or of their documentation.
pub(super) fn enqueue(connection: &mut PgConnection, deleted: &[(i32, Checksum)]) -> Result<(), EnqueueError> {
    for &(version_id, checksum) in deleted {
        Enqueue::new(&RemoveCrateFile { version_id, checksum }).insert(connection)?;
    }
    Ok(())
}
