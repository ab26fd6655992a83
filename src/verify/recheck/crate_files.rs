//! The second check of a crate file.

use chrono::{DateTime, Utc};

use crate::crate_store::{CrateStore, StoredFile};
use crate::database::upkeep::crate_states::{self, NamedFile};
use crate::jobs::RemoveCrateFile;
use crate::package::Checksum;
use crate::queue::{Job, inspection};
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;

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
    let digest = context.crate_store.digest(checksum)?;
    let of_each = kept.into_iter().filter_map(|file| {
        let difference = match digest {
            None => Difference::new(Kind::MissingCrateFile, "no file", format!("{} bytes", file.size)),
            Some((found, size)) if found != checksum => {
                let found = format!("{found}, {size} bytes");
                Difference::new(Kind::DamagedCrateFile, found, format!("{checksum}, {} bytes", file.size))
            }
            Some((_, size)) if i64::try_from(size) != Ok(file.size) => {
                let found = format!("the right content of {size} bytes");
                Difference::new(Kind::SizeDiffers, found, format!("{} bytes", file.size))
            }
            Some(_) => return None,
        };
        Some(about(difference, file, checksum))
    });
    Ok(of_each.collect())
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

/// Checks a file that no version named in the first check.
pub fn recheck_orphan(context: &Context<'_>, file: &StoredFile) -> Result<Option<Difference>, VerifyError> {
    if let Some(checksum) = file.checksum {
        let exists = context.crate_store.size(checksum)?.is_some();
        let named = context.database(|connection| crate_states::naming(connection, checksum))?;
        if !exists || !named.is_empty() {
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
