//! Publishing: the request that accepts a version, and the job that brings it into the index.

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::admission::{Admission, NewCrates};
use super::subject::Subject;
use super::sync_index::SyncIndex;
use super::{Environment, VersionChange};
use crate::crate_store::CrateStoreError;
use crate::database::about::About;
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::{Caller, Denied};
use crate::database::access::rate_limits::RateLimited;
use crate::database::access::scope::Scope;
use crate::database::catalog::crate_limits::CrateLimits;
use crate::database::catalog::crates::Crate;
use crate::database::catalog::new_version::NewVersion;
use crate::database::catalog::owners::Rights;
use crate::database::catalog::versions::VersionStatus;
use crate::database::catalog::{crates, dependencies, owners, reserved_names, versions};
use crate::fault;
use crate::package::limits::LimitError;
use crate::package::policy::UnknownDependency;
use crate::package::{CrateName, Limits, Package, Version};
use crate::queue::EnqueueError;
use crate::queue::{Enqueue, Job, JobId, Member, Policy};

/// A version was accepted and is to appear in the index.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct PublishVersion(pub VersionChange);

impl Job for PublishVersion {
    const KIND: &'static str = "publish_version";
    const POLICY: Policy = VersionChange::POLICY;

    fn key(&self) -> Option<String> {
        Some(self.0.name.to_string())
    }
}

impl Member<Environment, SyncIndex> for PublishVersion {
    fn into_member(self) -> Subject {
        Subject::VersionChange(self.0)
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
    #[error("the name `{name}` is reserved in this registry ({reason}): choose another name for the crate")]
    ReservedHere { name: CrateName, reason: String },
    #[error(
        "the crate `{name}` does not exist yet, and only admins of this registry may publish new crates: ask one to \
         publish its first version and to add you to its owners"
    )]
    OnlyAdmins { name: CrateName },
    #[error("`{login}` is not an owner of the crate `{name}`: ask one of its owners ({owners}) to add you")]
    NotOwner { login: String, name: CrateName, owners: String },
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    RateLimited(Box<RateLimited>),
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error("{}", duplicate(.name, .given, .existing))]
    Duplicate { name: CrateName, given: Version, existing: Box<VersionStatus> },
    #[error("the crate file was removed while the version was being accepted: store it again")]
    FileRemoved,
    #[error(transparent)]
    CrateStore(#[from] CrateStoreError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

fn duplicate(name: &CrateName, given: &Version, existing: &VersionStatus) -> String {
    if let Some(reason) = &existing.deletion_reason {
        return format!(
            "crate version `{name}@{given}` was deleted from this registry ({reason}), and its number can't be used \
             again: publish another number"
        );
    }
    let state = match (existing.effective_yanked, existing.desired_yanked) {
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

/// What is known of a crate before a publish of it is read.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub limits: CrateLimits,
    /// Bytes of its file in the index.
    pub index_bytes: u64,
}

/// Refuses what need not be read any further, and answers what the rest is to be held against. The same is asked again
/// under the crate's lock by [`request`].
pub fn check(
    connection: &mut PgConnection,
    name: &CrateName,
    num: &Version,
    caller: &Caller,
    admission: &Admission,
) -> Result<Known, PublishError> {
    let (scope, known) = match crates::find(connection, name)? {
        Some(found) => {
            let index_bytes = check_existing(connection, &found, name, num, caller)?;
            (Scope::PublishUpdate, Known { limits: found.limits, index_bytes })
        }
        None => {
            check_new(connection, name, caller, admission)?;
            (Scope::PublishNew, Known::default())
        }
    };
    let limited = admission.rate_limits.peek(connection, caller.user.id, &caller.user.login, scope)?;
    match limited {
        Some(limited) => Err(PublishError::RateLimited(Box::new(limited))),
        None => Ok(known),
    }
}

fn check_new(
    connection: &mut PgConnection,
    name: &CrateName,
    caller: &Caller,
    admission: &Admission,
) -> Result<(), PublishError> {
    caller.may(Scope::PublishNew, name)?;
    if name.is_reserved() {
        return Err(PublishError::Reserved(name.clone()));
    }
    if admission.new_crates == NewCrates::Admins && !caller.user.is_admin {
        return Err(PublishError::OnlyAdmins { name: name.clone() });
    }
    match reserved_names::reason(connection, name)? {
        Some(reason) if !caller.user.is_admin => Err(PublishError::ReservedHere { name: name.clone(), reason }),
        _ => Ok(()),
    }
}

/// Answers the bytes of the crate's file in the index.
fn check_existing(
    connection: &mut PgConnection,
    found: &Crate,
    name: &CrateName,
    num: &Version,
    caller: &Caller,
) -> Result<u64, PublishError> {
    caller.may(Scope::PublishUpdate, name)?;
    if found.name != *name {
        return Err(PublishError::OtherSpelling { given: name.clone(), original: found.name.clone() });
    }
    if owners::rights(connection, found.id, caller.user.id)? < Rights::Publish {
        let owners: Vec<_> = owners::list_all(connection, found.id)?.iter().map(|owner| owner.login()).collect();
        return Err(PublishError::NotOwner {
            login: caller.user.login.clone(),
            name: name.clone(),
            owners: owners.join(", "),
        });
    }
    let met = versions::meet(connection, found.id, num)?;
    match met.same {
        Some(existing) => {
            Err(PublishError::Duplicate { name: name.clone(), given: num.clone(), existing: Box::new(existing) })
        }
        None => Ok(met.index_bytes),
    }
}

/// Which of these crates, on which a package depends, are not in the registry. A crate is there from its first accepted
/// version on. A name in another spelling is not there, because cargo asks for the very spelling that a dependency has.
pub fn unknown_dependencies(
    connection: &mut PgConnection,
    names: &BTreeSet<&CrateName>,
) -> QueryResult<Vec<UnknownDependency>> {
    let names: Vec<&CrateName> = names.iter().copied().collect();
    let found = crates::names_like(connection, &names)?;
    let unknown = names.into_iter().filter(|name| !found.contains(name));
    Ok(unknown
        .map(|name| UnknownDependency {
            name: name.clone(),
            spelling: found.iter().find(|found| found.canonical() == name.canonical()).cloned(),
        })
        .collect())
}

/// Accepts a version: in one transaction the crate, its first owner, the version and the job. The crate file is stored
/// before; `is_stored` looks whether it still is. `announce` is called with the job's id before the commit; workers are told
/// by the caller, after it.
pub fn request(
    connection: &mut PgConnection,
    package: &Package,
    (index_line, limits): (&str, &Limits),
    caller: &Caller,
    admission: &Admission,
    is_stored: impl FnOnce() -> Result<bool, CrateStoreError>,
    announce: impl FnOnce(JobId),
) -> Result<Accepted, PublishError> {
    connection.transaction(|connection| {
        let (krate, created_crate) = crates::ensure_and_lock(connection, &package.name)?;
        let caller = &caller.confirm(connection)??;
        let user = &caller.user;
        let scope = if created_crate {
            check_new(connection, &package.name, caller, admission)?;
            owners::add(connection, krate.id, user.id)?;
            Scope::PublishNew
        } else {
            let bytes = check_existing(connection, &krate, &package.name, &package.version, caller)?;
            limits.check_index_file(bytes, index_line)?;
            Scope::PublishUpdate
        };
        if let Some(limited) = admission.rate_limits.draw(connection, user.id, &user.login, scope)? {
            return Err(PublishError::RateLimited(Box::new(limited)));
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
        // From here on nobody removes the file: see `unused_files`.
        if !is_stored()? {
            return Err(PublishError::FileRemoved);
        }
        dependencies::insert(connection, version_id, &package.manifest.dependencies)?;
        Event::new(Action::Publish)
            .of_crate(&krate.name)
            .of_version(&package.version)
            .detail(
                json!({ "checksum": package.checksum, "size": package.crate_file.len(), "new_crate": created_crate }),
            )
            .record(connection, &caller.actor())?;
        let wish = VersionChange { crate_id: krate.id, version_id, name: krate.name, num: package.version.clone() };
        let job = Enqueue::new(&PublishVersion(wish))
            .requested_by(&user.login)
            .of_request(caller.request_id.as_deref())
            .quietly()
            .insert(connection)?;
        announce(job);
        fault::point("request.before_commit")
            .map_err(|fault| diesel::result::Error::QueryBuilderError(fault.into()))?;
        caller.waits()?;
        Ok(Accepted { version_id, job, created_crate })
    })
}
