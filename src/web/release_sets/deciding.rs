//! Approving and rejecting a release set.

use chrono::Utc;

use super::finding::visible;
use crate::database::access::caller::{Caller, Denied};
use crate::database::access::scope::Scope;
use crate::database::catalog::refusal::ChangeRefusal;
use crate::database::catalog::set_refusal::SetRefusal;
use crate::database::staging::sets::{ReleaseSet, SetState};
use crate::database::staging::{SetName, staged};
use crate::fault;
use crate::jobs::staging::approve::{self, Approval, Approved, Approver, Decision};
use crate::jobs::staging::end::{self, remove_files};
use crate::jobs::staging::examine::{self, Rules};
use crate::jobs::{RequestError, staging};
use crate::web::answers::waiting::is_shown;
use crate::web::{ApiError, App};

/// What an approval has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is accepted. `shown`: the index has it already.
    Published { shown: bool },
    /// The approval is noted, and others have to approve, too.
    Waits,
}

/// Checks that a token may approve at all.
pub fn check_may_approve(caller: &Caller) -> Result<(), Denied> {
    caller.has_one_of(&[Scope::Approve], Scope::Approve.as_str())
}

/// Checks that a token may reject at all.
pub fn check_may_reject(caller: &Caller) -> Result<(), Denied> {
    end::check_may_end(caller)
}

/// Approves a set for a user. `seen` is the revision that was looked at, if that was said, and then the reason of an admin who
/// approves without the others.
pub async fn approve(
    app: &App,
    name: SetName,
    (seen, override_reason): (Option<i64>, Option<String>),
    caller: Caller,
) -> Result<Outcome, ApiError> {
    check_may_approve(&caller)?;
    app.admit_job()?;
    let accepted = app.blocking(move |app| accept(app, &name, (seen, override_reason.as_deref()), &caller)).await?;
    let completion = match accepted {
        Decision::Published(approved) => approved.completion,
        Decision::Waits(_) => return Ok(Outcome::Waits),
    };
    let shown = match completion {
        Some(completion) => is_shown(app, completion).await,
        None => true,
    };
    Ok(Outcome::Published { shown })
}

fn accept(
    app: &App,
    name: &SetName,
    (revision, override_reason): (Option<i64>, Option<&str>),
    caller: &Caller,
) -> Result<Decision, ApiError> {
    fault::point("request.read")?;
    let settings = &app.settings;
    let rules = Rules { urls: &settings.urls, limits: &settings.limits, policy: &settings.policy };
    let set = app.pool.with(|connection| visible(connection, name, caller))??;
    if is_done(&set, revision, caller)? {
        return Ok(done());
    }
    let examined = app
        .cpu_slots
        .run(|| app.pool.with(|connection| examine::examine(connection, set, &app.crate_store, rules, Utc::now())))??;
    fault::point("approve.examined")?;
    let is_stored = |checksum| app.crate_store.contains(checksum);
    let decided =
        app.pool.with(|connection| {
            let approver = Approver::User(caller);
            let approval = Approval { examined: &examined, revision, override_reason };
            let decided = approve::request(connection, &approval, &approver, &is_stored, &app.completions);
            // The same request may have been sent twice, and the other one was faster.
            match decided {
                Err(RequestError::Refused(ChangeRefusal::Set(SetRefusal::Ended {
                    state: SetState::Approved, ..
                }))) if is_done(&staging::find(connection, name)?, revision, caller)? => Ok(done()),
                decided => decided,
            }
        });
    let decision = decided??;
    let Decision::Published(approved) = &decision else { return Ok(decision) };
    fault::point("request.committed")?;
    app.overlays.forget(name);
    if approved.deletes {
        app.known_files.doubt();
    }
    app.wake_workers();
    tracing::info!(set = %name, versions = approved.versions, changes = approved.changes, "approved a release set");
    Ok(decision)
}

/// Whether this caller has approved the set with an earlier request, whose answer was lost perhaps.
fn is_done(set: &ReleaseSet, revision: Option<i64>, caller: &Caller) -> Result<bool, RequestError> {
    let is_theirs = set.state(Utc::now()) == SetState::Approved && set.ended_by.as_deref() == Some(&caller.user.login);
    if !is_theirs || revision.is_some_and(|seen| seen != set.revision) {
        return Ok(false);
    }
    for name in staged::past_names(set) {
        caller.covers(&name)?;
    }
    Ok(true)
}

fn done() -> Decision {
    Decision::Published(Approved { versions: 0, changes: 0, deletes: false, completion: None })
}

/// Takes the approval of a user back.
pub async fn withdraw(app: &App, name: SetName, caller: Caller) -> Result<(), ApiError> {
    check_may_approve(&caller)?;
    app.blocking(move |app| Ok(app.pool.with(|connection| approve::withdraw(connection, &name, &caller))??)).await
}

/// Rejects a set for a user.
pub async fn reject(app: &App, name: SetName, reason: String, caller: Caller) -> Result<(), ApiError> {
    app.blocking(move |app| {
        fault::point("request.read")?;
        let files = app.pool.with(|connection| end::reject_as(connection, &name, &reason, &caller))??;
        app.overlays.forget(&name);
        fault::point("reject.committed")?;
        app.pool.with(|connection| remove_files(connection, &app.crate_store, &files))?;
        tracing::info!(set = %name, versions = files.len(), "rejected a release set");
        Ok(())
    })
    .await
}
