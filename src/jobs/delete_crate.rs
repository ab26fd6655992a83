//! Deleting a whole crate permanently: the request of an owner, an admin or an operator, and the job that removes its file
//! from the index.
//!
//! The request marks the crate and all its versions as deleted in one transaction, and a file of the index is written as a
//! whole, so no reader sees a part of the versions. The rows stay, so that neither the name nor a number can be used for
//! other content: lock files refer to both.

use std::time::Duration;

use chrono::Utc;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::environment::Environment;
use super::remove_crate_file;
use super::request::{Completion, RequestError, enqueue};
use super::subject::Subject;
use super::sync_index::SyncIndex;
use super::version_change::INDEX_POLICY;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::{Authority, Caller};
use crate::database::catalog::crates::{self, Crate};
use crate::database::catalog::owners::{self, Rights};
use crate::database::catalog::refusal::{self, ChangeRefusal};
use crate::database::catalog::{crate_deletion, dependents};
use crate::database::publishers::configurations;
use crate::package::CrateName;
use crate::package::index_path::index_path;
use crate::queue::{Completions, Enqueue, Job, JobId, Member, Policy};

/// How long after the creation of a crate its owners may delete it. crates.io has the same time.
pub const OWNERS_WINDOW: Duration = Duration::from_secs(72 * 3600);

/// The most dependents that a refusal names.
const NAMED: i64 = 5;

/// A crate is to be removed from the index.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct DeleteCrate {
    pub crate_id: i32,
    pub name: CrateName,
}

impl Job for DeleteCrate {
    const KIND: &'static str = "delete_crate";
    const POLICY: Policy = INDEX_POLICY;

    fn key(&self) -> Option<String> {
        Some(self.name.to_string())
    }
}

impl Member<Environment, SyncIndex> for DeleteCrate {
    fn into_member(self) -> Subject {
        Subject::File(index_path(&self.name))
    }
}

/// Accepts the deletion that a user sends through the API: an admin, or an owner within `window` of the crate's creation,
/// unless other crates depend on it.
pub fn request_as(
    connection: &mut PgConnection,
    name: &CrateName,
    message: Option<&str>,
    (caller, window): (&Caller, Duration),
    completions: &Completions,
) -> Result<Completion, RequestError> {
    caller.unrestricted()?;
    let message = refusal::message("message of the deletion", message)?;
    connection.transaction(|connection| {
        let krate = refusal::lock_crate(connection, name)??;
        let caller = caller.confirm(connection)??;
        caller.unrestricted()?;
        let by_whom = if caller.is_admin() {
            "an admin deleted the crate"
        } else {
            check_owner(connection, &krate, &caller, window)?;
            "an owner deleted the crate"
        };
        let job = accept(connection, krate, (message.unwrap_or(by_whom), false), &caller.actor())?;
        enqueue(connection, &job, &caller, completions)
    })
}

/// The result of an operator's deletion.
#[derive(Clone, Debug)]
pub enum Accepted {
    Deleted {
        job: JobId,
        /// The crates that depend on it, if there are any.
        dependents: Option<String>,
    },
    /// The crate was deleted before, and its name is released now.
    Released,
}

/// Accepts the deletion that an operator requests on the command line. With `release_name` the name may be published again,
/// also that of a crate that was deleted before.
pub fn request(
    connection: &mut PgConnection,
    name: &CrateName,
    (reason, release_name): (&str, bool),
    operator: &Actor,
) -> Result<Accepted, RequestError> {
    let reason = refusal::message("reason", Some(reason))?.ok_or(ChangeRefusal::DeletionReason)?;
    connection.transaction(|connection| {
        if release_name && self::release_name(connection, name, operator)? {
            return Ok(Accepted::Released);
        }
        let krate = refusal::lock_crate(connection, name)??;
        let dependents = named_dependents(connection, &krate.name)?;
        let job = accept(connection, krate, (reason, release_name), operator)?;
        let job = Enqueue::new(&job).requested_by(&operator.name).quietly().insert(connection)?;
        Ok(Accepted::Deleted { job, dependents })
    })
}

/// Releases the name of a deleted crate; false if no deleted crate holds it.
pub fn release_name(connection: &mut PgConnection, name: &CrateName, operator: &Actor) -> QueryResult<bool> {
    connection.transaction(|connection| {
        let found = crates::find_and_lock(connection, name)?;
        let held = found.filter(|krate| krate.deletion.is_deleted() && !krate.deletion.name_released);
        let Some(krate) = held else { return Ok(false) };
        crate_deletion::release_name(connection, krate.id)?;
        Event::new(Action::NameRelease).of_crate(&krate.name).record(connection, operator)?;
        Ok(true)
    })
}

fn check_owner(
    connection: &mut PgConnection,
    krate: &Crate,
    caller: &Authority,
    window: Duration,
) -> Result<(), RequestError> {
    let user = &caller.user;
    match owners::rights(connection, krate.id, user.id)? {
        Rights::Full => {}
        Rights::Publish => {
            let owners: Vec<_> = owners::list(connection, krate.id)?.into_iter().map(|owner| owner.login).collect();
            let (login, name, owners) = (user.login.clone(), krate.name.clone(), owners.join(", "));
            return Err(ChangeRefusal::TeamCannotDelete { login, name, owners }.into());
        }
        Rights::None => return Err(refusal::not_an_owner(connection, krate, user)?.into()),
    }
    let name = krate.name.clone();
    if window.is_zero() {
        return Err(ChangeRefusal::OwnersCannotDelete { name }.into());
    }
    let created_at = crate_deletion::created_at(connection, krate.id)?;
    // A time in the future is as good as now.
    if (Utc::now() - created_at).to_std().unwrap_or_default() > window {
        let window = humantime::format_duration(window).to_string();
        return Err(ChangeRefusal::DeletionTooLate { name, created_at, window }.into());
    }
    match named_dependents(connection, &name)? {
        Some(dependents) => Err(ChangeRefusal::HasDependents { name, dependents }.into()),
        None => Ok(()),
    }
}

/// The first dependents of a crate, and the number of the others.
fn named_dependents(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Option<String>> {
    let (first, total) = dependents::dependent_crates(connection, name, NAMED)?;
    if first.is_empty() {
        return Ok(None);
    }
    let mut named: Vec<String> = first.iter().map(ToString::to_string).collect();
    if total > NAMED {
        named.push(format!("{} more", total - NAMED));
    }
    Ok(Some(named.join(", ")))
}

/// Marks the crate and its versions as deleted.
fn accept(
    connection: &mut PgConnection,
    krate: Crate,
    (reason, name_released): (&str, bool),
    actor: &Actor,
) -> Result<DeleteCrate, RequestError> {
    let deleted = crate_deletion::delete(connection, krate.id, reason, name_released)?;
    configurations::revoke_orphans(connection)?;
    remove_crate_file::enqueue(connection, &deleted.docs)?;
    // The owners, for an operator who has to ask or to undo; the versions, for a repair after a loss of their rows.
    Event::new(Action::CrateDelete)
        .of_crate(&krate.name)
        .detail(json!({
            "reason": reason, "name_released": name_released, "owners": deleted.owners, "versions": deleted.versions,
        }))
        .record(connection, actor)?;
    Ok(DeleteCrate { crate_id: krate.id, name: krate.name })
}
