//! Staging changes of published versions, and taking something out of a set.

use diesel::prelude::*;
use serde_json::json;

use super::stage::{Into, open};
use super::{check_contributor, check_manager, draw, lock_open};
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::Caller;
use crate::database::access::scope::Scope;
use crate::database::catalog::crates::{self, Crate};
use crate::database::catalog::owners::{self, Rights};
use crate::database::catalog::refusal::{self, ChangeRefusal};
use crate::database::catalog::set_refusal::{MAX_STAGED, SetRefusal};
use crate::database::catalog::versions;
use crate::database::staging::SetName;
use crate::database::staging::sets::{self, ReleaseSet};
use crate::database::staging::staged::{self, Change};
use crate::jobs::admission::Admission;
use crate::jobs::request::RequestError;
use crate::package::{Checksum, CrateName, Version};

/// Stages a yank, an unyank or a deletion in a set, which is created if there never was one with this name.
pub fn request(
    connection: &mut PgConnection,
    into: Into<'_>,
    (name, num): (&CrateName, &Version),
    (change, message): (Change, Option<&str>),
    (caller, admission): (&Caller, &Admission),
) -> Result<(), RequestError> {
    caller.may(Scope::Yank, name)?;
    let message = match change {
        Change::Delete => refusal::message("reason", message)?.map(Some).ok_or(SetRefusal::NoDeletionReason)?,
        Change::Yank => refusal::message("yank message", message)?,
        Change::Unyank => None,
    };
    connection.transaction(|connection| {
        let opened = open(connection, into, caller)?;
        if staged::file(connection, opened.set.id, (name, num))?.is_some() {
            let (version, path) = (format!("{name}@{num}"), format!("{name}/{num}"));
            return Err(SetRefusal::StagedHere { name: opened.set.name, version, path }.into());
        }
        let krate = refusal::lock_crate(connection, name)??;
        let caller = caller.confirm(connection)??;
        caller.may(Scope::Yank, name)?;
        draw(connection, (&caller, admission), Scope::Yank)?;
        let set = opened.noted(connection, &caller)?;
        if set.created_by.is_some() {
            check_contributor(connection, &set, (&caller, None))?;
        }
        let version = refusal::find_version(connection, &krate, num)??;
        match change {
            Change::Delete => caller.admin()?,
            _ if owners::rights(connection, krate.id, caller.user.id)? < Rights::Publish && !caller.is_admin() => {
                return Err(refusal::not_an_owner(connection, &krate, &caller.user)?.into());
            }
            _ => {}
        }
        if let Some(reason) = version.deletion_reason {
            return Err(ChangeRefusal::Deleted { name: krate.name, num: version.num, reason }.into());
        }
        let before = staged::change_of(connection, set.id, version.id)?;
        if before == Some(Change::Delete) && !caller.is_admin() {
            return Err(SetRefusal::DeletionStaged { name: set.name, version: format!("{name}@{num}") }.into());
        }
        if matches!((before, change), (Some(Change::Yank), Change::Unyank) | (Some(Change::Unyank), Change::Yank)) {
            // It takes back what was staged.
            staged::remove_change(connection, set.id, version.id)?;
        } else {
            staged::put_change(connection, (set.id, version.id), (change, message), caller.user.id)?;
        }
        if staged::count(connection, set.id)? > MAX_STAGED {
            return Err(SetRefusal::Full { name: set.name }.into());
        }
        sets::raise_revision(connection, set.id)?;
        Event::new(Action::Stage)
            .of_crate(&krate.name)
            .of_version(&version.num)
            .about(set.name.as_str())
            .detail(json!({ "change": change.to_string(), "message": message }))
            .record(connection, &caller.actor())?;
        Ok(())
    })
}

/// Takes everything out of a set; returns the files of its versions.
pub fn empty(connection: &mut PgConnection, set: &SetName, caller: &Caller) -> Result<Vec<Checksum>, RequestError> {
    super::create::check_may_stage(caller)?;
    connection.transaction(|connection| {
        let set = lock_open(connection, set)?;
        let caller = caller.confirm(connection)??;
        check_manager(connection, &set, &caller)?;
        let (versions, changes) = (staged::of_set(connection, set.id)?, staged::changes_of(connection, set.id)?);
        if versions.is_empty() && changes.is_empty() {
            return Ok(Vec::new());
        }
        let files = staged::clear(connection, set.id)?;
        sets::raise_revision(connection, set.id)?;
        Event::new(Action::Unstage)
            .about(set.name.as_str())
            .detail(staged::summary(&versions, &changes))
            .record(connection, &caller.actor())?;
        Ok(files)
    })
}

/// What was taken out of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    Version(Checksum),
    Change,
}

/// Takes a version, or the change of one, out of a set.
pub fn remove(
    connection: &mut PgConnection,
    set: &SetName,
    (name, num): (&CrateName, &Version),
    caller: &Caller,
) -> Result<Removed, RequestError> {
    super::create::check_may_stage(caller)?;
    connection.transaction(|connection| {
        let set = lock_open(connection, set)?;
        let krate = crates::find_and_lock(connection, name)?;
        let caller = caller.confirm(connection)??;
        check_contributor(connection, &set, (&caller, Some(name)))?;
        remove_locked(connection, (&set, krate.as_ref()), (name, num), &caller.actor())
    })
}

/// Takes a version, or the change of one, out of a set for an operator.
pub fn remove_as_operator(
    connection: &mut PgConnection,
    set: &SetName,
    (name, num): (&CrateName, &Version),
    operator: &Actor,
) -> Result<Removed, RequestError> {
    connection.transaction(|connection| {
        let set = lock_open(connection, set)?;
        let krate = crates::find_and_lock(connection, name)?;
        remove_locked(connection, (&set, krate.as_ref()), (name, num), operator)
    })
}

fn remove_locked(
    connection: &mut PgConnection,
    (set, krate): (&ReleaseSet, Option<&Crate>),
    (name, num): (&CrateName, &Version),
    actor: &Actor,
) -> Result<Removed, RequestError> {
    let removed = match staged::remove(connection, set.id, (name, num))? {
        Some(checksum) => Some(Removed::Version(checksum)),
        None => {
            let found = match krate {
                Some(krate) => versions::find(connection, krate.id, num)?,
                None => None,
            };
            match found.filter(|found| found.num == *num) {
                Some(found) if staged::remove_change(connection, set.id, found.id)? => Some(Removed::Change),
                _ => None,
            }
        }
    };
    let not_staged = || SetRefusal::NotStaged { set: set.name.clone(), version: format!("{name}@{num}") };
    let removed = removed.ok_or_else(not_staged)?;
    sets::raise_revision(connection, set.id)?;
    Event::new(Action::Unstage).of_crate(name).of_version(num).about(set.name.as_str()).record(connection, actor)?;
    Ok(removed)
}
