//! Crate files and documentation that versions name, and files of the store that no version names.
//!
//! A page is a 256th of all checksums: those with the same first byte.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::crate_store::StoredFile;
use crate::database::catalog::version_docs;
use crate::database::staging::staged;
use crate::database::upkeep::crate_states::{self, NamedFile};
use crate::package::Checksum;
use crate::package::contents::Extent;
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;
use crate::verify::progress::{Flow, Progress};
use crate::verify::recheck::crate_files::{recheck, recheck_docs, recheck_orphan, recheck_staged, size_and_age};
use crate::verify::report::Phase;
use crate::verify::settings::Depth;
use crate::verify::{crate_file, manifest_comparison};

/// Checks the files whose first byte comes after the one of the cursor.
pub fn check(context: &Context<'_>, progress: &mut Progress<'_>, cursor: &str) -> Result<Flow, VerifyError> {
    let begin = cursor.parse::<u16>().map_or(0, |done| done + 1);
    for byte in (0..=u8::MAX).filter(|byte| u16::from(*byte) >= begin) {
        // The files first: a file that no version names afterwards was not stored for a version that was accepted before.
        let stored = context.crate_store.list(byte)?;
        let named = context.database(|connection| crate_states::files_beginning(connection, byte))?;
        if check_named(context, progress, &stored, &named)? == Flow::Stopped {
            return Ok(Flow::Stopped);
        }
        check_staged(context, progress, &stored, byte)?;
        if check_docs(context, progress, &stored, byte)? == Flow::Stopped {
            return Ok(Flow::Stopped);
        }
        check_orphans(context, progress, &stored, &named)?;
        check_unfinished(context, progress, byte)?;
        progress.save(context, Phase::CrateFiles, &byte.to_string())?;
    }
    Ok(Flow::Done)
}

fn check_named(
    context: &Context<'_>,
    progress: &mut Progress<'_>,
    stored: &[StoredFile],
    named: &[NamedFile],
) -> Result<Flow, VerifyError> {
    let by_checksum: BTreeMap<Checksum, &StoredFile> =
        stored.iter().filter_map(|file| Some((file.checksum?, file))).collect();
    let mut suspects = Vec::new();
    for (place, file) in named.iter().enumerate() {
        if context.is_stopped() {
            return Ok(Flow::Stopped);
        }
        let is_first = place == 0 || named[place - 1].checksum != file.checksum;
        if is_suspect(context, progress, file, by_checksum.get(&file.checksum).copied(), is_first)? {
            suspects.push(file.checksum);
        }
    }
    suspects.dedup();
    for checksum in suspects {
        progress.record(context, recheck(context, checksum)?)?;
    }
    Ok(Flow::Done)
}

/// The first check of a version's file. Of several versions with one file only the first has it read.
fn is_suspect(
    context: &Context<'_>,
    progress: &mut Progress<'_>,
    named: &NamedFile,
    stored: Option<&StoredFile>,
    is_first: bool,
) -> Result<bool, VerifyError> {
    if named.deletion_requested {
        return Ok(named.state == "deleted" && stored.is_some());
    }
    progress.report.counts.crate_files += 1;
    let Some(stored) = stored.filter(|stored| i64::try_from(stored.size) == Ok(named.size)) else {
        return Ok(true);
    };
    if context.settings.depth == Depth::Light || !is_first {
        return Ok(false);
    }
    progress.bytes.take(stored.size, &|| context.is_stopped());
    let package = (&named.crate_name, &named.num);
    let read = crate_file::read(context.crate_store, named.checksum, package, Extent::First)?;
    progress.report.counts.bytes += stored.size;
    let Some(read) = read.filter(|read| read.checksum == named.checksum) else { return Ok(true) };
    let line = context.database(|connection| crate_states::line(connection, named.version_id))?;
    let manifest = read.manifest.as_deref().map_err(Clone::clone);
    Ok(line.is_some_and(|line| manifest_comparison::compare(&line, manifest, &context.registry_urls).is_some()))
}

/// Checks that the files of staged versions are there.
fn check_staged(
    context: &Context<'_>,
    progress: &mut Progress<'_>,
    stored: &[StoredFile],
    first_byte: u8,
) -> Result<(), VerifyError> {
    let is_stored = |checksum: &Checksum| stored.iter().any(|file| file.checksum == Some(*checksum));
    let staged = context.database(|connection| staged::files_beginning(connection, first_byte))?;
    for checksum in staged.into_iter().filter(|checksum| !is_stored(checksum)) {
        progress.record(context, recheck_staged(context, checksum)?.into_iter().collect())?;
    }
    Ok(())
}

/// Checks the documentation of versions.
fn check_docs(
    context: &Context<'_>,
    progress: &mut Progress<'_>,
    stored: &[StoredFile],
    first_byte: u8,
) -> Result<Flow, VerifyError> {
    let mut archives = context.database(|connection| version_docs::files_beginning(connection, first_byte))?;
    archives.dedup_by_key(|archive| archive.checksum);
    for archive in archives {
        if context.is_stopped() {
            return Ok(Flow::Stopped);
        }
        let size = stored.iter().find(|file| file.checksum == Some(archive.checksum)).map(|file| file.size);
        let is_suspect = match size {
            Some(size) if i64::try_from(size) != Ok(archive.size) => true,
            Some(size) if context.settings.depth != Depth::Light => {
                progress.bytes.take(size, &|| context.is_stopped());
                progress.report.counts.bytes += size;
                context.crate_store.digest(archive.checksum)?.is_none_or(|(found, _)| found != archive.checksum)
            }
            Some(_) => false,
            None => true,
        };
        if is_suspect {
            progress.record(context, recheck_docs(context, archive.checksum)?)?;
        }
    }
    Ok(Flow::Done)
}

fn check_orphans(
    context: &Context<'_>,
    progress: &mut Progress<'_>,
    stored: &[StoredFile],
    named: &[NamedFile],
) -> Result<(), VerifyError> {
    for file in stored {
        let is_named = file.checksum.is_some_and(|one| named.binary_search_by(|row| row.checksum.cmp(&one)).is_ok());
        if !is_named && is_old(context, file.modified) {
            progress.record(context, recheck_orphan(context, file)?.into_iter().collect())?;
        }
    }
    Ok(())
}

fn is_old(context: &Context<'_>, modified: DateTime<Utc>) -> bool {
    let age = Utc::now().signed_duration_since(modified).to_std().unwrap_or_default();
    age >= context.settings.orphan_age
}

/// Checks for unfinished files of interrupted writes.
fn check_unfinished(context: &Context<'_>, progress: &mut Progress<'_>, byte: u8) -> Result<(), VerifyError> {
    let mut differences = Vec::new();
    for file in context.crate_store.list_unfinished(byte)? {
        if is_old(context, file.modified) {
            let found = size_and_age(file.size, file.modified);
            differences.push(Difference::new(Kind::StagedLeftover, found, "no file").at(file.location));
        }
    }
    progress.record(context, differences)
}
