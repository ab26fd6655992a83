//! Deleting a version for good: the request of an admin, and the job that takes its line out of the index.
//!
//! For what must not be there at all: a leaked secret, something unlawful. It is not served any more from the moment it is
//! accepted. Its number stays taken, so that nobody can put other content in its place: lock files name versions by number
//! and checksum.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::subject::Subject;
use super::sync_index::SyncIndex;
use super::{Environment, VersionChange};
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::{Caller, Denied};
use crate::database::catalog::crates::Crate;
use crate::database::catalog::{crates, versions};
use crate::fault;
use crate::package::characters::{HiddenCharacter, check_line};
use crate::package::{CrateName, Version};
use crate::queue::{Enqueue, EnqueueError, Job, JobId, Member, Policy};

/// The longest reason, in characters.
const MAX_REASON: usize = 1000;

/// A version is to vanish from the index.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct DeleteVersion(pub VersionChange);

impl Job for DeleteVersion {
    const KIND: &'static str = "delete_version";
    const POLICY: Policy = VersionChange::POLICY;

    fn key(&self) -> Option<String> {
        Some(self.0.name.to_string())
    }
}

impl Member<Environment, SyncIndex> for DeleteVersion {
    fn into_member(self) -> Subject {
        Subject::VersionChange(self.0)
    }
}

/// Why a version was not deleted. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    #[error("there is no crate `{0}` here")]
    UnknownCrate(CrateName),
    #[error("the crate `{name}` has no version {num}")]
    UnknownVersion { name: CrateName, num: Version },
    #[error("`{name}@{num}` was deleted already: {reason}")]
    Deleted { name: CrateName, num: Version, reason: String },
    #[error("a deletion needs a reason of 1 to {MAX_REASON} characters: it is shown to whoever looks for the version")]
    Reason,
    #[error("a deletion needs a reason without {0}: remove it, because the reason is printed in terminals")]
    Character(HiddenCharacter),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

/// Accepts the deletion that an admin sends by the API. `announce` is called with the job's id before the commit.
pub fn request_as(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    reason: &str,
    caller: &Caller,
    announce: impl FnOnce(JobId),
) -> Result<JobId, DeleteError> {
    caller.admin()?;
    let reason = checked(reason)?;
    connection.transaction(|connection| {
        let krate = locked(connection, name)?;
        let caller = caller.confirm(connection)??;
        caller.admin()?;
        let job = accept(connection, krate, num, reason, &caller.actor())?;
        announce(job);
        fault::point("request.before_commit")
            .map_err(|fault| diesel::result::Error::QueryBuilderError(fault.into()))?;
        caller.waits()?;
        Ok(job)
    })
}

/// Accepts the deletion of an operator.
pub fn request(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    reason: &str,
    operator: &Actor,
) -> Result<JobId, DeleteError> {
    let reason = checked(reason)?;
    connection.transaction(|connection| {
        let krate = locked(connection, name)?;
        accept(connection, krate, num, reason, operator)
    })
}

fn checked(reason: &str) -> Result<&str, DeleteError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        return Err(DeleteError::Reason);
    }
    check_line(reason).map_err(DeleteError::Character)?;
    Ok(reason)
}

fn locked(connection: &mut PgConnection, name: &CrateName) -> Result<Crate, DeleteError> {
    crates::find_and_lock(connection, name)?.ok_or_else(|| DeleteError::UnknownCrate(name.clone()))
}

fn accept(
    connection: &mut PgConnection,
    krate: Crate,
    num: &Version,
    reason: &str,
    actor: &Actor,
) -> Result<JobId, DeleteError> {
    let unknown = || DeleteError::UnknownVersion { name: krate.name.clone(), num: num.clone() };
    let version = versions::find(connection, krate.id, num)?.filter(|found| found.num == *num).ok_or_else(unknown)?;
    if let Some(reason) = version.deletion_reason {
        return Err(DeleteError::Deleted { name: krate.name, num: version.num, reason });
    }
    versions::request_deletion(connection, version.id, reason)?;
    Event::new(Action::VersionDelete)
        .of_crate(&krate.name)
        .of_version(&version.num)
        .detail(json!({ "reason": reason, "checksum": version.checksum, "size": version.size }))
        .record(connection, actor)?;
    let wish = VersionChange { crate_id: krate.id, version_id: version.id, name: krate.name, num: version.num };
    Ok(Enqueue::new(&DeleteVersion(wish))
        .requested_by(&actor.name)
        .of_request(actor.request_id.as_deref())
        .quietly()
        .insert(connection)?)
}
