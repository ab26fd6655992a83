//! Index files that no crate of the database has.

use std::collections::BTreeSet;

use crate::database::catalog::crates;
use crate::index::ConfigJson;
use crate::package::CrateName;
use crate::package::index_path::{crate_path, index_path};
use crate::verify::context::Context;
use crate::verify::error::VerifyError;
use crate::verify::progress::{Flow, Progress};
use crate::verify::recheck::index_files::recheck;
use crate::verify::report::Phase;

/// Names in one query.
const PAGE: usize = 1000;

/// Checks the entries of the root directory after the one of the cursor.
pub fn check(context: &Context<'_>, progress: &mut Progress<'_>, cursor: &str) -> Result<Flow, VerifyError> {
    // Files that appear or vanish meanwhile belong to crates with rows: a row is written before its file, and stays.
    let head = context.index.head()?;
    let entries = context.index.root_entries(&head)?;
    for entry in entries.iter().filter(|entry| *entry.name > *cursor) {
        let paths =
            if entry.is_directory { context.index.files_below(&head, &entry.name)? } else { vec![entry.name.clone()] };
        for page in paths.chunks(PAGE) {
            if context.is_stopped() {
                return Ok(Flow::Stopped);
            }
            check_paths(context, progress, page)?;
        }
        progress.save(context, Phase::IndexFiles, &entry.name)?;
    }
    Ok(Flow::Done)
}

fn check_paths(context: &Context<'_>, progress: &mut Progress<'_>, paths: &[String]) -> Result<(), VerifyError> {
    progress.report.counts.index_files += paths.len() as u64;
    let named: Vec<(&String, Option<CrateName>)> = paths.iter().map(|path| (path, crate_path(path))).collect();
    let names: Vec<&CrateName> = named.iter().filter_map(|(_, name)| name.as_ref()).collect();
    let known = context.database(|connection| crates::names_like(connection, &names))?;
    let known: BTreeSet<String> = known.iter().map(index_path).collect();
    let suspects = named.iter().filter(|(path, _)| !known.contains(*path) && *path != ConfigJson::PATH);
    let mut found = Vec::new();
    for (path, name) in suspects {
        found.extend(recheck(context, path, name.as_ref())?);
    }
    progress.record(context, found)
}
