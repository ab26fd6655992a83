//! `supercargo worker`.

use super::signals::Signals;
use super::working::Working;
use super::{CommandError, Storage};
use crate::config::StorageOptions;
use crate::queue::{Completions, Wakeups};

pub(super) fn work(options: &StorageOptions) -> Result<(), CommandError> {
    let signals = Signals::block()?;
    let storage = Storage::attach(options)?;
    let index = storage.index(options)?;
    let (wakeups, completions) = (Wakeups::default(), Completions::default());
    let working = Working::start(&storage, &storage.pool(options), &index, &wakeups, &completions, true)?;
    tracing::info!(data_dir = %storage.data_dir.path().display(), "taking jobs");
    let signal = signals.wait()?;
    tracing::info!("{signal}: finishing the batch at hand; once more to leave at once");
    signals.leave_at_the_next()?;
    working.stop();
    storage.close()
}
