//! Approving a release set: its versions are published and its changes made, all in one transaction and then in one move of
//! the index.

mod publishing;

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde_json::{Value, json};

use self::publishing::{Kind, Publishing, lock_crates};
use super::examine::Examined;
use super::{check_member, lock_open, restricted_admin};
use crate::crate_store::CrateStoreError;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::{Authority, Caller, Denied};
use crate::database::access::scope::Scope;
use crate::database::catalog::refusal;
use crate::database::catalog::set_refusal::SetRefusal;
use crate::database::staging::SetName;
use crate::database::staging::rules::{self, Needed};
use crate::database::staging::sets::{self, ReleaseSet, SetState};
use crate::database::staging::staged::{self, Change};
use crate::jobs::request::{Completion, RequestError, enqueue_together};
use crate::package::{Checksum, CrateName};
use crate::queue::{Completions, JobId};

/// Who approves.
pub enum Approver<'a> {
    User(&'a Caller),
    /// Only rules bind operators, and these until they give a reason.
    Operator(&'a Actor),
}

/// What is approved.
pub struct Approval<'a> {
    /// The set as it was examined.
    pub examined: &'a Examined,
    /// What the approver has seen, if that was said.
    pub revision: Option<i64>,
    /// Why an admin or an operator approves although others have to.
    pub override_reason: Option<&'a str>,
}

/// What an approval has done.
pub enum Decision {
    Published(Approved),
    /// It is noted, and others have to approve, too.
    Waits(Vec<Needed>),
}

/// An approved set.
pub struct Approved {
    pub versions: usize,
    pub changes: usize,
    /// Whether versions are deleted.
    pub deletes: bool,
    /// None: nothing is to be waited for.
    pub completion: Option<Completion>,
}

/// Approves a set as it was examined. `is_stored` checks that a crate file is there.
pub fn request(
    connection: &mut PgConnection,
    approval: &Approval<'_>,
    approver: &Approver<'_>,
    is_stored: &dyn Fn(Checksum) -> Result<bool, CrateStoreError>,
    completions: &Completions,
) -> Result<Decision, RequestError> {
    if let Approver::User(caller) = approver {
        check_scope(caller, approval.examined)?;
    }
    connection.transaction(|connection| {
        // New crates are created before it is known whether others have to approve, too.
        let published: Result<Approved, Halt> =
            connection.transaction(|connection| publish(connection, approval, approver, is_stored, completions));
        match published {
            Ok(approved) => Ok(Decision::Published(approved)),
            Err(Halt::Failed(error)) => Err(error),
            Err(Halt::Waits(missing)) => {
                if let Approver::User(caller) = approver {
                    let authority = caller.confirm(connection)??;
                    note(connection, &approval.examined.set, &authority, &missing)?;
                }
                Ok(Decision::Waits(missing))
            }
        }
    })
}

/// Takes the approval of a user back, if there is one that did not suffice.
pub fn withdraw(connection: &mut PgConnection, name: &SetName, caller: &Caller) -> Result<(), RequestError> {
    connection.transaction(|connection| {
        let set = lock_open(connection, name)?;
        let authority = caller.confirm(connection)??;
        check_member(connection, &set, &authority)?;
        if rules::withdraw(connection, set.id, authority.user.id)? {
            Event::new(Action::SetApproval)
                .about(set.name.as_str())
                .detail(json!({ "revision": set.revision, "withdrawn": true }))
                .record(connection, &authority.actor())?;
        }
        Ok(())
    })
}

/// Why nothing is published.
enum Halt {
    Waits(Vec<Needed>),
    Failed(RequestError),
}

impl<E: Into<RequestError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn publish(
    connection: &mut PgConnection,
    approval: &Approval<'_>,
    approver: &Approver<'_>,
    is_stored: &dyn Fn(Checksum) -> Result<bool, CrateStoreError>,
    completions: &Completions,
) -> Result<Approved, Halt> {
    let Approval { examined, revision, .. } = *approval;
    let set = lock_open(connection, &examined.set.name)?;
    if set.revision != examined.set.revision || revision.is_some_and(|seen| seen != set.revision) {
        return Err(SetRefusal::Changed { name: set.name, revision: set.revision }.into());
    }
    let locked = lock_crates(connection, examined)?;
    let (authority, actor) = match approver {
        Approver::Operator(operator) => (None, (*operator).clone()),
        Approver::User(caller) => {
            let authority = caller.confirm(connection)??;
            let actor = authority.actor();
            (Some(authority), actor)
        }
    };
    let problems = examined.problems.clone();
    let mut running = Publishing { set: set.id, name: set.name.as_str(), locked, actor: &actor, problems };
    running.find_deleted(examined);
    let (missing, overridden) = count(connection, &set, approval, (authority.as_ref(), &actor))?;
    if running.problems.is_empty() && !missing.is_empty() {
        return Err(Halt::Waits(missing));
    }
    let mut jobs = Vec::new();
    for version in &examined.versions {
        jobs.extend(running.publish(connection, version, is_stored)?.map(|change| (Kind::Publish, change)));
    }
    for change in &examined.changes {
        jobs.extend(running.change(connection, change)?.map(|done| (Kind::of(change.change), done)));
    }
    if !running.problems.is_empty() {
        let problems = running.problems;
        return Err(SetRefusal::NotApproved { name: examined.set.name.clone(), problems }.into());
    }
    let mut contents = summary(examined);
    if let Some(reason) = overridden {
        contents["override"] = reason.into();
    }
    sets::end(connection, set.id, (SetState::Approved, Some(&actor.name)), (None, &contents))?;
    staged::clear(connection, set.id)?;
    Event::new(Action::SetApprove).about(set.name.as_str()).detail(contents).record(connection, &actor)?;
    let enqueue = |connection: &mut PgConnection, enqueued: &mut dyn FnMut(JobId)| {
        for (kind, change) in jobs {
            enqueued(kind.enqueue(connection, change, (&actor.name, actor.request_id.as_deref()))?);
        }
        Ok(())
    };
    let completion = enqueue_together(connection, enqueue, completions)?;
    if let Some(authority) = &authority {
        authority.connection.check()?;
    }
    let deletes = examined.changes.iter().any(|one| one.change == Change::Delete);
    let (versions, changes) = (examined.versions.len(), examined.changes.len());
    Ok(Approved { versions, changes, deletes, completion })
}

/// Adds an approval to those that there are: what is missing with it, and why that is overridden, if it is.
fn count(
    connection: &mut PgConnection,
    set: &ReleaseSet,
    approval: &Approval<'_>,
    (authority, actor): (Option<&Authority>, &Actor),
) -> Result<(Vec<Needed>, Option<String>), RequestError> {
    if let Some(authority) = authority {
        check_scope(authority, approval.examined)?;
        check_member(connection, set, authority)?;
        rules::approve(connection, (set.id, set.revision), authority)?;
    }
    let needed = needed(connection, set, approval.examined)?;
    let missing = |one: &Needed| one.is_missing();
    let Some(reason) = approval.override_reason else {
        return Ok(match authority {
            Some(authority) => {
                check_it_counts(set, &needed, authority)?;
                (needed.into_iter().filter(missing).collect(), None)
            }
            // An operator's approval suffices where no rule wants others.
            None => (needed.into_iter().filter(|one| missing(one) && one.subject.is_some()).collect(), None),
        });
    };
    if let Some(authority) = authority {
        authority.admin()?;
    }
    let reason = refusal::message("reason of the override", Some(reason))?.ok_or(SetRefusal::NoOverrideReason)?;
    let missing: Vec<Needed> = needed.into_iter().filter(missing).collect();
    let is_overridden = note_override(connection, set, (reason, &missing), actor)?;
    Ok((Vec::new(), is_overridden.then(|| reason.to_owned())))
}

/// Notes an approval that does not suffice yet.
fn note(
    connection: &mut PgConnection,
    set: &ReleaseSet,
    authority: &Authority,
    missing: &[Needed],
) -> Result<(), RequestError> {
    rules::approve(connection, (set.id, set.revision), authority)?;
    Event::new(Action::SetApproval)
        .about(set.name.as_str())
        .detail(json!({ "revision": set.revision, "missing": missing.len() }))
        .record(connection, &authority.actor())?;
    Ok(())
}

/// Refuses an approval that counts for no crate of the set, so that it is not noted.
fn check_it_counts(set: &ReleaseSet, needed: &[Needed], authority: &Authority) -> Result<(), RequestError> {
    if needed.iter().any(|one| one.givers.contains(&authority.user.id)) {
        return Ok(());
    }
    restricted_admin(authority)?;
    let missing = needed.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    Err(SetRefusal::CountsNowhere { name: set.name.clone(), login: authority.user.login.clone(), missing }.into())
}

/// What the crates of a set need to be published.
fn needed(connection: &mut PgConnection, set: &ReleaseSet, examined: &Examined) -> QueryResult<Vec<Needed>> {
    let versions = examined.versions.iter().map(|one| &one.staged.name);
    let names: BTreeSet<&CrateName> = versions.chain(examined.changes.iter().map(|one| &one.name)).collect();
    let names: Vec<CrateName> = names.into_iter().cloned().collect();
    rules::needed(connection, (set.id, set.revision), &names)
}

/// Notes that a set is approved against rules; false if it is not.
fn note_override(
    connection: &mut PgConnection,
    set: &ReleaseSet,
    (reason, missing): (&str, &[Needed]),
    actor: &Actor,
) -> QueryResult<bool> {
    let rules: BTreeSet<&String> = missing.iter().filter_map(|one| one.subject.as_ref()).collect();
    if rules.is_empty() {
        return Ok(false);
    }
    // An error, so that it reaches those who are paged for errors.
    tracing::error!(set = %set.name, by = %actor.name, reason, "the rules of approvals are overridden");
    Event::new(Action::SetOverride)
        .about(set.name.as_str())
        .detail(json!({ "reason": reason, "rules": rules }))
        .record(connection, actor)?;
    Ok(true)
}

fn summary(examined: &Examined) -> Value {
    let versions: Vec<_> = examined.versions.iter().map(|one| one.staged.clone()).collect();
    staged::summary(&versions, &examined.changes)
}

/// Checks that a token permits the approval of each crate.
fn check_scope(caller: &Caller, examined: &Examined) -> Result<(), Denied> {
    let versions = examined.versions.iter().map(|one| &one.staged.name);
    let mut names = versions.chain(examined.changes.iter().map(|one| &one.name));
    names.try_for_each(|name| caller.may(Scope::Approve, name))
}
