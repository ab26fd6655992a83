//! Publishing: the request that accepts a version, and the job that writes it to the index.

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::admission::{Admission, NewCrates};
use super::environment::Environment;
use super::request::{Completion, RequestError, enqueue};
use super::subject::Subject;
use super::sync_index::SyncIndex;
use super::version_change::{INDEX_POLICY, VersionChange};
use crate::crate_store::CrateStoreError;
use crate::database::about::About;
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::Caller;
use crate::database::access::scope::Scope;
use crate::database::catalog::crate_limits::{self, CrateLimits};
use crate::database::catalog::crates::{Crate, Origin};
use crate::database::catalog::new_version::NewVersion;
use crate::database::catalog::owners::Rights;
use crate::database::catalog::refusal::{self, ChangeRefusal};
use crate::database::catalog::{crates, dependencies, owners, reserved_names, versions};
use crate::package::policy::UnknownDependency;
use crate::package::{CrateName, Limits, Package, Version};
use crate::queue::{Completions, Job, Member, Policy};

/// An accepted version is to be added to the index.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct PublishVersion(pub VersionChange);

impl Job for PublishVersion {
    const KIND: &'static str = "publish_version";
    const POLICY: Policy = INDEX_POLICY;

    fn key(&self) -> Option<String> {
        Some(self.0.name.to_string())
    }
}

impl Member<Environment, SyncIndex> for PublishVersion {
    fn into_member(self) -> Subject {
        Subject::VersionChange(self.0)
    }
}

/// What the database has of a crate before a publish of it is read.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The limits of its name.
    pub limits: CrateLimits,
    /// Size of its file in the index.
    pub index_bytes: u64,
}

/// Refuses a publish early, before its crate file is read. [`request`] repeats the checks under the crate's lock.
pub fn check(
    connection: &mut PgConnection,
    name: &CrateName,
    num: &Version,
    caller: &Caller,
    admission: &Admission,
) -> Result<Known, RequestError> {
    let (scope, index_bytes) = match crates::find(connection, name)? {
        Some(found) if found.deletion.frees_the_name() => {
            check_revived(connection, &found, (name, num), caller, admission)?;
            (Scope::PublishNew, 0)
        }
        Some(found) => (Scope::PublishUpdate, check_existing(connection, &found, name, num, caller)?),
        None => {
            check_new(connection, name, caller, admission)?;
            (Scope::PublishNew, 0)
        }
    };
    let limited = admission.rate_limits.peek(connection, caller.user.id, &caller.user.login, scope)?;
    match limited {
        Some(limited) => Err(limited.into()),
        None => Ok(Known { limits: crate_limits::of(connection, name)?, index_bytes }),
    }
}

fn check_new(
    connection: &mut PgConnection,
    name: &CrateName,
    caller: &Caller,
    admission: &Admission,
) -> Result<(), RequestError> {
    caller.may(Scope::PublishNew, name)?;
    if name.is_reserved() {
        return Err(ChangeRefusal::Reserved(name.clone()).into());
    }
    if admission.new_crates == NewCrates::Admins && !caller.user.is_admin {
        return Err(ChangeRefusal::OnlyAdmins { name: name.clone() }.into());
    }
    match reserved_names::reason(connection, name)? {
        Some(reason) if !caller.user.is_admin => Err(ChangeRefusal::ReservedHere { name: name.clone(), reason }.into()),
        _ => Ok(()),
    }
}

/// Checks a publish of a new crate under the released name of a deleted one. It has the former spelling, as the former
/// crate's file in the index does, and the former numbers stay taken.
fn check_revived(
    connection: &mut PgConnection,
    found: &Crate,
    (name, num): (&CrateName, &Version),
    caller: &Caller,
    admission: &Admission,
) -> Result<(), RequestError> {
    check_new(connection, name, caller, admission)?;
    check_spelling(found, name)?;
    check_number(connection, found, name, num).map(drop)
}

fn check_spelling(found: &Crate, name: &CrateName) -> Result<(), ChangeRefusal> {
    if found.name == *name {
        return Ok(());
    }
    Err(ChangeRefusal::OtherSpelling { given: name.clone(), original: found.name.clone() })
}

/// Checks a publish to an existing crate; returns the size of the crate's file in the index.
fn check_existing(
    connection: &mut PgConnection,
    found: &Crate,
    name: &CrateName,
    num: &Version,
    caller: &Caller,
) -> Result<u64, RequestError> {
    refusal::check_not_deleted(found)?;
    caller.may(Scope::PublishUpdate, name)?;
    check_spelling(found, name)?;
    if owners::rights(connection, found.id, caller.user.id)? < Rights::Publish {
        // Its owners go with a crate that is deleted at this moment.
        crates::find(connection, name)?.as_ref().map_or(Ok(()), refusal::check_not_deleted)?;
        return Err(refusal::not_an_owner(connection, found, &caller.user)?.into());
    }
    check_number(connection, found, name, num)
}

/// Checks that the crate has no version with this number; returns the size of the crate's file in the index.
fn check_number(
    connection: &mut PgConnection,
    found: &Crate,
    name: &CrateName,
    num: &Version,
) -> Result<u64, RequestError> {
    let met = versions::meet(connection, found.id, num)?;
    match met.same {
        Some(existing) => {
            let existing = Box::new(existing);
            Err(ChangeRefusal::Duplicate { name: name.clone(), given: num.clone(), existing }.into())
        }
        None => Ok(met.index_bytes),
    }
}

/// The crates among these dependencies that are not in the registry. A crate exists from its first accepted version until
/// its deletion. A
/// name in another spelling does not exist, because cargo requests the exact spelling of the dependency.
pub fn unknown_dependencies(
    connection: &mut PgConnection,
    names: &BTreeSet<&CrateName>,
) -> QueryResult<Vec<UnknownDependency>> {
    let names: Vec<&CrateName> = names.iter().copied().collect();
    let found = crates::present_names_like(connection, &names)?;
    let unknown = names.into_iter().filter(|name| !found.contains(name));
    Ok(unknown
        .map(|name| UnknownDependency {
            name: name.clone(),
            spelling: found.iter().find(|found| found.canonical() == name.canonical()).cloned(),
        })
        .collect())
}

/// Accepts a version: writes the crate, its first owner, the version and the job in one transaction. The crate file must be
/// stored already; `is_stored` checks that it still is.
pub fn request(
    connection: &mut PgConnection,
    package: &Package,
    (index_line, limits): (&str, &Limits),
    (caller, admission): (&Caller, &Admission),
    is_stored: impl FnOnce() -> Result<bool, CrateStoreError>,
    completions: &Completions,
) -> Result<Completion, RequestError> {
    connection.transaction(|connection| {
        let (krate, origin) = crates::ensure_and_lock(connection, &package.name)?;
        let caller = &caller.confirm(connection)??;
        let user = &caller.user;
        let (name, num) = (&package.name, &package.version);
        let scope = match origin {
            Origin::Created => {
                check_new(connection, name, caller, admission)?;
                Scope::PublishNew
            }
            Origin::Revived => {
                check_revived(connection, &krate, (name, num), caller, admission)?;
                Scope::PublishNew
            }
            Origin::Existing => {
                let bytes = check_existing(connection, &krate, name, num, caller)?;
                limits.check_index_file(bytes, index_line)?;
                Scope::PublishUpdate
            }
        };
        if origin.is_new() {
            owners::add(connection, krate.id, user.id)?;
        }
        if let Some(limited) = admission.rate_limits.draw(connection, user.id, &user.login, scope)? {
            return Err(limited.into());
        }
        let version = NewVersion {
            crate_id: krate.id,
            num: &package.version,
            checksum: package.checksum,
            size: i64::try_from(package.crate_file.len()).unwrap_or(i64::MAX),
            index_line,
            metadata: &package.metadata,
            about: &About::of(&package.manifest, &package.targets),
            created_by: user.id,
        };
        // No other transaction adds versions while the crate's row is locked, and the check above found none.
        let version_id = version.insert(connection)?.ok_or(diesel::NotFound)?;
        // From here on the file is not removed: see `unused_files`.
        if !is_stored()? {
            return Err(RequestError::FileRemoved);
        }
        dependencies::insert(connection, version_id, &package.manifest.dependencies)?;
        Event::new(Action::Publish)
            .of_crate(&krate.name)
            .of_version(&package.version)
            .detail(
                json!({ "checksum": package.checksum, "size": package.crate_file.len(), "new_crate": origin.is_new() }),
            )
            .record(connection, &caller.actor())?;
        let change = VersionChange { crate_id: krate.id, version_id, name: krate.name, num: package.version.clone() };
        enqueue(connection, &PublishVersion(change), caller, completions)
    })
}
