//! The comparison of the index with its remote.

use std::time::{Duration, Instant};

use crate::index::Oid;
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;

/// Pause between two reads of a remote that differs.
const CHECK_EVERY: Duration = Duration::from_millis(200);

/// Compares the mirror with its remote, if the index has one. A mirror is updated a moment after its remote, so a difference
/// counts only if it lasts for the patience of the settings.
pub fn recheck(context: &Context<'_>) -> Result<Vec<Difference>, VerifyError> {
    let index = context.index;
    let Some(remote) = index.remote() else { return Ok(Vec::new()) };
    let named = |head: Option<Oid>| head.map_or("no commit".to_owned(), |commit| commit.to_string());
    let until = Instant::now() + context.settings.patience;
    loop {
        let there = remote.head();
        let here = index.head()?.commit;
        if there.as_ref().is_ok_and(|there| *there == here) {
            return Ok(Vec::new());
        }
        if Instant::now() >= until || context.is_stopped() {
            let found = there.map_or_else(|error| error.to_string(), named);
            return Ok(vec![Difference::new(Kind::RemoteDiffers, found, named(here)).at(remote.url())]);
        }
        std::thread::sleep(CHECK_EVERY);
    }
}
