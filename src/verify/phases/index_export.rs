//! The copy of the index in a bucket, if it is to be checked.

use crate::database::upkeep::index_exports;
use crate::jobs::index_export::compare;
use crate::verify::context::Context;
use crate::verify::error::VerifyError;
use crate::verify::progress::{Flow, Progress};
use crate::verify::recheck::index_export::recheck;

/// Compares a listing of the bucket with the commit that was exported. A copy that is incomplete is compared when it is.
pub fn check(context: &Context<'_>, progress: &mut Progress<'_>) -> Result<Flow, VerifyError> {
    let Some(destination) = &context.settings.index_export else { return Ok(Flow::Done) };
    let key = destination.key();
    let state = context.database(|connection| index_exports::find(connection, &key))?;
    let commit = state.and_then(|state| state.commit_id).and_then(|commit| commit.parse().ok());
    let Some(commit) = commit else { return Ok(Flow::Done) };
    let (differing, files) = match compare(context.index, destination, commit, &|| context.is_stopped()) {
        _ if context.is_stopped() => return Ok(Flow::Stopped),
        compared => compared?,
    };
    progress.report.counts.exported_files += files as u64;
    for path in differing.keys() {
        if context.is_stopped() {
            return Ok(Flow::Stopped);
        }
        progress.record(context, recheck(context, path)?.into_iter().collect())?;
    }
    Ok(Flow::Done)
}
