//! Opening and reading the index.
//!
//! What was read or written last is in memory ([`trees`](super::trees)). A verification reads [the disk](Index::on_disk).
//!
//! A libgit2 repository handle is used by one thread at a time, so an [`Index`] keeps a few open handles and lends one
//! to each reader. A handle has a list of packs. If no pack has an object, libgit2 lists the packs once more; but a
//! repack may remove a listed pack before it is opened. A reader that meets an error therefore repeats the read with a
//! new handle before it returns the error.

use std::fmt;
use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use git2::{ErrorCode, ObjectType, Oid, Repository, Tree};
use parking_lot::Mutex;

use super::branch::{self, MAIN};
use super::error::{IndexError, optional};
use super::git_program::GitProgram;
use super::initialise;
use super::pack_count::PackCount;
use super::packs::Bases;
use super::remote::{Remote, RemoteOptions};
use super::trees::Trees;

/// The most idle handles that are kept.
const IDLE_HANDLES: usize = 8;

/// Repetitions of a read with a new handle. Each repack during the same read costs one.
const REOPENINGS: usize = 3;

/// The git index of a registry. Clones share their open handles.
#[derive(Clone)]
pub struct Index {
    shared: Arc<Shared>,
    reads_disk: bool,
}

struct Shared {
    path: PathBuf,
    git: GitProgram,
    remote: Option<Remote>,
    idle: Mutex<Vec<Repository>>,
    trees: Trees,
    packs: PackCount,
    bases: Bases,
}

/// A state of the index. Everything that is read with it belongs to that state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    /// The commit of the branch; `None` while the index is empty.
    pub commit: Option<Oid>,
}

/// A file of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFile {
    /// The git blob id, which is a hash of the content.
    pub id: Oid,
    /// The whole file.
    pub content: Bytes,
}

impl Index {
    /// Opens the index, or creates an empty one, with the git program on the usual search path.
    pub fn open_or_init(path: &Path) -> Result<Index, IndexError> {
        Index::open_or_init_with(path, GitProgram::default())
    }

    /// Opens the index, or creates an empty one. `git` is used for repacking and serving.
    pub fn open_or_init_with(path: &Path, git: GitProgram) -> Result<Index, IndexError> {
        Index::open(path, git, None)
    }

    /// Opens the mirror of a remote, or creates an empty one. Does not connect to the remote.
    pub fn open_mirror(path: &Path, git: GitProgram, remote: RemoteOptions) -> Result<Index, IndexError> {
        let remote = Remote::new(remote, git.clone());
        Index::open(path, git, Some(remote))
    }

    fn open(path: &Path, git: GitProgram, remote: Option<Remote>) -> Result<Index, IndexError> {
        initialise::isolate_libgit2();
        initialise::create_if_absent(path)?;
        let path = path.canonicalize().map_err(IndexError::file("open", path))?;
        let repository = Repository::open_bare(&path).map_err(|error| match error.code() {
            ErrorCode::NotFound => IndexError::NotARepository { path: path.clone() },
            _ => IndexError::git("open the repository", &path)(error),
        })?;
        initialise::check(&repository, &path)?;
        let (idle, trees, packs, bases) = (Mutex::default(), Trees::of(&path), PackCount::default(), Bases::default());
        Ok(Index { shared: Arc::new(Shared { path, git, remote, idle, trees, packs, bases }), reads_disk: false })
    }

    /// The same index, but every object is read from the disk.
    pub fn on_disk(&self) -> Index {
        Index { reads_disk: true, ..self.clone() }
    }

    /// The repository's directory, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// The git program that serves and repacks this index.
    pub fn git(&self) -> &GitProgram {
        &self.shared.git
    }

    /// The remote that this index mirrors; `None` if there is no remote.
    pub fn remote(&self) -> Option<&Remote> {
        self.shared.remote.as_ref()
    }

    /// The current head. Reads one small file.
    pub fn head(&self) -> Result<Head, IndexError> {
        if let Some(commit) = branch::read(self.path()) {
            return Ok(Head { commit: Some(commit) });
        }
        let commit = self.with_handle("read the branch", |repository| optional(repository.refname_to_id(MAIN)))?;
        Ok(Head { commit })
    }

    /// The file at `path`; `None` if there is none.
    pub fn read(&self, head: &Head, path: &str) -> Result<Option<IndexFile>, IndexError> {
        let Some(commit) = head.commit else {
            return Ok(None);
        };
        if !self.reads_disk {
            let Some(id) = self.blob_at(commit, path)? else { return Ok(None) };
            return Ok(Some(IndexFile { id, content: self.content(id)? }));
        }
        self.with_handle("read a file", |repository| {
            let tree = repository.find_commit(commit)?.tree()?;
            let Some(id) = find_blob(repository, tree, path)? else {
                return Ok(None);
            };
            let content = Bytes::copy_from_slice(repository.find_blob(id)?.content());
            Ok(Some(IndexFile { id, content }))
        })
    }

    /// The blob id of the file at `path`, without its content.
    pub fn find(&self, head: &Head, path: &str) -> Result<Option<Oid>, IndexError> {
        let Some(commit) = head.commit else {
            return Ok(None);
        };
        if !self.reads_disk {
            return self.blob_at(commit, path);
        }
        self.with_handle("find a file", |repository| {
            find_blob(repository, repository.find_commit(commit)?.tree()?, path)
        })
    }

    /// What was read or written last.
    pub(super) fn trees(&self) -> &Trees {
        &self.shared.trees
    }

    /// The number of packs, as far as this process knows it.
    pub(super) fn packs(&self) -> &PackCount {
        &self.shared.packs
    }

    /// What the next versions of large files are written as deltas of.
    pub(super) fn bases(&self) -> &Bases {
        &self.shared.bases
    }

    /// Locks a file in the repository's directory; `None` if it is locked already.
    pub(super) fn try_lock(&self, name: &str) -> Result<Option<File>, IndexError> {
        let (path, file) = self.lock_file(name)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(IndexError::file("lock", &path)(error)),
        }
    }

    /// Locks a file in the repository's directory, waiting until it is free. The lock is released when the file is
    /// closed.
    pub(super) fn lock(&self, name: &str) -> Result<File, IndexError> {
        let (path, file) = self.lock_file(name)?;
        file.lock().map_err(IndexError::file("lock", &path))?;
        Ok(file)
    }

    fn lock_file(&self, name: &str) -> Result<(PathBuf, File), IndexError> {
        let path = self.path().join(name);
        let file = File::options()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(IndexError::file("open", &path))?;
        Ok((path, file))
    }

    /// A new handle, for callers that modify its object database.
    pub(super) fn open_handle(&self) -> Result<Repository, IndexError> {
        Repository::open_bare(self.path()).map_err(IndexError::git("open the repository", self.path()))
    }

    /// Closes every idle handle, because the packs they list may be gone.
    pub fn forget_handles(&self) {
        self.shared.idle.lock().clear();
    }

    /// Calls `read` with an idle handle, and again with a new one if it fails, a few times.
    pub(super) fn with_handle<T>(
        &self,
        action: &'static str,
        mut read: impl FnMut(&Repository) -> Result<T, git2::Error>,
    ) -> Result<T, IndexError> {
        let idle = self.shared.idle.lock().pop();
        let mut handle = match idle {
            Some(handle) => handle,
            None => self.open_handle()?,
        };
        let mut reopenings = 0;
        loop {
            match read(&handle) {
                Ok(value) => {
                    self.give_back(handle);
                    return Ok(value);
                }
                Err(_) if reopenings < REOPENINGS => {
                    reopenings += 1;
                    handle = self.open_handle()?;
                }
                Err(error) => return Err(IndexError::git(action, self.path())(error)),
            }
        }
    }

    fn give_back(&self, handle: Repository) {
        let mut idle = self.shared.idle.lock();
        if idle.len() < IDLE_HANDLES {
            idle.push(handle);
        }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// Finds the file at a path. `None` if there is none, or if a directory of the path is something else.
fn find_blob(repository: &Repository, root: Tree<'_>, path: &str) -> Result<Option<Oid>, git2::Error> {
    let mut tree = root;
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let Some((kind, id)) = tree.get_name(part).map(|entry| (entry.kind(), entry.id())) else {
            return Ok(None);
        };
        match (kind, parts.peek()) {
            (Some(ObjectType::Blob), None) => return Ok(Some(id)),
            (Some(ObjectType::Tree), Some(_)) => tree = repository.find_tree(id)?,
            _ => return Ok(None),
        }
    }
    Ok(None)
}
