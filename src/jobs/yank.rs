//! Yanking and unyanking: the request, and the two jobs that write the index.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::admission::Admission;
use super::environment::Environment;
use super::request::{Completion, RequestError, enqueue};
use super::subject::Subject;
use super::sync_index::SyncIndex;
use super::version_change::{INDEX_POLICY, VersionChange};
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::Caller;
use crate::database::access::scope::Scope;
use crate::database::catalog::owners::{self, Rights};
use crate::database::catalog::refusal::{self, ChangeRefusal};
use crate::database::catalog::versions;
use crate::package::{CrateName, Version};
use crate::queue::{Completions, Job, Member, Policy};

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

/// Writes the desired yank state of a version and enqueues the job, in one transaction. The present state does not matter:
/// an unyank that arrives before the job of its yank has run must not be dropped.
pub fn request(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    yanked: bool,
    (caller, admission): (&Caller, &Admission),
    completions: &Completions,
) -> Result<Completion, RequestError> {
    caller.may(Scope::Yank, name)?;
    connection.transaction(|connection| {
        let krate = refusal::lock_crate(connection, name)??;
        let caller = caller.confirm(connection)??;
        let user = &caller.user;
        caller.may(Scope::Yank, name)?;
        let version = refusal::find_version(connection, &krate, num)??;
        if owners::rights(connection, krate.id, user.id)? < Rights::Publish && !caller.is_admin() {
            return Err(refusal::not_an_owner(connection, &krate, user)?.into());
        }
        if let Some(reason) = version.deletion_reason {
            return Err(ChangeRefusal::Deleted { name: krate.name, num: version.num, reason }.into());
        }
        if let Some(limited) = admission.rate_limits.draw(connection, user.id, &user.login, Scope::Yank)? {
            return Err(limited.into());
        }
        versions::request_yank_state(connection, version.id, yanked)?;
        Event::new(if yanked { Action::Yank } else { Action::Unyank })
            .of_crate(&krate.name)
            .of_version(&version.num)
            .record(connection, &caller.actor())?;
        let change = VersionChange { crate_id: krate.id, version_id: version.id, name: krate.name, num: version.num };
        if yanked {
            enqueue(connection, &YankVersion(change), &caller, completions)
        } else {
            enqueue(connection, &UnyankVersion(change), &caller, completions)
        }
    })
}
