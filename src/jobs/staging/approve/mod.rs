//! Approving a release set: its versions are published and its changes made, all in one transaction and then in one move of
//! the index.

mod publishing;

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde_json::{Value, json};

use self::publishing::{Kind, Publishing, lock_crates};
use super::examine::Examined;
use super::{check_member, lock_open};
use crate::crate_store::CrateStoreError;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::{Authority, Caller, Denied};
use crate::database::access::scope::Scope;
use crate::database::catalog::refusal;
use crate::database::catalog::set_refusal::SetRefusal;
use crate::database::staging::rules::{self, Missing};
use crate::database::staging::sets::{self, ReleaseSet, SetState};
use crate::database::staging::staged::{self, Change};
use crate::jobs::request::{Completion, RequestError, enqueue_together};
use crate::package::{Checksum, CrateName};
use crate::queue::{Completions, JobId};

/// Who approves.
pub enum Approver<'a> {
    User(&'a Caller),
    /// The rules of who has to approve do not bind operators.
    Operator(&'a Actor),
}

/// What is approved.
pub struct Approval<'a> {
    /// The set as it was examined.
    pub examined: &'a Examined,
    /// What the approver has seen, if that was said.
    pub revision: Option<i64>,
    /// Why an admin approves although others have to.
    pub override_reason: Option<&'a str>,
}

/// What an approval has done.
pub enum Decision {
    Published(Approved),
    /// It is noted, and others have to approve, too.
    Waits(Vec<Missing>),
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

/// Why nothing is published.
enum Halt {
    Waits(Vec<Missing>),
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
    if let Some(authority) = &authority {
        check_scope(authority, examined)?;
        check_member(connection, &set, authority)?;
        let missing = missing(connection, &set, approval, authority)?;
        if running.problems.is_empty() && !missing.is_empty() {
            return Err(Halt::Waits(missing));
        }
    } else {
        let missing = unfulfilled(connection, &set, examined)?;
        note_override(connection, &set, ("an operator", &missing), &actor)?;
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
    let contents = summary(examined);
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

/// Notes an approval that does not suffice yet.
fn note(
    connection: &mut PgConnection,
    set: &ReleaseSet,
    authority: &Authority,
    missing: &[Missing],
) -> Result<(), RequestError> {
    rules::approve(connection, set.id, authority.user.id, set.revision)?;
    Event::new(Action::SetApproval)
        .about(set.name.as_str())
        .detail(json!({ "revision": set.revision, "missing": missing.len() }))
        .record(connection, &authority.actor())?;
    Ok(())
}

/// The rules that need more approvals than there are with this one; none if an admin overrides them.
fn missing(
    connection: &mut PgConnection,
    set: &ReleaseSet,
    approval: &Approval<'_>,
    authority: &Authority,
) -> Result<Vec<Missing>, RequestError> {
    rules::approve(connection, set.id, authority.user.id, set.revision)?;
    let missing = unfulfilled(connection, set, approval.examined)?;
    let Some(reason) = approval.override_reason else { return Ok(missing) };
    authority.admin()?;
    let reason = refusal::message("reason of the override", Some(reason))?.ok_or(SetRefusal::NoOverrideReason)?;
    note_override(connection, set, (reason, &missing), &authority.actor())?;
    Ok(Vec::new())
}

/// The rules of a set's crates that its approvals do not fulfil.
fn unfulfilled(connection: &mut PgConnection, set: &ReleaseSet, examined: &Examined) -> QueryResult<Vec<Missing>> {
    let versions = examined.versions.iter().map(|one| &one.staged.name);
    let names: BTreeSet<&CrateName> = versions.chain(examined.changes.iter().map(|one| &one.name)).collect();
    let names: Vec<CrateName> = names.into_iter().cloned().collect();
    rules::missing(connection, (set.id, set.revision), &names)
}

/// Notes that a set is approved against rules, if it is.
fn note_override(
    connection: &mut PgConnection,
    set: &ReleaseSet,
    (reason, missing): (&str, &[Missing]),
    actor: &Actor,
) -> QueryResult<()> {
    let rules: BTreeSet<&String> = missing.iter().filter_map(|one| one.subject.as_ref()).collect();
    if rules.is_empty() {
        return Ok(());
    }
    // An error, so that it reaches those who are paged for errors.
    tracing::error!(set = %set.name, by = %actor.name, reason, "the rules of approvals are overridden");
    Event::new(Action::SetOverride)
        .about(set.name.as_str())
        .detail(json!({ "reason": reason, "rules": rules }))
        .record(connection, actor)
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
