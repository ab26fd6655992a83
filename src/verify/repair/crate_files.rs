//! Repairs of crate files: lost files are restored, and files that no version needs are moved to the quarantine.

use bytes::Bytes;
use chrono::Utc;

use super::outcome::Outcome;
use super::repairs::Repairs;
use crate::crate_store::CrateStore;
use crate::jobs::{RemoveCrateFile, unused_files};
use crate::package::{Checksum, CrateName, Limits, Version};
use crate::queue::Enqueue;
use crate::upstream::download_url;
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;

/// Restores a missing or damaged file, from the quarantine or from the mirror.
pub fn restore(context: &Context<'_>, repairs: &Repairs<'_>, difference: &Difference) -> Result<Outcome, VerifyError> {
    let (checksum, mut done) = match from_quarantine(context.crate_store, difference)? {
        Tried::Ended(outcome) => return Ok(outcome),
        Tried::Missing(checksum, done) => (checksum, done),
    };
    let fetched = match (difference.crate_name.as_deref(), difference.version.as_deref()) {
        (Some(name), Some(num)) => match (name.parse(), num.parse()) {
            (Ok(name), Ok(num)) => fetch(context, repairs, &name, &num, checksum),
            _ => Err("the name or version of the crate is not valid".to_owned()),
        },
        _ => Err("the version of the file is not known".to_owned()),
    };
    Ok(match fetched {
        Ok((bytes, url)) => {
            context.crate_store.put(checksum, bytes)?;
            done.push(format!("fetched from {url}"));
            Outcome::Done(done.join("; "))
        }
        Err(problem) => {
            done.push(problem);
            Outcome::Left(done.join("; "))
        }
    })
}

/// Restores missing or damaged documentation from the quarantine.
pub fn restore_docs(context: &Context<'_>, difference: &Difference) -> Result<Outcome, VerifyError> {
    Ok(match from_quarantine(context.crate_store, difference)? {
        Tried::Ended(outcome) => outcome,
        Tried::Missing(_, mut done) => {
            done.push(
                "it is not in the quarantine: copy it from a backup, or upload the documentation again".to_owned(),
            );
            Outcome::Left(done.join("; "))
        }
    })
}

/// What came of the quarantine.
enum Tried {
    Ended(Outcome),
    /// The quarantine lacks the file; and what was done meanwhile.
    Missing(Checksum, Vec<String>),
}

/// Moves a damaged file away, and restores the file from the quarantine.
fn from_quarantine(store: &CrateStore, difference: &Difference) -> Result<Tried, VerifyError> {
    let Some(checksum) = difference.subject.checksum else {
        return Ok(Tried::Ended(Outcome::Left("the checksum of the file is not known".to_owned())));
    };
    // Versions can share a file.
    if store.digest(checksum)?.is_some_and(|(found, _)| found == checksum) {
        return Ok(Tried::Ended(Outcome::Done("restored with another version".to_owned())));
    }
    let mut done = Vec::new();
    let is_damaged = matches!(difference.kind, Kind::DamagedCrateFile | Kind::DamagedDocs);
    if is_damaged && store.size(checksum)?.is_some() {
        let moved = store.quarantine(&CrateStore::place(checksum), Utc::now())?;
        done.push(format!("the damaged file is at {moved}"));
    }
    let Some(from) = store.restore_quarantined(checksum)? else { return Ok(Tried::Missing(checksum, done)) };
    done.push(format!("restored from {from}"));
    Ok(Tried::Ended(Outcome::Done(done.join("; "))))
}

/// Downloads the file of a version from the mirror: the file and its URL.
pub fn fetch(
    context: &Context<'_>,
    repairs: &Repairs<'_>,
    name: &CrateName,
    num: &Version,
    checksum: Checksum,
) -> Result<(Bytes, String), String> {
    let Some(mirror) = &repairs.mirror else {
        return Err(
            "there is no mirror to fetch it from: pass --mirror with the URL of a registry that has the file, or \
                    copy it from a backup"
                .to_owned(),
        );
    };
    let url = download_url(&mirror.template, name, num, checksum);
    // The size of the largest crate file that any limit could allow.
    let limit = Limits::default().max_unpacked;
    let answer = mirror.upstream.fetch(&url, limit, &|| context.is_stopped());
    let bytes = answer.map_err(|error| error.to_string())?.ok_or_else(|| format!("{url} has no such file"))?;
    match Checksum::of(&bytes) {
        found if found == checksum => Ok((bytes, url)),
        found => Err(format!("{url} has a file with another checksum, {found}")),
    }
}

/// Requests the job that removes the file of a deleted version.
pub fn remove(context: &Context<'_>, repairs: &Repairs<'_>, difference: &Difference) -> Result<Outcome, VerifyError> {
    let (Some(version_id), Some(checksum)) = (difference.subject.version_id, difference.subject.checksum) else {
        return Ok(Outcome::Left("the version of the file is not known".to_owned()));
    };
    let job = RemoveCrateFile { version_id, checksum };
    let enqueue = Enqueue::new(&job).requested_by(&repairs.actor.name);
    let id = context.pool.with(|connection| enqueue.insert(connection))??;
    Ok(Outcome::Requested(id, "removed, because its version is deleted".to_owned()))
}

/// Moves a file that no version needs to the quarantine, unless a backup may need it.
pub fn quarantine(context: &Context<'_>, difference: &Difference) -> Result<Outcome, VerifyError> {
    let (store, path) = (context.crate_store, difference.path.as_deref().unwrap_or_default());
    let moved = match difference.subject.checksum {
        None => Some(store.quarantine(path, Utc::now())?),
        Some(checksum) => context.pool.with(|connection| unused_files::quarantine(connection, store, checksum))??,
    };
    Ok(Outcome::Done(match moved {
        Some(moved) => format!("moved to {moved} in the crate store"),
        None => "a version needs the file by now, a backup is being made, or the file no longer exists".to_owned(),
    }))
}

/// Moves an unfinished file to the quarantine.
pub fn quarantine_unfinished(context: &Context<'_>, difference: &Difference) -> Result<Outcome, VerifyError> {
    let Some(path) = &difference.path else {
        return Ok(Outcome::Left("the path of the file is not known".to_owned()));
    };
    let moved = context.crate_store.quarantine_unfinished(path, Utc::now())?;
    Ok(Outcome::Done(format!("moved to {moved} in the crate store")))
}
