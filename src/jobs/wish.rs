//! What the jobs of the index have in common: which version of which crate somebody wanted changed, and the request for
//! a change of its yank state.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::admission::Admission;
use super::sync_index;
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::{Caller, Denied};
use crate::database::access::rate_limits::RateLimited;
use crate::database::access::scope::Scope;
use crate::database::catalog::owners::Rights;
use crate::database::catalog::{crates, owners, versions};
use crate::fault;
use crate::package::{CrateName, Version};
use crate::queue::EnqueueError;
use crate::queue::{Enqueue, Job, JobId, Policy};

/// Names the version whose wanted state changed. It carries no state: that is read when the job runs.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct VersionChange {
    pub crate_id: i32,
    pub version_id: i32,
    pub name: CrateName,
    pub num: Version,
}

impl VersionChange {
    pub(super) const POLICY: Policy = Policy { max_attempts: 20, ..Policy::in_queue(sync_index::QUEUE) };
}

/// Why a yank or an unyank was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum YankError {
    #[error("there is no crate `{0}` here")]
    UnknownCrate(CrateName),
    #[error("the crate `{name}` has no version {num}")]
    UnknownVersion { name: CrateName, num: Version },
    #[error("`{name}@{num}` was deleted from this registry ({reason}): there is nothing left to yank")]
    Deleted { name: CrateName, num: Version, reason: String },
    #[error(
        "`{login}` is not an owner of the crate `{name}`, and only its owners ({owners}) may yank its versions: ask one \
         of them"
    )]
    NotOwner { login: String, name: CrateName, owners: String },
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    RateLimited(Box<RateLimited>),
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
    (name, num): (&CrateName, &Version),
    (caller, admission): (&Caller, &Admission),
    yanked: bool,
    job: impl FnOnce(VersionChange) -> J,
    announce: impl FnOnce(JobId),
) -> Result<JobId, YankError> {
    caller.may(Scope::Yank, name)?;
    connection.transaction(|connection| {
        let unknown = || YankError::UnknownCrate(name.clone());
        let krate = crates::find_and_lock(connection, name)?.ok_or_else(unknown)?;
        let caller = caller.confirm(connection)??;
        let user = &caller.user;
        caller.may(Scope::Yank, name)?;
        let unknown = || YankError::UnknownVersion { name: krate.name.clone(), num: num.clone() };
        let version =
            versions::find(connection, krate.id, num)?.filter(|found| found.num == *num).ok_or_else(unknown)?;
        if owners::rights(connection, krate.id, user.id)? < Rights::Publish && !caller.is_admin() {
            let owners: Vec<_> = owners::list_all(connection, krate.id)?.iter().map(|owner| owner.login()).collect();
            return Err(YankError::NotOwner { login: user.login.clone(), name: krate.name, owners: owners.join(", ") });
        }
        if let Some(reason) = version.deletion_reason {
            return Err(YankError::Deleted { name: krate.name, num: version.num, reason });
        }
        if let Some(limited) = admission.rate_limits.draw(connection, user.id, &user.login, Scope::Yank)? {
            return Err(YankError::RateLimited(Box::new(limited)));
        }
        versions::request_yank_state(connection, version.id, yanked)?;
        Event::new(if yanked { Action::Yank } else { Action::Unyank })
            .of_crate(&krate.name)
            .of_version(&version.num)
            .record(connection, &caller.actor())?;
        let wish = VersionChange { crate_id: krate.id, version_id: version.id, name: krate.name, num: version.num };
        let id = Enqueue::new(&job(wish))
            .requested_by(&user.login)
            .of_request(caller.request_id.as_deref())
            .quietly()
            .insert(connection)?;
        announce(id);
        fault::point("request.before_commit")
            .map_err(|fault| diesel::result::Error::QueryBuilderError(fault.into()))?;
        caller.waits()?;
        Ok(id)
    })
}
