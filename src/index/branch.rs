//! The branch that holds the index.
//!
//! Everything in this program reads and writes the index as `main`. If the operator names another branch
//! ([`naming`](super::naming)), that one holds the commits, and `main` is a symbolic reference to it.
//!
//! Usually the reference is a file of its own, which is moved here without opening the repository. Everything
//! else (a packed reference, a log of references, a first commit) is left to libgit2.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use git2::{Oid, Repository};
use tempfile::NamedTempFile;

use super::error::optional;
use super::sync::sync;

/// The branch as this program names it.
pub(super) const MAIN: &str = "refs/heads/main";

/// The reference that holds the commits: [`MAIN`], or the one to which it is a symbolic reference.
pub(super) fn real(repository: &Repository) -> Result<String, git2::Error> {
    let main = optional(repository.find_reference(MAIN))?;
    let target = main.as_ref().and_then(|main| main.symbolic_target_bytes());
    Ok(target.map_or_else(|| MAIN.to_owned(), |target| String::from_utf8_lossy(target).into_owned()))
}

/// The beginning of the names of files for [`NewHead`]s, in the repository's directory.
pub(super) const NEW_HEAD: &str = "supercargo-head-";

/// Bytes that a reference's file has at most, if it can be read here.
const LONGEST: usize = 512;

/// The commit in the branch's file, to which `main` may lead; `None` if there is no such file, or something else in it. Opens
/// the file, which a network disk answers with what it has now.
pub(super) fn read(repository: &Path) -> Option<Oid> {
    Oid::from_str(&line(&mut File::open(file_of_branch(repository)?).ok()?)?).ok()
}

/// Flushes the directory of the branch's file: a process that was killed may have moved the branch without.
pub(super) fn flush(repository: &Path) -> io::Result<()> {
    let branch = file_of_branch(repository);
    branch.as_deref().and_then(Path::parent).map_or(Ok(()), sync)
}

/// The line in a reference's file. All of it comes with one call.
pub(super) fn line(file: &mut File) -> Option<String> {
    let mut buffer = [0; LONGEST];
    let length = file.read(&mut buffer).ok()?;
    std::str::from_utf8(buffer[..length].strip_suffix(b"\n")?).ok().map(str::to_owned)
}

/// The branch's next value, in a file that is flushed beside the pack and then becomes the branch's.
pub(super) struct NewHead {
    file: NamedTempFile,
    branch: PathBuf,
}

/// Why the branch was not moved here.
pub(super) enum Unmoved {
    /// Another process has the branch's lock, or left it behind.
    Locked,
    /// The disk has no hard links.
    NoLinks,
    /// The check failed.
    Refused,
    Failed(io::Error),
}

impl NewHead {
    /// Writes the value, without a flush; `None` if the move has to be left to libgit2.
    pub fn write(repository: &Path, tip: Oid) -> io::Result<Option<Self>> {
        let Some(branch) = file_of_branch(repository) else { return Ok(None) };
        let logs = branch.strip_prefix(repository).map(|name| repository.join("logs").join(name));
        if logs.is_ok_and(|logs| logs.exists()) {
            return Ok(None);
        }
        let permissions = match fs::metadata(&branch) {
            Ok(found) => found.permissions(),
            // `git pack-refs`, a part of `git gc`, has just packed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut named = tempfile::Builder::new();
        let mut file = named.prefix(NEW_HEAD).permissions(permissions).tempfile_in(repository)?;
        file.write_all(format!("{tip}\n").as_bytes())?;
        Ok(Some(Self { file, branch }))
    }

    /// To be flushed before [`place`](Self::place).
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// The path of the branch's lock.
    pub fn lock(&self) -> PathBuf {
        self.branch.with_added_extension("lock")
    }

    /// Takes the branch's lock, as git does, by giving the file the lock's name. Then moves the branch, durably, if
    /// `is_expected` says that it may.
    pub fn place(&self, is_expected: impl FnOnce() -> bool) -> Result<(), Unmoved> {
        let lock = self.lock();
        fs::hard_link(self.file.path(), &lock).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Unmoved::Locked,
            _ => Unmoved::NoLinks,
        })?;
        if !is_expected() {
            fs::remove_file(&lock).map_err(Unmoved::Failed)?;
            return Err(Unmoved::Refused);
        }
        if let Err(error) = fs::rename(&lock, &self.branch) {
            // The first error says more than one of this.
            let _ = fs::remove_file(&lock);
            return Err(Unmoved::Failed(error));
        }
        sync(self.branch.parent().unwrap_or(&self.branch)).map_err(Unmoved::Failed)
    }
}

/// The file that holds the branch, if there is one.
fn file_of_branch(repository: &Path) -> Option<PathBuf> {
    let main = repository.join(MAIN);
    let content = line(&mut File::open(&main).ok()?)?;
    let Some(branch) = content.strip_prefix("ref: ") else { return Some(main) };
    let branch = repository.join(branch);
    branch.is_file().then_some(branch)
}
