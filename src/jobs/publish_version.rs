//! Publishing: the request that accepts a version, and the job that brings it into the index.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::sync_index::SyncIndex;
use super::{Environment, Wish};
use crate::database::about::About;
use crate::database::crates::Crate;
use crate::database::users::User;
use crate::database::versions::{NewVersion, VersionStatus};
use crate::database::{crates, dependencies, owners, versions};
use crate::package::{CrateName, Package, Version};
use crate::queue::EnqueueError;
use crate::queue::{Enqueue, Job, JobId, Member, Policy};

/// A version was accepted and is to appear in the index.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct PublishVersion(pub Wish);

impl Job for PublishVersion {
    const KIND: &'static str = "publish_version";
    const POLICY: Policy = Wish::POLICY;

    fn key(&self) -> Option<String> {
        Some(self.0.name.to_string())
    }
}

impl Member<Environment, SyncIndex> for PublishVersion {
    fn into_member(self) -> Wish {
        self.0
    }
}

/// Why a publish was refused by what the registry already holds. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(
        "the crate is called `{original}` here, and `{given}` is another spelling of the same name: publish it as \
         `{original}`, or under a name that differs by more than case, '-' and '_'"
    )]
    OtherSpelling { given: CrateName, original: CrateName },
    #[error("the name `{0}` is reserved: choose another name for the crate")]
    Reserved(CrateName),
    #[error("`{login}` is not an owner of the crate `{name}`: ask one of its owners ({owners}) to add you")]
    NotOwner { login: String, name: CrateName, owners: String },
    #[error("{}", duplicate(.name, .given, .existing))]
    Duplicate { name: CrateName, given: Version, existing: Box<VersionStatus> },
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

fn duplicate(name: &CrateName, given: &Version, existing: &VersionStatus) -> String {
    let state = match (existing.effective_yanked, existing.wanted_yanked) {
        (None, _) => "it is accepted and queued for the index, and will appear without being sent again",
        (Some(_), true) => "it is published, and yanked",
        (Some(_), false) => "it is published",
    };
    let build = if existing.num == *given {
        String::new()
    } else {
        format!(" (as {}: build metadata makes no other version)", existing.num)
    };
    format!(
        "crate version `{name}@{given}` is already uploaded{build}: {state}. A version is never replaced; publish another number"
    )
}

/// A version that was accepted.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    pub version_id: i32,
    pub job: JobId,
    /// The name was new.
    pub created_crate: bool,
}

/// Refuses what need not be read any further. The same is asked again under the crate's lock by [`request`].
pub fn check(connection: &mut PgConnection, name: &CrateName, num: &Version, user: &User) -> Result<(), PublishError> {
    match crates::find(connection, name)? {
        Some(found) => check_existing(connection, &found, name, num, user),
        None => check_new(name),
    }
}

fn check_new(name: &CrateName) -> Result<(), PublishError> {
    if name.is_reserved() { Err(PublishError::Reserved(name.clone())) } else { Ok(()) }
}

fn check_existing(
    connection: &mut PgConnection,
    found: &Crate,
    name: &CrateName,
    num: &Version,
    user: &User,
) -> Result<(), PublishError> {
    if found.name != *name {
        return Err(PublishError::OtherSpelling { given: name.clone(), original: found.name.clone() });
    }
    if !owners::is_owner(connection, found.id, user.id)? {
        let owners: Vec<_> = owners::list(connection, found.id)?.into_iter().map(|owner| owner.login).collect();
        return Err(PublishError::NotOwner {
            login: user.login.clone(),
            name: name.clone(),
            owners: owners.join(", "),
        });
    }
    match versions::find(connection, found.id, num)? {
        Some(existing) => {
            Err(PublishError::Duplicate { name: name.clone(), given: num.clone(), existing: Box::new(existing) })
        }
        None => Ok(()),
    }
}

/// Accepts a version: in one transaction the crate, its first owner, the version and the job. The crate file is stored
/// before. `announce` is called with the job's id before the commit; workers are told by the caller, after it.
pub fn request(
    connection: &mut PgConnection,
    package: &Package,
    index_line: &str,
    user: &User,
    announce: impl FnOnce(JobId),
) -> Result<Accepted, PublishError> {
    connection.transaction(|connection| {
        let (krate, created_crate) = crates::ensure_and_lock(connection, &package.name)?;
        if created_crate {
            check_new(&package.name)?;
            owners::add(connection, krate.id, user.id)?;
        } else {
            check_existing(connection, &krate, &package.name, &package.version, user)?;
        }
        let version = NewVersion {
            crate_id: krate.id,
            num: &package.version,
            checksum: package.checksum,
            size: i64::try_from(package.crate_file.len()).unwrap_or(i64::MAX),
            index_line,
            metadata: &package.metadata,
            about: &About::of(&package.manifest),
            created_by: user.id,
        };
        // Nobody else adds versions while the crate's row is locked, and the check above found none.
        let version_id = version.insert(connection)?.ok_or(diesel::result::Error::NotFound)?;
        dependencies::insert(connection, version_id, &package.manifest.dependencies)?;
        let wish = Wish { crate_id: krate.id, version_id, name: krate.name, num: package.version.clone() };
        let job = Enqueue::new(&PublishVersion(wish)).requested_by(&user.login).quietly().insert(connection)?;
        announce(job);
        Ok(Accepted { version_id, job, created_crate })
    })
}
