//! Fetching: the mirror follows the remote, wherever it went.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use git2::{Oid, Repository};

use super::Remote;
use crate::index::error::{IndexError, optional};
use crate::index::git_program::Ended;

const LOOK: &str = "look at";
const FETCH: &str = "fetch from";

/// Where the remote's branch was when it was last fetched. No client sees it.
pub(super) const FETCHED: &str = "refs/supercargo/remote";

impl Remote {
    /// Where the remote's branch is; None while it has none. Asks the remote, and waits for its answer no longer than
    /// `--index-push-timeout`.
    pub fn head(&self) -> Result<Option<Oid>, IndexError> {
        let reference = self.reference();
        self.run(LOOK, &["ls-remote", "--", &self.0.options.url, &reference], self.limit(), |ended| {
            if !is_good(&ended) {
                return Err(self.failed(LOOK, &ended.stderr));
            }
            let line =
                ended.stdout.lines().find_map(|line| line.split_once('\t').filter(|(_, name)| *name == reference));
            let unreadable = |_| self.failed(LOOK, "its answer can't be read");
            line.map(|(id, _)| Oid::from_str(id).map_err(unreadable)).transpose()
        })
    }

    /// Brings what the remote's branch has into the repository, and answers where it is; None: there is no such branch.
    /// Only for the holder of the writer's lock.
    pub(super) fn fetch(
        &self,
        path: &Path,
        repository: &Repository,
        limit: Duration,
    ) -> Result<Option<Oid>, IndexError> {
        let refspec = format!("+{}:{FETCHED}", self.reference());
        let directory = path.to_string_lossy();
        let arguments = [
            "--git-dir",
            &directory,
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--refmap=",
            "--",
            &self.0.options.url,
            &refspec,
        ];
        let there = self.run(FETCH, &arguments, limit, |ended| {
            // The words are git's own, in no language but English.
            let no_branch = ended.stderr.contains("couldn't find remote ref");
            match is_good(&ended) {
                true => Ok(true),
                false if no_branch => Ok(false),
                false => Err(self.failed(FETCH, &ended.stderr)),
            }
        })?;
        self.0.unsure.store(false, Ordering::SeqCst);
        if !there {
            return Ok(None);
        }
        let fetched =
            optional(repository.refname_to_id(FETCHED)).map_err(IndexError::git("read what was fetched", path))?;
        Ok(fetched)
    }
}

fn is_good(ended: &Ended) -> bool {
    ended.status.is_some_and(|status| status.success())
}
