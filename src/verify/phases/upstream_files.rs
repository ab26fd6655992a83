//! What is kept of upstreams: crate files, and index files in the data directory and in the database.
//!
//! Each is checked by itself: the upstreams are not asked.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use crate::database::upstream_sharing::index_files;
use crate::verify::context::Context;
use crate::verify::error::VerifyError;
use crate::verify::progress::{Flow, Progress};
use crate::verify::recheck::upstream_files::{IndexPlace, recheck_crate_file, recheck_index_file};
use crate::verify::report::Phase;
use crate::verify::settings::{Depth, UpstreamCache};

/// Rows in one query.
const PAGE: i64 = 200;
/// The cursors of the sections behind the crate files, whose cursors are numbers.
const DIRECTORY: &str = "directory";
const DATABASE: &str = "database";

/// Checks what comes after the cursor.
pub fn check(context: &Context<'_>, progress: &mut Progress<'_>, cursor: &str) -> Result<Flow, VerifyError> {
    let Some(cache) = &context.settings.upstreams else { return Ok(Flow::Done) };
    let row = cursor.strip_prefix(DATABASE);
    if row.is_none() && cursor != DIRECTORY {
        let begin = cursor.parse::<u16>().map_or(0, |done| done + 1);
        for byte in (0..=u8::MAX).filter(|byte| u16::from(*byte) >= begin) {
            if check_crate_files(context, progress, cache, byte)? == Flow::Stopped {
                return Ok(Flow::Stopped);
            }
            progress.save(context, Phase::UpstreamFiles, &byte.to_string())?;
        }
    }
    if row.is_none() {
        progress.save(context, Phase::UpstreamFiles, DIRECTORY)?;
        if check_directory(context, progress, &cache.index_files)? == Flow::Stopped {
            return Ok(Flow::Stopped);
        }
    }
    check_rows(context, progress, row.unwrap_or_default())
}

/// Reads the crate files whose checksums begin with this byte.
fn check_crate_files(
    context: &Context<'_>,
    progress: &mut Progress<'_>,
    cache: &UpstreamCache,
    byte: u8,
) -> Result<Flow, VerifyError> {
    if context.settings.depth == Depth::Light {
        return Ok(Flow::Done);
    }
    for file in cache.crate_files.list(byte)? {
        if context.is_stopped() {
            return Ok(Flow::Stopped);
        }
        let Some(checksum) = file.checksum else { continue };
        progress.bytes.take(file.size, &|| context.is_stopped());
        progress.report.counts.upstream_crate_files += 1;
        progress.report.counts.bytes += file.size;
        // It may have been removed since.
        if cache.crate_files.digest(checksum)?.is_some_and(|(found, _)| found != checksum) {
            progress.record(context, recheck_crate_file(context, checksum)?.into_iter().collect())?;
        }
    }
    Ok(Flow::Done)
}

fn check_directory(context: &Context<'_>, progress: &mut Progress<'_>, root: &Path) -> Result<Flow, VerifyError> {
    for upstream in names(root)? {
        for path in files_below(&root.join(&upstream))? {
            if context.is_stopped() {
                return Ok(Flow::Stopped);
            }
            check_index_file(context, progress, &IndexPlace::Directory { upstream: upstream.clone(), path })?;
        }
    }
    Ok(Flow::Done)
}

/// Checks the rows after one, which is named by upstream and path.
fn check_rows(context: &Context<'_>, progress: &mut Progress<'_>, after: &str) -> Result<Flow, VerifyError> {
    let (upstream, path) = after.split_once(' ').unwrap_or_default();
    let mut after = (upstream.to_owned(), path.to_owned());
    loop {
        let rows = context.database(|connection| index_files::after(connection, (&after.0, &after.1), PAGE))?;
        let Some(last) = rows.last().cloned() else { return Ok(Flow::Done) };
        for (upstream, path) in rows {
            if context.is_stopped() {
                return Ok(Flow::Stopped);
            }
            check_index_file(context, progress, &IndexPlace::Database { upstream, path })?;
        }
        progress.save(context, Phase::UpstreamFiles, &format!("{DATABASE}{} {}", last.0, last.1))?;
        after = last;
    }
}

fn check_index_file(context: &Context<'_>, progress: &mut Progress<'_>, place: &IndexPlace) -> Result<(), VerifyError> {
    progress.crates.take(1, &|| context.is_stopped());
    progress.report.counts.upstream_index_files += 1;
    progress.record(context, recheck_index_file(context, place)?.into_iter().collect())
}

/// The paths of the files below a directory, in order.
fn files_below(root: &Path) -> io::Result<Vec<String>> {
    let (mut files, mut open) = (BTreeSet::new(), vec![String::new()]);
    while let Some(directory) = open.pop() {
        for name in names(&root.join(&directory))? {
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            match fs::symlink_metadata(root.join(&path)) {
                Ok(found) if found.is_dir() => open.push(path),
                Ok(found) if found.is_file() => drop(files.insert(path)),
                _ => {}
            }
        }
    }
    Ok(files.into_iter().collect())
}

/// The names in a directory, in order; none if there is no such directory.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<String>>>()?;
    names.sort();
    Ok(names)
}
