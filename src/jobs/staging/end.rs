//! The end of a release set without a publish: rejection, and expiry. What was staged is gone, and its numbers and names are
//! free again.

use diesel::prelude::*;
use serde_json::json;

use super::lock_open;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::{Caller, Denied};
use crate::database::access::scope::Scope;
use crate::database::catalog::refusal;
use crate::database::catalog::set_refusal::SetRefusal;
use crate::database::staging::SetName;
use crate::database::staging::sets::{self, ReleaseSet, SetState};
use crate::database::staging::staged;
use crate::fault;
use crate::jobs::request::RequestError;
use crate::jobs::unused_files;
use crate::package::Checksum;

/// The most sets that are ended at once.
const AT_ONCE: i64 = 100;

/// Sets whose time is over.
pub fn overdue(connection: &mut PgConnection) -> QueryResult<Vec<SetName>> {
    sets::overdue(connection, AT_ONCE)
}

/// Ends a set unless it was ended or extended meanwhile, and returns the files of what was staged.
pub fn expire(connection: &mut PgConnection, name: &SetName) -> Result<Option<Vec<Checksum>>, RequestError> {
    let expired = connection.transaction(|connection| {
        let Some((set, now)) = sets::find_and_lock(connection, name)? else { return Ok(None) };
        if set.ended_at.is_some() || set.expires_at > now {
            return Ok(None);
        }
        let contents = contents(connection, &set)?;
        sets::end(connection, set.id, (SetState::Expired, None), (None, &contents))?;
        let files = staged::clear(connection, set.id)?;
        let actor = Actor::registry();
        Event::new(Action::SetExpire).about(set.name.as_str()).detail(contents).record(connection, &actor)?;
        fault::point("expire.before_commit")?;
        Ok::<_, RequestError>(Some(files))
    })?;
    if expired.is_some() {
        fault::point("expire.committed")?;
    }
    Ok(expired)
}

/// Rejects a set for a user who belongs to it.
pub fn reject_as(
    connection: &mut PgConnection,
    name: &SetName,
    reason: &str,
    caller: &Caller,
) -> Result<Vec<Checksum>, RequestError> {
    check_may_end(caller)?;
    connection.transaction(|connection| {
        let set = lock_open(connection, name)?;
        let caller = caller.confirm(connection)??;
        check_may_end(&caller)?;
        super::check_manager(connection, &set, &caller)?;
        reject_locked(connection, &set, reason, &caller.actor())
    })
}

/// Rejects a set for an operator.
pub fn reject(
    connection: &mut PgConnection,
    name: &SetName,
    reason: &str,
    operator: &Actor,
) -> Result<Vec<Checksum>, RequestError> {
    connection.transaction(|connection| {
        let set = lock_open(connection, name)?;
        reject_locked(connection, &set, reason, operator)
    })
}

/// A token that may approve a set may reject it, and so may one that may stage: it takes back only what was staged.
pub fn check_may_end(caller: &Caller) -> Result<(), Denied> {
    let may_stage = super::create::check_may_stage(caller);
    may_stage.or_else(|_| caller.has_one_of(&[Scope::Approve], "approve, stage-new or stage-update"))
}

fn reject_locked(
    connection: &mut PgConnection,
    set: &ReleaseSet,
    reason: &str,
    actor: &Actor,
) -> Result<Vec<Checksum>, RequestError> {
    let reason = refusal::message("reason", Some(reason))?.ok_or(SetRefusal::NoReason)?;
    let contents = contents(connection, set)?;
    sets::end(connection, set.id, (SetState::Rejected, Some(&actor.name)), (Some(reason), &contents))?;
    let files = staged::clear(connection, set.id)?;
    Event::new(Action::SetReject)
        .about(set.name.as_str())
        .detail(json!({ "reason": reason, "contents": contents }))
        .record(connection, actor)?;
    fault::point("reject.before_commit")?;
    Ok(files)
}

fn contents(connection: &mut PgConnection, set: &ReleaseSet) -> QueryResult<serde_json::Value> {
    Ok(staged::summary(&staged::of_set(connection, set.id)?, &staged::changes_of(connection, set.id)?))
}

/// Removes the files of versions that are no longer staged. One that stays is removed when the store is tidied.
pub fn remove_files(connection: &mut PgConnection, store: &crate::crate_store::CrateStore, files: &[Checksum]) {
    for &checksum in files {
        if let Err(error) = unused_files::remove(connection, store, checksum) {
            tracing::warn!(%checksum, %error, "the file of a version that is no longer staged stays until the store is tidied");
        }
    }
}
