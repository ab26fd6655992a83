//! Reading objects of the index: from memory, or else from the disk.

use std::sync::Arc;

use bytes::Bytes;
use git2::{ObjectType, Oid};

use super::error::IndexError;
use super::repository::Index;
use super::tree::Tree;
use super::trees::walk;

impl Index {
    /// The root of a commit.
    pub(super) fn root(&self, commit: Oid) -> Result<Arc<Tree>, IndexError> {
        if let Some(root) = self.trees().known_root(commit) {
            return Ok(root);
        }
        let id = self.with_handle("read a commit", |repository| Ok(repository.find_commit(commit)?.tree_id()))?;
        let root = self.read_tree(id)?;
        self.trees().remember((commit, Arc::clone(&root)));
        Ok(root)
    }

    /// A directory.
    pub(super) fn tree(&self, id: Oid) -> Result<Arc<Tree>, IndexError> {
        self.trees().tree(id, || self.read_tree(id))
    }

    /// The content of a file.
    pub fn content(&self, id: Oid) -> Result<Bytes, IndexError> {
        self.trees().blob(id, || {
            self.with_handle("read a file", |repository| {
                Ok(Bytes::copy_from_slice(repository.find_blob(id)?.content()))
            })
        })
    }

    /// The blob of a path at a commit.
    pub(super) fn blob_at(&self, commit: Oid, path: &str) -> Result<Option<Oid>, IndexError> {
        walk(self.root(commit)?, path, |id| self.tree(id))
    }

    fn read_tree(&self, id: Oid) -> Result<Arc<Tree>, IndexError> {
        self.with_handle("read a tree", |repository| {
            let objects = repository.odb()?;
            let object = objects.read(id)?;
            let is_tree = object.kind() == ObjectType::Tree;
            let tree = if is_tree { Tree::parse(id, object.data()) } else { None };
            tree.map(Arc::new).ok_or_else(|| git2::Error::from_str(&format!("{id} is not a tree")))
        })
    }
}
