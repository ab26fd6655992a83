//! A repository whose history is made from something else, each time as a whole.

use std::io::{Seek, Write};
use std::time::Duration;

use super::error::IndexError;
use super::repository::Index;

/// Locked by the one process that makes the history.
const LOCK: &str = "replay.lock";
/// The longest that git takes for it.
const LIMIT: Duration = Duration::from_secs(60);

impl Index {
    /// Makes the branch what a stream for `git fast-import` says, whatever it was before. The same stream makes the same commits.
    pub fn replay(&self, stream: &[u8]) -> Result<(), IndexError> {
        let _lock = self.lock(LOCK)?;
        let failed = |error| IndexError::file("write to a temporary file in", self.path())(error);
        let mut input = tempfile::tempfile_in(self.path()).map_err(failed)?;
        input.write_all(stream).and_then(|()| input.rewind()).map_err(failed)?;
        self.git().run(self.path(), &["fast-import", "--quiet", "--force"], &input, LIMIT)?;
        self.forget_handles();
        Ok(())
    }
}
