//! The whole index as one bundle file, written and read by git.
//!
//! A bundle is written while the index may change. git reads a branch twice and leaves it out if it has moved in between, so
//! the bundle is that of a repository of its own, which has the objects of the index and a branch that stays. If a merge
//! removes a pack meanwhile, git fails, and the bundle is written again.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use git2::{Oid, TreeWalkMode, TreeWalkResult};

use super::branch::MAIN;
use super::config_json::ConfigJson;
use super::error::IndexError;
use super::repository::{Head, Index};

/// The time limit for writing or reading a bundle.
const LIMIT: Duration = Duration::from_secs(3600);

/// Attempts to write a bundle.
const TRIES: usize = 3;

impl Index {
    /// Writes the branch with its whole history to `file`, which must not exist, and returns its commit. If the index
    /// is empty, writes no file and returns `None`.
    pub fn write_bundle(&self, file: &Path) -> Result<Option<Oid>, IndexError> {
        let Some(commit) = self.head()?.commit else { return Ok(None) };
        let still = tempfile::tempdir().map_err(IndexError::file("create a directory for", file))?;
        stand_still(still.path(), self.path(), commit).map_err(IndexError::file("write in", still.path()))?;
        let name = file.to_string_lossy();
        let input = File::open("/dev/null").map_err(IndexError::file("open", Path::new("/dev/null")))?;
        let mut tries = 0;
        loop {
            match self.git().run(still.path(), &["bundle", "create", "-q", &name, MAIN], &input, LIMIT) {
                Err(IndexError::GitFailed { .. }) if tries + 1 < TRIES => tries += 1,
                done => break done.map_err(|error| error.of_repository(self.path()))?,
            }
        }
        bundled(file).map(Some)
    }

    /// Reads a bundle into an empty index.
    pub fn read_bundle(&self, file: &Path) -> Result<Head, IndexError> {
        let _writer = self.lock_writer()?;
        let input = File::open("/dev/null").map_err(IndexError::file("open", Path::new("/dev/null")))?;
        let refspec = format!("{MAIN}:{MAIN}");
        let arguments = ["fetch", "-q", "--no-auto-maintenance", &file.to_string_lossy(), &refspec];
        self.git().run(self.path(), &arguments, &input, LIMIT)?;
        self.forget_handles();
        self.head()
    }

    /// The paths of all files at a head except config.json.
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

/// Makes an empty directory a repository with the objects of another one, whose branch is at a commit.
fn stand_still(still: &Path, repository: &Path, commit: Oid) -> io::Result<()> {
    for directory in ["objects/info", "objects/pack", "refs/heads"] {
        fs::create_dir_all(still.join(directory))?;
    }
    fs::write(still.join("HEAD"), format!("ref: {MAIN}\n"))?;
    fs::write(still.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n")?;
    fs::write(still.join(MAIN), format!("{commit}\n"))?;
    let objects = [repository.join("objects").as_os_str().as_encoded_bytes(), b"\n"].concat();
    fs::write(still.join("objects/info/alternates"), objects)?;
    // An operator may have cut off the history.
    match fs::copy(repository.join("shallow"), still.join("shallow")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The commit in a bundle's header. Source: gitformat-bundle(5).
fn bundled(file: &Path) -> Result<Oid, IndexError> {
    let failed = |error| IndexError::file("read", file)(error);
    let mut lines = BufReader::new(File::open(file).map_err(failed)?);
    loop {
        let mut line = Vec::new();
        lines.read_until(b'\n', &mut line).map_err(IndexError::file("read", file))?;
        let text = String::from_utf8_lossy(&line);
        if let Some((id, name)) = text.trim_end().split_once(' ')
            && name == MAIN
        {
            return Oid::from_str(id).map_err(IndexError::git("read the header of a bundle of", file));
        }
        if text.trim_end().is_empty() {
            let error = std::io::Error::other("the bundle has no main branch");
            return Err(IndexError::file("read", file)(error));
        }
    }
}
