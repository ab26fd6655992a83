//! Fetching: the mirror follows the remote's branch, also when it was rewritten.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use git2::{Oid, Repository};

use super::Remote;
use crate::index::error::{IndexError, optional};
use crate::index::git_program::Ended;

const QUERY: &str = "query";
const FETCH: &str = "fetch from";

/// The remote's branch at the last fetch. Hidden from clients.
pub(super) const FETCHED: &str = "refs/supercargo/remote";

impl Remote {
    /// The commit of the remote's branch; `None` if the branch does not exist. Queries the remote within the time limit
    /// `--index-push-timeout`.
    pub fn head(&self) -> Result<Option<Oid>, IndexError> {
        let reference = self.reference();
        self.run(QUERY, &["ls-remote", "--", &self.0.options.url, &reference], self.limit(), |ended| {
            if !is_good(&ended) {
                return Err(self.failed(QUERY, &ended.stderr));
            }
            let line =
                ended.stdout.lines().find_map(|line| line.split_once('\t').filter(|(_, name)| *name == reference));
            let unreadable = |_| self.failed(QUERY, "the answer has no valid commit id");
            line.map(|(id, _)| Oid::from_str(id).map_err(unreadable)).transpose()
        })
    }

    /// Fetches the remote's branch and returns its commit; `None` if the branch does not exist. Only for the holder of
    /// the write lock.
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
            // A message of git itself, in English because of LC_ALL.
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
            optional(repository.refname_to_id(FETCHED)).map_err(IndexError::git("read the fetched reference", path))?;
        Ok(fetched)
    }
}

fn is_good(ended: &Ended) -> bool {
    ended.status.is_some_and(|status| status.success())
}
