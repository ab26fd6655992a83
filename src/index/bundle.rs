//! The whole index as one file, made and read by git.
//!
//! A bundle is made beside a writer: git reads the branch once, at its start. A repack that removes a pack under its feet
//! fails it, and then it is made again.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use git2::{Oid, TreeWalkMode, TreeWalkResult};

use super::config_json::ConfigJson;
use super::error::IndexError;
use super::initialise::BRANCH;
use super::repository::{Head, Index};

/// The most time for writing or reading one.
const LIMIT: Duration = Duration::from_secs(3600);

/// How often a bundle is tried.
const TRIES: usize = 3;

impl Index {
    /// Writes the branch with all its history into a file, which must not exist, and answers the commit it is at; `None`,
    /// and no file, while the index is empty.
    pub fn write_bundle(&self, file: &Path) -> Result<Option<Oid>, IndexError> {
        if self.head()?.commit.is_none() {
            return Ok(None);
        }
        let name = file.to_string_lossy();
        let nobody = File::open("/dev/null").map_err(IndexError::file("open", Path::new("/dev/null")))?;
        let mut tries = 0;
        loop {
            match self.git().run(self.path(), &["bundle", "create", "-q", &name, BRANCH], &nobody, LIMIT) {
                Err(IndexError::GitFailed { .. }) if tries + 1 < TRIES => tries += 1,
                done => break done?,
            }
        }
        bundled(file).map(Some)
    }

    /// Takes the branch from a bundle into an index that is empty.
    pub fn read_bundle(&self, file: &Path) -> Result<Head, IndexError> {
        let _writer = self.lock_writer()?;
        let nobody = File::open("/dev/null").map_err(IndexError::file("open", Path::new("/dev/null")))?;
        let refspec = format!("{BRANCH}:{BRANCH}");
        let arguments = ["fetch", "-q", "--no-auto-maintenance", &file.to_string_lossy(), &refspec];
        self.git().run(self.path(), &arguments, &nobody, LIMIT)?;
        self.forget_handles();
        self.head()
    }

    /// The paths of all files at a head but config.json.
    pub fn crate_paths(&self, head: &Head) -> Result<Vec<String>, IndexError> {
        let Some(commit) = head.commit else { return Ok(Vec::new()) };
        self.with_handle("list the files", |repository| {
            let mut paths = Vec::new();
            repository.find_commit(commit)?.tree()?.walk(TreeWalkMode::PreOrder, |directory, entry| {
                if entry.kind() == Some(git2::ObjectType::Blob) {
                    paths.push(format!("{directory}{}", String::from_utf8_lossy(entry.name_bytes())));
                }
                TreeWalkResult::Ok
            })?;
            paths.retain(|path| path != ConfigJson::PATH);
            Ok(paths)
        })
    }
}

/// The commit that a bundle's header names. Source: git's documentation of the bundle format.
fn bundled(file: &Path) -> Result<Oid, IndexError> {
    let failed = |error| IndexError::file("read", file)(error);
    let mut lines = BufReader::new(File::open(file).map_err(failed)?);
    loop {
        let mut line = Vec::new();
        lines.read_until(b'\n', &mut line).map_err(IndexError::file("read", file))?;
        let text = String::from_utf8_lossy(&line);
        if let Some((id, name)) = text.trim_end().split_once(' ')
            && name == BRANCH
        {
            return Oid::from_str(id).map_err(IndexError::git("read the header of a bundle of", file));
        }
        if text.trim_end().is_empty() {
            let ended = std::io::Error::other("the bundle names no branch");
            return Err(IndexError::file("read", file)(ended));
        }
    }
}
