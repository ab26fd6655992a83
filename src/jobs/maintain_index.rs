//! Merging the index's packs, away from the jobs that clients wait for.

use diesel::PgConnection;
use serde::{Deserialize, Serialize};

use super::Environment;
use crate::index::{Index, REPACK_LIMIT};
use crate::queue::inspection::any_pending;
use crate::queue::{Enqueue, Job, JobError, Outcome, Perform, Policy, Run};

/// The index has too many packs.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaintainIndex {}

impl Job for MaintainIndex {
    const KIND: &'static str = "maintain_index";
    const POLICY: Policy = Policy { time_limit: REPACK_LIMIT, ..Policy::in_queue("maintenance") };
}

impl Perform<Environment> for MaintainIndex {
    fn perform(self, environment: &Environment, _: &mut Run<'_>) -> Result<Outcome, JobError> {
        let done = environment.index.lock_maintenance()?.maintain()?;
        Ok(Outcome { detail: Some(format!("{} packs, before {}", done.packs_after, done.packs_before)) })
    }
}

/// Enqueues maintenance if the index needs it and none is owed.
pub(super) fn enqueue_if_needed(connection: &mut PgConnection, index: &Index) -> Result<(), JobError> {
    if index.needs_maintenance()? && !any_pending(connection, MaintainIndex::KIND)? {
        Enqueue::new(&MaintainIndex {}).insert(connection)?;
    }
    Ok(())
}
