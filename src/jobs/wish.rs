//! What the jobs of the index have in common: which version of which crate somebody wanted changed, and the request for
//! a change of its yank state.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::sync_index;
use crate::database::users::User;
use crate::database::{crates, owners, versions};
use crate::package::{CrateName, Version};
use crate::queue::EnqueueError;
use crate::queue::{Enqueue, Job, JobId, Policy};

/// Names the version whose wanted state changed. It carries no state: that is read when the job runs.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub crate_id: i32,
    pub version_id: i32,
    pub name: CrateName,
    pub num: Version,
}

impl Wish {
    pub(super) const POLICY: Policy = Policy { max_attempts: 20, ..Policy::in_queue(sync_index::QUEUE) };
}

/// Why a yank or an unyank was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum YankError {
    #[error("there is no crate `{0}` here")]
    UnknownCrate(CrateName),
    #[error("the crate `{name}` has no version {num}")]
    UnknownVersion { name: CrateName, num: Version },
    #[error("`{login}` is not an owner of the crate `{name}`: only its owners may yank its versions")]
    NotOwner { login: String, name: CrateName },
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

/// Writes the wanted yank state and enqueues its job in one transaction, whatever the present state is: an unyank that
/// comes before its yank has run must not be dropped. `announce` is called with the job's id before the commit; workers are
/// told by the caller, after it.
pub(super) fn request_yanked<J: Job>(
    connection: &mut PgConnection,
    name: &CrateName,
    num: &Version,
    user: &User,
    yanked: bool,
    job: impl FnOnce(Wish) -> J,
    announce: impl FnOnce(JobId),
) -> Result<JobId, YankError> {
    connection.transaction(|connection| {
        let unknown = || YankError::UnknownCrate(name.clone());
        let krate = crates::find_and_lock(connection, name)?.ok_or_else(unknown)?;
        let unknown = || YankError::UnknownVersion { name: krate.name.clone(), num: num.clone() };
        let version =
            versions::find(connection, krate.id, num)?.filter(|found| found.num == *num).ok_or_else(unknown)?;
        if !owners::is_owner(connection, krate.id, user.id)? {
            return Err(YankError::NotOwner { login: user.login.clone(), name: krate.name });
        }
        versions::want_yanked(connection, version.id, yanked)?;
        let wish = Wish { crate_id: krate.id, version_id: version.id, name: krate.name, num: version.num };
        let id = Enqueue::new(&job(wish)).requested_by(&user.login).quietly().insert(connection)?;
        announce(id);
        Ok(id)
    })
}
