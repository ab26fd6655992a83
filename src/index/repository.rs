//! Reading the index.
//!
//! A libgit2 repository handle is used by one thread at a time, so an [`Index`] keeps a few open handles and lends one
//! to each reader. A handle holds a list of the packs it has seen. libgit2 lists them anew, once, when an object is in
//! none; but a repack may remove what was just listed before it is opened. A reader that meets an error therefore looks
//! again with a newly opened handle before it believes it.

use std::fmt;
use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use git2::{ErrorCode, ObjectType, Oid, Repository, Tree};
use parking_lot::Mutex;

use super::error::{IndexError, optional};
use super::git_program::GitProgram;
use super::initialise::{self, BRANCH};
use super::remote::{Remote, RemoteOptions};

/// Open handles that are kept while nobody uses them.
const IDLE_HANDLES: usize = 8;

/// How often a reader looks again with a new handle. Each repack that falls into the same read costs one.
const REOPENINGS: usize = 3;

/// The git index of a registry. Clones share one set of open handles.
#[derive(Clone)]
pub struct Index {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    git: GitProgram,
    remote: Option<Remote>,
    idle: Mutex<Vec<Repository>>,
}

/// The state of the index at one moment; what is read with it is of that state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    /// The commit the branch is at; `None` while the index is empty.
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
    /// Opens the index, creating an empty one where nothing is. Uses the git program of the standard places.
    pub fn open_or_init(path: &Path) -> Result<Index, IndexError> {
        Index::open_or_init_with(path, GitProgram::default())
    }

    /// Opens the index, creating an empty one where nothing is; `git` does the repacking.
    pub fn open_or_init_with(path: &Path, git: GitProgram) -> Result<Index, IndexError> {
        Index::open(path, git, None)
    }

    /// Opens a mirror of a remote, creating an empty one where nothing is. Does not talk to the remote.
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
        Ok(Index { shared: Arc::new(Shared { path, git, remote, idle: Mutex::new(Vec::new()) }) })
    }

    /// The repository's directory, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// The git program this index is served and repacked with.
    pub fn git(&self) -> &GitProgram {
        &self.shared.git
    }

    /// The remote that this index is a mirror of; None: it is the index itself.
    pub fn remote(&self) -> Option<&Remote> {
        self.shared.remote.as_ref()
    }

    /// Where the branch is now. Costs reading one small file.
    pub fn head(&self) -> Result<Head, IndexError> {
        let commit = self.with_handle("read the branch", |repository| optional(repository.refname_to_id(BRANCH)))?;
        Ok(Head { commit })
    }

    /// The file at `path`; `None` when the index holds none there.
    pub fn read(&self, head: &Head, path: &str) -> Result<Option<IndexFile>, IndexError> {
        let Some(commit) = head.commit else {
            return Ok(None);
        };
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
        self.with_handle("find a file", |repository| {
            find_blob(repository, repository.find_commit(commit)?.tree()?, path)
        })
    }

    /// The content of a file whose blob id is known.
    pub fn content(&self, id: Oid) -> Result<Bytes, IndexError> {
        self.with_handle("read a file", |repository| Ok(Bytes::copy_from_slice(repository.find_blob(id)?.content())))
    }

    /// Locks a file of the repository's directory; `None` if it is locked already.
    pub(super) fn try_lock(&self, name: &str) -> Result<Option<File>, IndexError> {
        let (path, file) = self.lock_file(name)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(IndexError::file("lock", &path)(error)),
        }
    }

    /// Locks a file of the repository's directory, waiting until it is free. The lock is released when the file is closed.
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

    /// A handle of its own for someone who changes what it sees.
    pub(super) fn open_handle(&self) -> Result<Repository, IndexError> {
        Repository::open_bare(self.path()).map_err(IndexError::git("open the repository", self.path()))
    }

    /// Lets go of every idle handle: the packs they list may be gone.
    pub(super) fn forget_handles(&self) {
        self.shared.idle.lock().clear();
    }

    /// Lends an open handle to `read`, and a new one each time it fails, a few times.
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

/// Goes down from the root to a file. Anything else on the way, or nothing, is "no such file".
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
