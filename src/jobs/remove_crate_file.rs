//! Removing the file of a deleted version, once neither index nor database show it. Index first, database afterwards, and
//! the file last, so that nothing that is shown was ever without its file.

use std::time::Duration;

use diesel::PgConnection;
use serde::{Deserialize, Serialize};

use super::Environment;
use crate::database::catalog::crate_files;
use crate::database::upkeep::backup;
use crate::package::Checksum;
use crate::queue::{Enqueue, Job, JobError, Outcome, Perform, Policy, Run};

/// How long a removal waits for the end of a backup, which may have to copy the file.
const LATER: Duration = Duration::from_secs(60);

/// A file that no version needs any more.
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
            return Ok(Outcome { detail: Some("put off: a backup is being made".to_owned()) });
        }
        // A file names its crate and version inside, so no other version should have the same one. Should one have it
        // all the same, it stays.
        run.with_connection(|connection| crate_files::lock_for_removal(connection, self.checksum))?;
        if run.with_connection(|connection| crate_files::is_desired(connection, self.checksum))? {
            return Ok(Outcome { detail: Some(format!("{} is the file of another version: kept", self.checksum)) });
        }
        environment.crate_store.delete(self.checksum).map_err(JobError::outage)?;
        Ok(Outcome { detail: Some(format!("removed {}", self.checksum)) })
    }
}

/// Enqueues the removal of these versions' files.
pub(super) fn enqueue(connection: &mut PgConnection, deleted: &[(i32, Checksum)]) -> Result<(), JobError> {
    for &(version_id, checksum) in deleted {
        Enqueue::new(&RemoveCrateFile { version_id, checksum }).insert(connection)?;
    }
    Ok(())
}
