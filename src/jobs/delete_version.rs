//! Deleting a version permanently: the request of an admin, and the job that removes its line from the index.
//!
//! For content that must not be there at all, such as a leaked secret or something unlawful. The version is no longer served
//! once its deletion is accepted. Its number stays taken, so that it cannot be published with other content: lock files name
//! versions by number and checksum.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::environment::Environment;
use super::request::{Completion, RequestError, enqueue};
use super::subject::Subject;
use super::sync_index::SyncIndex;
use super::version_change::{INDEX_POLICY, VersionChange};
use super::version_docs;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::Caller;
use crate::database::catalog::crates::Crate;
use crate::database::catalog::refusal::{self, ChangeRefusal, MAX_DELETION_REASON};
use crate::database::catalog::versions;
use crate::package::characters::check_line;
use crate::package::{CrateName, Version};
use crate::queue::{Completions, Enqueue, Job, JobId, Member, Policy};

/// A version is to be removed from the index.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct DeleteVersion(pub VersionChange);

impl Job for DeleteVersion {
    const KIND: &'static str = "delete_version";
    const POLICY: Policy = INDEX_POLICY;

    fn key(&self) -> Option<String> {
        Some(self.0.name.to_string())
    }
}

impl Member<Environment, SyncIndex> for DeleteVersion {
    fn into_member(self) -> Subject {
        Subject::VersionChange(self.0)
    }
}

/// Accepts the deletion that an admin sends through the API.
pub fn request_as(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    reason: &str,
    caller: &Caller,
    completions: &Completions,
) -> Result<Completion, RequestError> {
    caller.admin()?;
    let reason = checked(reason)?;
    connection.transaction(|connection| {
        let krate = refusal::lock_crate(connection, name)??;
        let caller = caller.confirm(connection)??;
        caller.admin()?;
        let change = accept(connection, krate, num, reason, &caller.actor())?;
        enqueue(connection, &DeleteVersion(change), &caller, completions)
    })
}

/// Accepts the deletion that an operator requests on the command line.
pub fn request(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    reason: &str,
    operator: &Actor,
) -> Result<JobId, RequestError> {
    let reason = checked(reason)?;
    connection.transaction(|connection| {
        let krate = refusal::lock_crate(connection, name)??;
        let change = accept(connection, krate, num, reason, operator)?;
        Ok(Enqueue::new(&DeleteVersion(change)).requested_by(&operator.name).quietly().insert(connection)?)
    })
}

fn checked(reason: &str) -> Result<&str, ChangeRefusal> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_DELETION_REASON {
        return Err(ChangeRefusal::DeletionReason);
    }
    check_line(reason).map_err(ChangeRefusal::HiddenInReason)?;
    Ok(reason)
}

/// Marks the version as deleted.
fn accept(
    connection: &mut PgConnection,
    krate: Crate,
    num: &Version,
    reason: &str,
    actor: &Actor,
) -> Result<VersionChange, RequestError> {
    let version = refusal::find_version(connection, &krate, num)??;
    if let Some(reason) = version.deletion_reason {
        return Err(ChangeRefusal::AlreadyDeleted { name: krate.name, num: version.num, reason }.into());
    }
    versions::request_deletion(connection, version.id, reason)?;
    version_docs::remove_with_version(connection, version.id)?;
    Event::new(Action::VersionDelete)
        .of_crate(&krate.name)
        .of_version(&version.num)
        .detail(json!({ "reason": reason, "checksum": version.checksum, "size": version.size }))
        .record(connection, actor)?;
    Ok(VersionChange { crate_id: krate.id, version_id: version.id, name: krate.name, num: version.num })
}
