//! Yanking: the request, and the job that carries it into the index.

use diesel::PgConnection;
use serde::{Deserialize, Serialize};

use super::subject::Subject;
use super::sync_index::SyncIndex;
use super::wish::{YankError, request_yanked};
use super::{Admission, Environment, VersionChange};
use crate::database::access::caller::Caller;
use crate::package::{CrateName, Version};
use crate::queue::{Job, JobId, Member, Policy};

/// A version is no longer to be chosen by new builds.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct YankVersion(pub VersionChange);

impl Job for YankVersion {
    const KIND: &'static str = "yank_version";
    const POLICY: Policy = VersionChange::POLICY;

    fn key(&self) -> Option<String> {
        Some(self.0.name.to_string())
    }
}

impl Member<Environment, SyncIndex> for YankVersion {
    fn into_member(self) -> Subject {
        Subject::VersionChange(self.0)
    }
}

/// Accepts the wish. `announce` is called with the job's id before the commit.
pub fn request(
    connection: &mut PgConnection,
    version: (&CrateName, &Version),
    caller: &Caller,
    admission: &Admission,
    announce: impl FnOnce(JobId),
) -> Result<JobId, YankError> {
    request_yanked(connection, version, (caller, admission), true, YankVersion, announce)
}
