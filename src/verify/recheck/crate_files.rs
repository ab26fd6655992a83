//! The second check of a crate file.

use chrono::{DateTime, Utc};

use crate::crate_store::{CrateStore, StoredFile};
use crate::database::catalog::version_docs;
use crate::database::staging::staged;
use crate::database::upkeep::crate_states::{self, NamedFile};
use crate::jobs::RemoveCrateFile;
use crate::package::Checksum;
use crate::package::contents::Extent;
use crate::queue::{Job, inspection};
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;
use crate::verify::settings::Depth;
use crate::verify::{crate_file, manifest_comparison};

/// How often a file is checked while its rows are being written.
const TRIES: usize = 100;

/// Checks the file of a checksum against the versions that name it.
pub fn recheck(context: &Context<'_>, checksum: Checksum) -> Result<Vec<Difference>, VerifyError> {
    for _ in 0..TRIES {
        let read = || context.database(|connection| crate_states::naming(connection, checksum));
        let before = read()?;
        let differences = differences(context, checksum, &before)?;
        if differences.is_empty() || read()? == before {
            return Ok(differences);
        }
        if context.is_stopped() {
            break;
        }
    }
    Ok(Vec::new())
}

fn differences(context: &Context<'_>, checksum: Checksum, named: &[NamedFile]) -> Result<Vec<Difference>, VerifyError> {
    let (deleted, kept): (Vec<_>, Vec<_>) = named.iter().partition(|file| file.deletion_requested);
    if kept.is_empty() {
        return Ok(of_deleted(context, checksum, &deleted)?.into_iter().collect());
    }
    let mut differences = Vec::new();
    for file in kept {
        differences.extend(of_kept(context, checksum, file)?.map(|difference| about(difference, file, checksum)));
    }
    Ok(differences)
}

/// The difference of the file of a version that exists. In a full verification it includes the manifest, which is read to
/// its end here.
fn of_kept(context: &Context<'_>, checksum: Checksum, file: &NamedFile) -> Result<Option<Difference>, VerifyError> {
    let package = (&file.crate_name, &file.num);
    let Some(read) = crate_file::read(context.crate_store, checksum, package, Extent::All)? else {
        let expected = format!("{} bytes", file.size);
        return Ok(Some(Difference::new(Kind::MissingCrateFile, "no file", expected)));
    };
    if read.checksum != checksum {
        let found = format!("{}, {} bytes", read.checksum, read.size);
        let expected = format!("{checksum}, {} bytes", file.size);
        return Ok(Some(Difference::new(Kind::DamagedCrateFile, found, expected)));
    }
    if i64::try_from(read.size) != Ok(file.size) {
        let found = format!("the right content of {} bytes", read.size);
        return Ok(Some(Difference::new(Kind::SizeDiffers, found, format!("{} bytes", file.size))));
    }
    if context.settings.depth == Depth::Light {
        return Ok(None);
    }
    let line = context.database(|connection| crate_states::line(connection, file.version_id))?;
    let manifest = read.manifest.as_deref().map_err(Clone::clone);
    Ok(line.and_then(|line| manifest_comparison::compare(&line, manifest, &context.registry_urls)))
}

/// The difference if the file of a deleted version still exists and no job will remove it.
fn of_deleted(
    context: &Context<'_>,
    checksum: Checksum,
    named: &[&NamedFile],
) -> Result<Option<Difference>, VerifyError> {
    let Some(deleted) = named.iter().find(|file| file.state == "deleted") else { return Ok(None) };
    let (kind, id) = (RemoveCrateFile::KIND, i64::from(deleted.version_id));
    let is_pending =
        context.database(|connection| inspection::any_pending_about(connection, kind, "version_id", id))?;
    if is_pending || context.crate_store.size(checksum)?.is_none() {
        return Ok(None);
    }
    let difference = Difference::new(Kind::DeletedCrateFile, "a file", "no file, or a job");
    Ok(Some(about(difference, deleted, checksum)))
}

fn about(difference: Difference, file: &NamedFile, checksum: Checksum) -> Difference {
    let difference = difference.of_crate(&file.crate_name, file.crate_id).of_version(&file.num, file.version_id);
    difference.at(CrateStore::place(checksum)).about_file(checksum)
}

/// Checks the file of a staged version that was missing in the first check.
pub fn recheck_staged(context: &Context<'_>, checksum: Checksum) -> Result<Option<Difference>, VerifyError> {
    let is_missing = context.crate_store.size(checksum)?.is_none();
    if !is_missing || !context.database(|connection| staged::has_file(connection, checksum))? {
        return Ok(None);
    }
    let expected = "the file of a version that is staged in a release set";
    let difference = Difference::new(Kind::MissingCrateFile, "no file", expected);
    Ok(Some(difference.at(CrateStore::place(checksum)).about_file(checksum)))
}

/// Checks the documentation of a checksum that was missing or damaged in the first check.
pub fn recheck_docs(context: &Context<'_>, checksum: Checksum) -> Result<Vec<Difference>, VerifyError> {
    let found = context.crate_store.digest(checksum)?;
    if found.is_some_and(|(found, _)| found == checksum) {
        return Ok(Vec::new());
    }
    let named = context.database(|connection| version_docs::naming(connection, checksum))?;
    let differences = named.into_iter().map(|docs| {
        let expected = format!("{checksum}, {} bytes", docs.size);
        let difference = match found {
            None => Difference::new(Kind::MissingDocs, "no file", expected),
            Some((found, size)) => Difference::new(Kind::DamagedDocs, format!("{found}, {size} bytes"), expected),
        };
        let difference = difference.of_crate(&docs.crate_name, docs.crate_id).of_version(&docs.num, docs.version_id);
        difference.at(CrateStore::place(checksum)).about_file(checksum)
    });
    Ok(differences.collect())
}

/// Checks a file that no version named in the first check.
pub fn recheck_orphan(context: &Context<'_>, file: &StoredFile) -> Result<Option<Difference>, VerifyError> {
    if let Some(checksum) = file.checksum {
        let exists = context.crate_store.size(checksum)?.is_some();
        let named = context.database(|connection| crate_states::naming(connection, checksum))?;
        let is_staged = context.database(|connection| staged::has_file(connection, checksum))?;
        let is_docs = context.database(|connection| version_docs::has_file(connection, checksum))?;
        if !exists || is_staged || is_docs || !named.is_empty() {
            return Ok(None);
        }
    }
    let found = size_and_age(file.size, file.modified);
    let mut difference = Difference::new(Kind::OrphanFile, found, "a version, or no file").at(&file.location);
    difference.subject.checksum = file.checksum;
    Ok(Some(difference))
}

pub fn size_and_age(size: u64, modified: DateTime<Utc>) -> String {
    format!("{size} bytes, last written at {}", modified.format("%Y-%m-%dT%H:%M:%SZ"))
}
