//! The copy of the index in a bucket, if it is to be checked.

use crate::database::upkeep::index_exports;
use crate::jobs::index_export::compare;
use crate::verify::context::Context;
use crate::verify::error::VerifyError;
use crate::verify::progress::{Flow, Progress};
use crate::verify::recheck::index_export::recheck;

/// Compares a listing of the bucket with the head. What the next export writes is no difference: see [`recheck`]. A copy that
/// is incomplete is compared when it is.
pub fn check(context: &Context<'_>, progress: &mut Progress<'_>) -> Result<Flow, VerifyError> {
    let Some(destination) = &context.settings.index_export else { return Ok(Flow::Done) };
    let key = destination.key();
    let state = context.database(|connection| index_exports::find(connection, &key))?;
    if state.is_none_or(|state| state.commit_id.is_none()) {
        return Ok(Flow::Done);
    }
    let Some(commit) = context.index.head()?.commit else { return Ok(Flow::Done) };
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
