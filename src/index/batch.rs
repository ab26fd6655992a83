//! The commits of one batch, before they are visible.
//!
//! Objects are collected in memory and written to the disk as a single pack. That costs seven syncs for the whole batch;
//! loose objects would cost a dozen for each commit. The pack contains everything the branch will need, whatever
//! incomplete objects an earlier writer left.

use std::collections::HashSet;
use std::path::Path;
use std::{fs, io};

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Repository, Signature};

use super::change::Change;
use super::error::{IndexError, optional};
use super::initialise::sync;
use crate::fault;

/// The beginning of the name of a directory in which a pack is written, beside the other packs. libgit2 puts a pack's
/// index in place before the pack, and `git gc` removes an index without a pack as garbage.
pub(super) const NEW_PACK: &str = "new-pack-";

const AUTHOR: (&str, &str) = ("supercargo", "supercargo@localhost");

/// Packs never change.
const PACK_MODE: u32 = 0o444;

/// A sequence of commits on top of a head.
pub(super) struct Batch<'repo> {
    repository: &'repo Repository,
    path: &'repo Path,
    tip: Option<Oid>,
    tree: Oid,
    written: Vec<(Oid, Option<String>)>,
    known: HashSet<Oid>,
}

impl<'repo> Batch<'repo> {
    /// Starts on top of `base`; `None` starts an empty history.
    pub(super) fn new(
        repository: &'repo Repository,
        path: &'repo Path,
        base: Option<Oid>,
    ) -> Result<Batch<'repo>, IndexError> {
        let failed = |error| IndexError::git("read the head's tree", path)(error);
        let tree = match base {
            Some(commit) => repository.find_commit(commit).map_err(failed)?.tree_id(),
            None => repository.treebuilder(None).and_then(|empty| empty.write()).map_err(failed)?,
        };
        Ok(Batch { repository, path, tip: base, tree, written: Vec::new(), known: HashSet::new() })
    }

    /// The last commit.
    pub(super) fn tip(&self) -> Option<Oid> {
        self.tip
    }

    /// Adds the commit that makes the change; `None` if the tree has the desired content already.
    pub(super) fn apply(&mut self, change: &Change) -> Result<Option<Oid>, IndexError> {
        let failed = |error| IndexError::git("write a commit", self.path)(error);
        let present = self.present(&change.path)?;
        let mut edit = TreeUpdateBuilder::new();
        match (&change.content, present) {
            (None, None) => return Ok(None),
            (None, Some(_)) => {
                edit.remove(change.path.as_str());
            }
            (Some(content), present) => {
                let id = Oid::hash_object(ObjectType::Blob, content).map_err(failed)?;
                if present == Some(id) {
                    return Ok(None);
                }
                self.repository.blob(content).map_err(failed)?;
                fault::point("index.blob")?;
                self.add(id, Some(&change.path));
                edit.upsert(change.path.as_str(), id, FileMode::Blob);
            }
        }
        let baseline = self.repository.find_tree(self.tree).map_err(failed)?;
        self.tree = edit.create_updated(self.repository, &baseline).map_err(failed)?;
        self.add_trees(&change.path).map_err(failed)?;
        fault::point("index.tree")?;
        let commit = self.commit(&change.message).map_err(failed)?;
        self.add(commit, None);
        fault::point("index.commit")?;
        self.tip = Some(commit);
        Ok(Some(commit))
    }

    /// Adds a commit that changes nothing.
    pub(super) fn settle(&mut self, message: &str) -> Result<Oid, IndexError> {
        let commit = self.commit(message).map_err(IndexError::git("write a commit", self.path))?;
        self.add(commit, None);
        self.tip = Some(commit);
        Ok(commit)
    }

    /// Writes every object of the batch to the disk as one synced pack.
    pub(super) fn write_pack(&self) -> Result<(), IndexError> {
        let failed = |error| IndexError::git("write a pack", self.path)(error);
        let mut pack = self.repository.packbuilder().map_err(failed)?;
        pack.set_threads(1);
        for (id, name) in &self.written {
            pack.insert_object(*id, name.as_deref()).map_err(failed)?;
        }
        let objects = self.path.join("objects");
        let unusable = |error| IndexError::file("write a pack in", &objects)(error);
        let new = tempfile::Builder::new().prefix(NEW_PACK).tempdir_in(&objects).map_err(unusable)?;
        pack.write(new.path(), PACK_MODE).map_err(failed)?;
        put_in_place(new.path(), &objects.join("pack")).map_err(unusable)
    }

    /// The blob at the path. A file in place of a directory, or the reverse, is an error of this change alone.
    fn present(&self, path: &str) -> Result<Option<Oid>, IndexError> {
        let failed = |error| IndexError::git("read a tree", self.path)(error);
        let conflict = |end: usize, kind| {
            let (path, obstacle) = (path.to_owned(), path[..end].to_owned());
            Err(IndexError::PathConflict { path, obstacle, kind })
        };
        let mut tree = self.repository.find_tree(self.tree).map_err(failed)?;
        let mut start = 0;
        loop {
            let end = path[start..].find('/').map_or(path.len(), |length| start + length);
            let Some((kind, id)) = tree.get_name(&path[start..end]).map(|entry| (entry.kind(), entry.id())) else {
                return Ok(None);
            };
            match (kind == Some(ObjectType::Tree), end == path.len()) {
                (false, true) => return Ok(Some(id)),
                (true, false) => tree = self.repository.find_tree(id).map_err(failed)?,
                (true, true) => return conflict(end, "a directory"),
                (false, false) => return conflict(end, "a file"),
            }
            start = end + 1;
        }
    }

    fn commit(&self, message: &str) -> Result<Oid, git2::Error> {
        let signature = Signature::now(AUTHOR.0, AUTHOR.1)?;
        let tree = self.repository.find_tree(self.tree)?;
        let parent = self.tip.map(|tip| self.repository.find_commit(tip)).transpose()?;
        let parents: Vec<_> = parent.iter().collect();
        self.repository.commit(None, &signature, &signature, message, &tree, &parents)
    }

    /// Adds the root and those directories of the path that exist after the edit.
    fn add_trees(&mut self, path: &str) -> Result<(), git2::Error> {
        self.add(self.tree, None);
        let mut tree = self.repository.find_tree(self.tree)?;
        for (end, _) in path.match_indices('/') {
            let name = path[..end].rsplit('/').next().unwrap_or(path);
            let Some(id) = tree.get_name(name).map(|entry| entry.id()) else {
                break;
            };
            let Some(next) = optional(self.repository.find_tree(id))? else {
                break;
            };
            self.add(id, Some(&path[..end]));
            tree = next;
        }
        Ok(())
    }

    /// `name` lets the packer compress versions of the same file against each other.
    fn add(&mut self, id: Oid, name: Option<&str>) {
        if self.known.insert(id) {
            self.written.push((id, name.map(str::to_owned)));
        }
    }
}

/// Moves the pack, and then its index, to the other packs.
fn put_in_place(new: &Path, packs: &Path) -> io::Result<()> {
    let files = fs::read_dir(new)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    for end in ["pack", "idx"] {
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == end)) {
            fs::rename(file, packs.join(file.file_name().unwrap_or_default()))?;
        }
    }
    sync(packs)
}
