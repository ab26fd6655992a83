//! Yanking and unyanking: the request of a user or an operator, and the two jobs that write the index.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::admission::Admission;
use super::environment::Environment;
use super::request::{Completion, RequestError, enqueue};
use super::subject::Subject;
use super::sync_index::SyncIndex;
use super::version_change::{INDEX_POLICY, VersionChange};
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::buckets::{Draw, Levels};
use crate::database::access::caller::Caller;
use crate::database::access::scope::Scope;
use crate::database::catalog::crates::Crate;
use crate::database::catalog::desired_yank::{self, DesiredYank};
use crate::database::catalog::locked_crate;
use crate::database::catalog::owners::Rights;
use crate::database::catalog::refusal::{self, ChangeRefusal};
use crate::database::catalog::versions::VersionStatus;
use crate::package::{CrateName, Version};
use crate::queue::{Completions, Enqueue, EnqueueError, Job, JobId, Member, Policy};

/// A version is to be yanked: new builds no longer choose it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct YankVersion(pub VersionChange);

/// A version is to be unyanked: new builds may choose it again.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct UnyankVersion(pub VersionChange);

impl Job for YankVersion {
    const KIND: &'static str = "yank_version";
    const POLICY: Policy = INDEX_POLICY;

    fn key(&self) -> Option<String> {
        Some(self.0.name.to_string())
    }
}

impl Job for UnyankVersion {
    const KIND: &'static str = "unyank_version";
    const POLICY: Policy = INDEX_POLICY;

    fn key(&self) -> Option<String> {
        Some(self.0.name.to_string())
    }
}

impl Member<Environment, SyncIndex> for YankVersion {
    fn into_member(self) -> Subject {
        Subject::VersionChange(self.0)
    }
}

impl Member<Environment, SyncIndex> for UnyankVersion {
    fn into_member(self) -> Subject {
        Subject::VersionChange(self.0)
    }
}

/// The yank state that a request asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct YankState<'a> {
    /// None: as it is.
    pub yanked: Option<bool>,
    /// Why the version is yanked, for everyone who looks at it. Without one, an earlier message is removed.
    pub message: Option<&'a str>,
}

impl YankState<'_> {
    /// Yanked or not, without a message.
    pub fn of(yanked: bool) -> Self {
        Self { yanked: Some(yanked), message: None }
    }
}

/// Writes the desired yank state of a version and enqueues the job, in one transaction. The present state does not matter:
/// an unyank that arrives before the job of its yank has run must not be dropped.
pub fn request_as(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    state: YankState<'_>,
    (caller, admission): (&Caller, &Admission),
    completions: &Completions,
) -> Result<Completion, RequestError> {
    caller.may(Scope::Yank, name)?;
    connection.transaction(|connection| {
        let locked = locked_crate::find(connection, name, caller)?;
        let (krate, caller) = locked.map(|locked| (locked.krate, locked.caller)).unzip();
        let krate = refusal::present(name, krate)?;
        let caller = caller.ok_or(diesel::NotFound)??;
        let user = &caller.user;
        caller.may(Scope::Yank, name)?;
        let (found, rights) = desired_yank::facts(connection, krate.id, num, user.id)?;
        let version = refusal::version(&krate, num, found)?;
        if rights < Rights::Publish && !caller.is_admin() {
            return Err(refusal::not_an_owner(connection, &krate, user)?.into());
        }
        let wanted = Wanted::of(krate, version, state)?;
        let draw: Vec<_> = admission.rate_limits.draw_of(Scope::Yank).into_iter().collect();
        let levels = wanted.write(connection, &caller.actor(), (Some(user.id), &draw))?;
        admission.rate_limits.check_drawn(&levels, &user.login, Scope::Yank)?;
        match wanted.yanked {
            true => enqueue(connection, &YankVersion(wanted.change()), &caller, completions),
            false => enqueue(connection, &UnyankVersion(wanted.change()), &caller, completions),
        }
    })
}

/// Does the same for an operator on the command line.
pub fn request(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    state: YankState<'_>,
    operator: &Actor,
) -> Result<JobId, RequestError> {
    fn enqueued(connection: &mut PgConnection, job: &impl Job, operator: &Actor) -> Result<JobId, EnqueueError> {
        Enqueue::new(job).requested_by(&operator.name).quietly().insert(connection)
    }
    connection.transaction(|connection| {
        let krate = refusal::lock_crate(connection, name)??;
        let version = refusal::find_version(connection, &krate, num)??;
        let wanted = Wanted::of(krate, version, state)?;
        wanted.write(connection, operator, (None, &[]))?;
        Ok(match wanted.yanked {
            true => enqueued(connection, &YankVersion(wanted.change()), operator)?,
            false => enqueued(connection, &UnyankVersion(wanted.change()), operator)?,
        })
    })
}

/// A yank state that the version may have.
struct Wanted<'a> {
    krate: Crate,
    version: VersionStatus,
    yanked: bool,
    message: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn of(krate: Crate, version: VersionStatus, state: YankState<'a>) -> Result<Self, ChangeRefusal> {
        let message = refusal::message("yank message", state.message)?;
        if let Some(reason) = version.deletion_reason {
            return Err(ChangeRefusal::Deleted { name: krate.name, num: version.num, reason });
        }
        let yanked = state.yanked.unwrap_or(version.desired_yanked);
        if message.is_some() && !yanked {
            return Err(ChangeRefusal::MessageWithoutYank { name: krate.name, num: version.num });
        }
        Ok(Self { krate, version, yanked, message })
    }

    /// Writes the state and the entry in the audit log, and draws from the user's buckets.
    fn write(
        &self,
        connection: &mut PgConnection,
        actor: &Actor,
        draws: (Option<i32>, &[Draw]),
    ) -> QueryResult<Levels> {
        let event = Event::new(if self.yanked { Action::Yank } else { Action::Unyank })
            .of_crate(&self.krate.name)
            .of_version(&self.version.num);
        let event = match self.message {
            Some(message) => event.detail(json!({ "message": message })),
            None => event,
        };
        let state = DesiredYank { version_id: self.version.id, yanked: self.yanked, message: self.message };
        state.write(connection, event, actor, draws)
    }

    fn change(&self) -> VersionChange {
        VersionChange {
            crate_id: self.krate.id,
            version_id: self.version.id,
            name: self.krate.name.clone(),
            num: self.version.num.clone(),
        }
    }
}
