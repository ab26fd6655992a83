//! The head in memory: from a path to its blob without opening the repository, and the files that were read or written last.
//!
//! An id identifies the content of an object, so an object in memory is never out of date, and heads share the trees that
//! did not change. The writer of this process adds what it made. Each look-up asks for the branch's file ([`BranchFile`]), so
//! every process sees a move at its next look-up.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use git2::Oid;
use parking_lot::RwLock;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::branch_file::BranchFile;
use super::cache;
use super::tree::{Kind, Tree};

/// The size of the trees that are kept, in bytes. Those of 200,000 crates have about 15 MB.
const TREES: u64 = 64 * 1024 * 1024;
/// The size of the files that are kept, in bytes.
const BLOBS: u64 = 64 * 1024 * 1024;
/// The approximate size of an object beside its content, in bytes.
const OVERHEAD: usize = 128;
/// The approximate number of objects of each kind.
const EXPECTED: usize = 32 * 1024;
/// Heads whose root is kept: while the writer moves the branch, readers need the old one and the new one.
const HEADS: usize = 2;

/// Objects that were read or made. The roots of the last heads are kept apart, so that no other tree displaces them.
#[derive(Debug)]
pub(super) struct Trees {
    branch: BranchFile,
    heads: RwLock<Vec<(Oid, Arc<Tree>)>>,
    trees: Cache<Oid, Arc<Tree>, BySize>,
    blobs: Cache<Oid, Bytes, BySize>,
}

/// What a batch has made.
#[derive(Default)]
pub(super) struct Made {
    /// The last commit and its root.
    pub head: Option<(Oid, Arc<Tree>)>,
    pub trees: Vec<Arc<Tree>>,
    pub blobs: Vec<(Oid, Bytes)>,
    /// Blobs that another one has replaced.
    pub replaced: Vec<Oid>,
}

#[derive(Debug, Clone)]
struct BySize;

impl Weighter<Oid, Arc<Tree>> for BySize {
    fn weight(&self, _id: &Oid, tree: &Arc<Tree>) -> u64 {
        (tree.weight() + OVERHEAD) as u64
    }
}

impl Weighter<Oid, Bytes> for BySize {
    fn weight(&self, _id: &Oid, content: &Bytes) -> u64 {
        (content.len() + OVERHEAD) as u64
    }
}

impl Trees {
    /// Of the repository in this directory.
    pub fn of(repository: &Path) -> Self {
        Self {
            branch: BranchFile::of(repository),
            heads: RwLock::default(),
            trees: cache::of_bytes(TREES, EXPECTED, BySize),
            blobs: cache::of_bytes(BLOBS, EXPECTED, BySize),
        }
    }

    /// The blob of the path at the head, if memory has what is needed to tell: `Some(None)` if there is no such file.
    pub fn recall(&self, path: &str) -> Option<Option<Oid>> {
        let root = self.known_root(self.branch.commit()?)?;
        walk(root, path, |id| self.trees.get(&id).ok_or(())).ok()
    }

    /// The content of a blob, if memory has it.
    pub fn known_blob(&self, id: Oid) -> Option<Bytes> {
        self.blobs.get(&id)
    }

    /// The content of a blob, which `read` reads if memory lacks it.
    pub fn blob<E>(&self, id: Oid, read: impl FnOnce() -> Result<Bytes, E>) -> Result<Bytes, E> {
        self.blobs.get_or_insert_with(&id, read)
    }

    /// A tree, which `read` reads if memory lacks it.
    pub fn tree<E>(&self, id: Oid, read: impl FnOnce() -> Result<Arc<Tree>, E>) -> Result<Arc<Tree>, E> {
        self.trees.get_or_insert_with(&id, read)
    }

    /// Remembers what is durable now, and forgets files that it has replaced: of one that is large and changes often, there
    /// would be dozens of versions.
    pub fn adopt(&self, made: Made) {
        for id in made.replaced {
            self.blobs.remove(&id);
        }
        for tree in made.trees {
            self.trees.insert(tree.id, tree);
        }
        for (id, content) in made.blobs {
            self.blobs.insert(id, content);
        }
        if let Some(head) = made.head {
            self.remember(head);
        }
    }

    /// The root of a commit that was read or made last.
    pub fn known_root(&self, commit: Oid) -> Option<Arc<Tree>> {
        self.heads.read().iter().find(|(known, _)| *known == commit).map(|(_, root)| Arc::clone(root))
    }

    /// Keeps the root of a commit.
    pub fn remember(&self, head: (Oid, Arc<Tree>)) {
        let mut heads = self.heads.write();
        heads.retain(|(known, _)| *known != head.0);
        heads.insert(0, head);
        heads.truncate(HEADS);
    }
}

/// Follows a path. `None` if there is no such file, or if a directory of the path is something else.
pub(super) fn walk<E>(
    root: Arc<Tree>,
    path: &str,
    open: impl Fn(Oid) -> Result<Arc<Tree>, E>,
) -> Result<Option<Oid>, E> {
    let mut tree = root;
    let mut names = path.split('/').peekable();
    while let Some(name) = names.next() {
        match (tree.get(name.as_bytes()), names.peek()) {
            (Some((Kind::File, id)), None) => return Ok(Some(id)),
            (Some((Kind::Directory, id)), Some(_)) => tree = open(id)?,
            _ => break,
        }
    }
    Ok(None)
}
