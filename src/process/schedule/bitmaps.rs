//! The scheduled bitmap of the index, with which clones of the git index are cheap.

use std::time::Duration;

use super::{Intervals, Scheduled, Stopped};
use crate::index::{Bitmap, Index};
use crate::process::CommandError;

/// When to look whether the index needs one.
const INTERVALS: Intervals = Intervals { first: Duration::from_secs(10 * 60), then: Duration::from_secs(60 * 60) };

/// Starts the schedule, in each process that has an index: one process builds. A stop ends git, and nothing has changed.
pub fn start(index: &Index) -> Result<Scheduled, CommandError> {
    let index = index.clone();
    Scheduled::start("bitmap", "build a bitmap of the index", INTERVALS, move |stopped| build_if_due(&index, stopped))
}

fn build_if_due(index: &Index, stopped: &Stopped) -> Result<(), CommandError> {
    if !index.bitmap_is_due()? {
        return Ok(());
    }
    match index.build_bitmap(&|| stopped.is_set())? {
        Bitmap::Built { size, replaced } => {
            tracing::info!(bytes = size, replaced, "packed the index with a bitmap, so that clones are cheap");
        }
        Bitmap::NotBuilt => {}
        Bitmap::NoSpace { needed, free } => {
            return Err(CommandError::new(format!(
                "the disk has {} MiB free, and {} MiB are needed for a while: free some space",
                free >> 20,
                needed.div_ceil(1 << 20)
            )));
        }
    }
    Ok(())
}
