//! Uploading and deleting the documentation of a version: the change in the database, and the removal of what it replaces.
//!
//! The archive is a file of the crate store, named by its checksum as crate files are, and is stored before this transaction. The same
//! lock keeps it there (`unused_files`). The archive that it replaces is removed by a job, after the commit.

use diesel::prelude::*;
use serde_json::json;

use super::admission::Admission;
use super::remove_crate_file;
use super::request::RequestError;
use crate::crate_store::CrateStoreError;
use crate::database::access::audit::{Action, Event};
use crate::database::access::buckets;
use crate::database::access::caller::{Authority, Caller, Denied};
use crate::database::access::scope::Scope;
use crate::database::catalog::crates::Crate;
use crate::database::catalog::docs_refusal::DocsRefusal;
use crate::database::catalog::owners::{self, Rights};
use crate::database::catalog::refusal::{self, ChangeRefusal};
use crate::database::catalog::version_docs::{self, NewDocs};
use crate::database::catalog::versions::VersionStatus;
use crate::database::catalog::{crate_files, locked_crate};
use crate::database::publishers::grants;
use crate::docs_archive::Contents;
use crate::fault;
use crate::package::{Checksum, CrateName, Version};

/// What an upload did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// The crate's own spelling.
    pub name: CrateName,
    pub num: Version,
    /// Whether there was other documentation.
    pub replaced: bool,
}

/// An archive that was stored.
#[derive(Clone, Copy, Debug)]
pub struct StoredArchive<'a> {
    pub checksum: Checksum,
    /// In bytes.
    pub size: u64,
    pub contents: &'a Contents,
    /// Its index, as it is stored.
    pub entries: &'a [u8],
}

/// Checks, before the archive arrives, that the caller may upload it. Returns the crate's own spelling.
pub fn check(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    caller: &Caller,
) -> Result<CrateName, RequestError> {
    caller.may(Scope::PublishDocs, name)?;
    let krate = refusal::find_crate(connection, name)??;
    check_rights(connection, &krate, caller)?;
    find(connection, &krate, num)?;
    Ok(krate.name)
}

/// Draws an upload of this many bytes from the user's rate limit and upload allowance, in a transaction of its own: also one that is
/// refused later has cost the work of examining it.
pub fn admit(
    connection: &mut PgConnection,
    caller: &Caller,
    admission: &Admission,
    size: u64,
) -> Result<(), RequestError> {
    connection.transaction(|connection| draw(connection, caller, admission, size))
}

/// Gives a version the archive, in place of the one that it has. `is_stored` is called with the lock that keeps the archive.
pub fn upload_as(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    archive: StoredArchive<'_>,
    caller: &Caller,
    is_stored: impl Fn() -> Result<bool, CrateStoreError>,
) -> Result<Uploaded, RequestError> {
    connection.transaction(|connection| {
        let (krate, version, caller) = begin(connection, (name, num), caller)?;
        crate_files::hold(connection, archive.checksum)?;
        if !is_stored()? {
            return Err(RequestError::FileRemoved);
        }
        let contents = archive.contents;
        let size = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let docs = NewDocs {
            version_id: version.id,
            checksum: archive.checksum,
            size: size(archive.size),
            files: contents.files.try_into().unwrap_or(i32::MAX),
            unpacked_size: size(contents.unpacked),
            directory: contents.index.directory().to_owned(),
            entries: archive.entries.to_vec(),
        };
        let former = version_docs::put(connection, &docs)?;
        remove_former(connection, version.id, former.filter(|former| *former != archive.checksum))?;
        let detail = json!({ "checksum": archive.checksum, "size": archive.size, "files": contents.files });
        Event::new(Action::DocsUpload)
            .of_crate(&krate.name)
            .of_version(&version.num)
            .detail(detail)
            .record(connection, &caller.actor())?;
        fault::point("request.before_commit")?;
        caller.connection.check()?;
        Ok(Uploaded { name: krate.name, num: version.num, replaced: former.is_some() })
    })
}

/// Takes the archive from a version.
pub fn delete_as(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    caller: &Caller,
) -> Result<(), RequestError> {
    connection.transaction(|connection| {
        let (krate, version, caller) = begin(connection, (name, num), caller)?;
        let Some(former) = version_docs::remove(connection, version.id)? else {
            return Err(DocsRefusal::None { name: krate.name, num: version.num }.into());
        };
        remove_former(connection, version.id, Some(former))?;
        Event::new(Action::DocsDelete)
            .of_crate(&krate.name)
            .of_version(&version.num)
            .detail(json!({ "checksum": former }))
            .record(connection, &caller.actor())?;
        fault::point("request.before_commit")?;
        Ok(())
    })
}

/// Takes the archive from a version that is being deleted.
pub(in crate::jobs) fn remove_with_version(connection: &mut PgConnection, version_id: i32) -> Result<(), RequestError> {
    let former = version_docs::remove(connection, version_id)?;
    remove_former(connection, version_id, former)
}

/// Locks the crate, confirms the caller, and finds the version.
fn begin(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    caller: &Caller,
) -> Result<(Crate, VersionStatus, Authority), RequestError> {
    caller.may(Scope::PublishDocs, name)?;
    let locked = locked_crate::find(connection, name, caller)?;
    let (krate, caller) = locked.map(|locked| (locked.krate, locked.caller)).unzip();
    let krate = refusal::present(name, krate)?;
    let caller = caller.ok_or(diesel::NotFound)??;
    caller.may(Scope::PublishDocs, name)?;
    check_rights(connection, &krate, &caller)?;
    let version = find(connection, &krate, num)?;
    Ok((krate, version, caller))
}

/// Finds a version that is not deleted.
fn find(connection: &mut PgConnection, krate: &Crate, num: &Version) -> Result<VersionStatus, RequestError> {
    let version = refusal::find_version(connection, krate, num)??;
    match version.deletion_reason {
        Some(reason) => Err(DocsRefusal::Deleted { name: krate.name.clone(), num: version.num, reason }.into()),
        None => Ok(version),
    }
}

/// Who may publish a version of the crate may upload its documentation.
fn check_rights(connection: &mut PgConnection, krate: &Crate, caller: &Caller) -> Result<(), RequestError> {
    if let Some(trusted) = &caller.token.trusted {
        let (name, login) = (krate.name.clone(), caller.user.login.clone());
        return match grants::find(connection, trusted, (Some(krate.id), &krate.name))? {
            None => Err(ChangeRefusal::NotTrusted { name, login }.into()),
            Some(grant) if grant.stages_only => Err(Denied::OnlyStages { token: caller.token.name.clone() }.into()),
            Some(_) => Ok(()),
        };
    }
    if owners::rights(connection, krate.id, caller.user.id)? < Rights::Publish && !caller.is_admin() {
        return Err(refusal::not_an_owner(connection, krate, &caller.user)?.into());
    }
    if krate.trustpub_only && !caller.is_admin() {
        return Err(ChangeRefusal::OnlyTrusted { name: krate.name.clone() }.into());
    }
    Ok(())
}

/// Draws an upload from the user's rate limit and upload allowance.
fn draw(connection: &mut PgConnection, caller: &Caller, admission: &Admission, size: u64) -> Result<(), RequestError> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let allowance = admission.upload_allowance;
    let draws: Vec<_> = admission
        .rate_limits
        .draw_of(Scope::PublishDocs)
        .into_iter()
        .chain(allowance.map(|allowance| allowance.draw_of(size)))
        .collect();
    let levels = buckets::draw(connection, caller.user.id, &draws)?;
    admission.rate_limits.check_drawn(&levels, &caller.user.login, Scope::PublishDocs)?;
    match allowance {
        Some(allowance) => Ok(allowance.check_drawn(&levels, &caller.user.login, size)?),
        None => Ok(()),
    }
}

fn remove_former(connection: &mut PgConnection, version_id: i32, former: Option<Checksum>) -> Result<(), RequestError> {
    let former = former.map(|checksum| (version_id, checksum));
    Ok(remove_crate_file::enqueue(connection, former.as_slice())?)
}
