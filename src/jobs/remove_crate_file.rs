//! Removing the crate file of a deleted version, or documentation that was replaced or deleted. The index is written first, then the database, and the file is removed last,
//! so that no version is shown without its file.

use std::time::Duration;

use diesel::PgConnection;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use crate::database::catalog::crate_files;
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
        run.with_connection(|connection| crate_files::lock_for_removal(connection, self.checksum))?;
        if run.with_connection(|connection| crate_files::is_desired(connection, self.checksum))? {
            return Ok(Outcome { detail: Some(format!("{} is the file of another version: kept", self.checksum)) });
        }
        environment.crate_store.delete(self.checksum).map_err(JobError::outage)?;
        Ok(Outcome { detail: Some(format!("removed {}", self.checksum)) })
    }
}

/// Enqueues the removal of these versions' files, or of their documentation.
pub(super) fn enqueue(connection: &mut PgConnection, deleted: &[(i32, Checksum)]) -> Result<(), EnqueueError> {
    for &(version_id, checksum) in deleted {
        Enqueue::new(&RemoveCrateFile { version_id, checksum }).insert(connection)?;
    }
    Ok(())
}
