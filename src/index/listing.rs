//! Listing the index at a head, directory by directory, so that a large index is never in memory as a whole.

use git2::{ObjectType, Repository, Tree, TreeWalkMode, TreeWalkResult};

use super::error::IndexError;
use super::repository::{Head, Index};

/// An entry of the root of the index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RootEntry {
    pub name: String,
    pub is_directory: bool,
}

impl Index {
    /// The entries of the root, in the order of their names.
    pub fn root_entries(&self, head: &Head) -> Result<Vec<RootEntry>, IndexError> {
        let Some(commit) = head.commit else {
            return Ok(Vec::new());
        };
        let mut entries = self.with_handle("list the root", |repository| {
            let tree = repository.find_commit(commit)?.tree()?;
            Ok(tree
                .iter()
                .map(|entry| RootEntry {
                    name: String::from_utf8_lossy(entry.name_bytes()).into_owned(),
                    is_directory: entry.kind() == Some(ObjectType::Tree),
                })
                .collect::<Vec<_>>())
        })?;
        entries.sort();
        Ok(entries)
    }

    /// The paths of all files below a directory of the root. Everything that is not a directory counts as a file.
    pub fn files_below(&self, head: &Head, directory: &str) -> Result<Vec<String>, IndexError> {
        let Some(commit) = head.commit else {
            return Ok(Vec::new());
        };
        self.with_handle("list a directory", |repository| {
            let root = repository.find_commit(commit)?.tree()?;
            let Some(entry) = root.get_name(directory).filter(|entry| entry.kind() == Some(ObjectType::Tree)) else {
                return Ok(Vec::new());
            };
            paths_below(&repository.find_tree(entry.id())?, directory)
        })
    }

    /// Whether a commit with this id, in 40 hexadecimal digits, exists.
    pub fn has_commit(&self, id: &str) -> Result<bool, IndexError> {
        let Ok(id) = id.parse::<git2::Oid>() else {
            return Ok(false);
        };
        self.with_handle("find a commit", |repository| is_commit(repository, id))
    }
}

fn is_commit(repository: &Repository, id: git2::Oid) -> Result<bool, git2::Error> {
    Ok(super::error::optional(repository.find_commit(id))?.is_some())
}

fn paths_below(tree: &Tree<'_>, directory: &str) -> Result<Vec<String>, git2::Error> {
    let mut paths = Vec::new();
    tree.walk(TreeWalkMode::PreOrder, |parent, entry| {
        if entry.kind() != Some(ObjectType::Tree) {
            paths.push(format!("{directory}/{parent}{}", String::from_utf8_lossy(entry.name_bytes())));
        }
        TreeWalkResult::Ok
    })?;
    Ok(paths)
}
