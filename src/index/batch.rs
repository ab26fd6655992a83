//! The commits of one batch, before they are visible.
//!
//! Objects are made in memory, hashed once, and written to the disk as a single pack. The pack contains everything the
//! branch will need, whatever incomplete objects an earlier writer left.

use std::fs::File;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use git2::Oid;

use super::change::Change;
use super::error::IndexError;
use super::file_ids::FileIds;
use super::object_id;
use super::packs::{self, Keep, NewPack, ObjectKind};
use super::repository::Index;
use super::tree::{Kind, Tree};
use super::trees::Made;
use crate::fault;

const HASHING: &str = "hash a file";
const AUTHOR: &str = "supercargo <supercargo@localhost>";

/// A sequence of commits on top of a head.
pub(super) struct Batch<'a> {
    index: &'a Index,
    tip: Option<Oid>,
    root: Arc<Tree>,
    pack: NewPack,
    file_ids: FileIds,
    made: Made,
}

/// A batch whose pack is on the disk, but not in the branch. No repack removes the pack before this is dropped.
pub(super) struct Placed {
    made: Made,
    keep: Option<Keep>,
}

impl Placed {
    /// The branch has moved. What the batch made is for readers to find in memory.
    pub(super) fn moved(self) -> Made {
        drop(self.keep);
        self.made
    }
}

/// A directory on the way to a changed file.
struct Level<'p> {
    tree: Arc<Tree>,
    /// The name of the next directory, or of the file.
    name: &'p str,
}

impl<'a> Batch<'a> {
    /// Starts on top of `base`; `None` starts an empty history.
    pub(super) fn new(index: &'a Index, base: Option<Oid>) -> Result<Batch<'a>, IndexError> {
        let root = match base {
            Some(commit) => index.root(commit)?,
            None => Arc::new(Tree::empty()),
        };
        let (pack, file_ids, made) = (NewPack::default(), FileIds::default(), Made::default());
        Ok(Batch { index, tip: base, root, pack, file_ids, made })
    }

    /// The last commit.
    pub(super) fn tip(&self) -> Option<Oid> {
        self.tip
    }

    /// Adds the commit that makes the change; `None` if the tree has the desired content already.
    pub(super) fn apply(&mut self, change: &Change) -> Result<Option<Oid>, IndexError> {
        let (levels, present) = self.levels(&change.path)?;
        let id = match (&change.content, present) {
            (None, None) => return Ok(None),
            (None, Some(_)) => None,
            (Some(content), present) => {
                let id = self.file_ids.of(content).map_err(IndexError::git(HASHING, self.index.path()))?;
                if present == Some(id) {
                    return Ok(None);
                }
                self.pack.add_file(&change.path, id, content, self.index.bases());
                self.made.blobs.push((id, content.clone()));
                self.made.replaced.extend(present);
                fault::point("index.blob")?;
                Some(id)
            }
        };
        self.edit(levels, id);
        fault::point("index.tree")?;
        let commit = self.commit(&change.message);
        fault::point("index.commit")?;
        Ok(Some(commit))
    }

    /// Adds a commit that changes nothing.
    pub(super) fn settle(&mut self, message: &str) -> Oid {
        self.commit(message)
    }

    /// Writes every object of the batch to the disk as one durable pack, and flushes `beside` meanwhile. git reads the pack
    /// only after each file is known to be no attack on SHA-1.
    pub(super) fn write_pack(self, beside: Option<&File>) -> Result<Placed, IndexError> {
        let directory = self.index.path().join("objects/pack");
        let failed = IndexError::file("write a pack in", &directory);
        let written = packs::write(&directory, &self.pack.finish(), beside);
        self.file_ids.confirm().map_err(IndexError::git(HASHING, self.index.path()))?;
        let keep = written.and_then(|unplaced| unplaced.place_kept()).map_err(failed)?;
        self.index.packs().note_new();
        Ok(Placed { made: self.made, keep })
    }

    /// The directories of a path that exist, and the blob at the path. A file in place of a directory, or the reverse, is
    /// an error of this change alone.
    fn levels<'p>(&self, path: &'p str) -> Result<(Vec<Level<'p>>, Option<Oid>), IndexError> {
        let conflict = |end: usize, kind| {
            let (path, obstacle) = (path.to_owned(), path[..end].to_owned());
            Err(IndexError::PathConflict { path, obstacle, kind })
        };
        let mut levels = Vec::new();
        let mut tree = Some(Arc::clone(&self.root));
        let mut start = 0;
        loop {
            let end = path[start..].find('/').map_or(path.len(), |length| start + length);
            let is_file = end == path.len();
            let present = tree.as_ref().and_then(|tree| tree.get(&path.as_bytes()[start..end]));
            levels.push(Level { tree: tree.unwrap_or_else(|| Arc::new(Tree::empty())), name: &path[start..end] });
            tree = match (present, is_file) {
                (None, true) => return Ok((levels, None)),
                (Some((Kind::Directory, _)), true) => return conflict(end, "a directory"),
                (Some((_, id)), true) => return Ok((levels, Some(id))),
                (None, false) => None,
                (Some((Kind::Directory, id)), false) => Some(self.tree(id)?),
                (Some(_), false) => return conflict(end, "a file"),
            };
            start = end + 1;
        }
    }

    /// Replaces the file at the end of the levels, and so each directory. Directories that become empty are left out.
    fn edit(&mut self, levels: Vec<Level<'_>>, file: Option<Oid>) {
        let (mut id, mut is_tree) = (file, false);
        for (number, Level { tree: before, name }) in levels.into_iter().enumerate().rev() {
            let (tree, replaced) = before.with(name.as_bytes(), is_tree, id);
            let tree = Arc::new(tree);
            id = (!tree.is_empty()).then_some(tree.id);
            is_tree = true;
            let is_root = number == 0;
            if is_root || !tree.is_empty() {
                self.pack.add_edited(&tree, &before, &replaced);
            }
            if is_root {
                self.root = tree;
            } else {
                self.made.trees.push(tree);
            }
        }
    }

    fn tree(&self, id: Oid) -> Result<Arc<Tree>, IndexError> {
        match self.made.trees.iter().rev().find(|tree| tree.id == id) {
            Some(made) => Ok(Arc::clone(made)),
            None => self.index.tree(id),
        }
    }

    fn commit(&mut self, message: &str) -> Oid {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let parent = self.tip.map_or_else(String::new, |tip| format!("parent {tip}\n"));
        let content = format!(
            "tree {}\n{parent}author {AUTHOR} {seconds} +0000\ncommitter {AUTHOR} {seconds} +0000\n\n{message}",
            self.root.id
        );
        let id = object_id::commit(content.as_bytes());
        self.pack.add(ObjectKind::Commit, id, content.as_bytes());
        self.made.head = Some((id, Arc::clone(&self.root)));
        self.tip = Some(id);
        id
    }
}
