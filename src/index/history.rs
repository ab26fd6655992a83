//! What happened between two commits of the index, for readers that keep a copy of it.

use std::collections::BTreeSet;

use git2::{Commit, ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};

use super::error::{IndexError, optional};
use super::repository::{Head, Index};

/// The most that the clocks of machines that write to the index differ, in seconds.
const SKEW: i64 = 24 * 60 * 60;

/// The commits after one up to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    pub commits: usize,
    /// The time of the oldest of them, as Unix time.
    pub oldest: Option<i64>,
    /// The paths of all files that any of them changed, added or removed: more than differ in the end, if a change was undone.
    pub paths: BTreeSet<String>,
}

impl Index {
    /// The history after `from` up to `to`; `None` if `from` is not found among the last `most` commits of it, as after the
    /// history was rewritten.
    pub fn history(&self, from: Oid, to: Oid, most: usize) -> Result<Option<History>, IndexError> {
        self.with_handle("read the history", |repository| walk(repository, from, to, most, note_paths))
    }

    /// The same without the paths.
    pub fn distance(&self, from: Oid, to: Oid, most: usize) -> Result<Option<History>, IndexError> {
        self.with_handle("count commits", |repository| walk(repository, from, to, most, |_, _, _| Ok(())))
    }

    /// Whether `commit` is an ancestor of `other`, or the same; false if one of them is not here.
    pub fn is_in(&self, commit: Oid, other: Oid) -> Result<bool, IndexError> {
        self.with_handle("compare commits", |repository| {
            let is_known = |id| Ok::<_, git2::Error>(optional(repository.find_commit(id))?.is_some());
            if !is_known(commit)? || !is_known(other)? {
                return Ok(false);
            }
            Ok(commit == other || repository.graph_descendant_of(other, commit)?)
        })
    }

    /// Whether `commit` comes after `other` in the history; `None` if one of them is not here. One that is older by more than
    /// a day does not: most are, and the walk back to them would be long.
    pub fn is_after(&self, commit: Oid, other: Oid) -> Result<Option<bool>, IndexError> {
        self.with_handle("compare commits", |repository| {
            let (commit, other) = (optional(repository.find_commit(commit))?, optional(repository.find_commit(other))?);
            let (Some(commit), Some(other)) = (commit, other) else { return Ok(None) };
            let is_old = commit.time().seconds() + SKEW < other.time().seconds();
            Ok(Some(!is_old && repository.graph_descendant_of(commit.id(), other.id())?))
        })
    }

    /// All files at a head, each with its blob, in the order of their paths.
    pub fn files(&self, head: &Head) -> Result<Vec<(String, Oid)>, IndexError> {
        let Some(commit) = head.commit else { return Ok(Vec::new()) };
        let mut files = self.with_handle("list the files", |repository| {
            let mut files = Vec::new();
            repository.find_commit(commit)?.tree()?.walk(TreeWalkMode::PreOrder, |directory, entry| {
                if entry.kind() == Some(ObjectType::Blob) {
                    files.push((format!("{directory}{}", String::from_utf8_lossy(entry.name_bytes())), entry.id()));
                }
                TreeWalkResult::Ok
            })?;
            Ok(files)
        })?;
        files.sort();
        Ok(files)
    }
}

/// Walks from `to` back to `from` along the first parents.
fn walk(
    repository: &Repository,
    from: Oid,
    to: Oid,
    most: usize,
    mut note: impl FnMut(&Repository, &Commit<'_>, &mut BTreeSet<String>) -> Result<(), git2::Error>,
) -> Result<Option<History>, git2::Error> {
    let mut history = History::default();
    let mut at = to;
    while at != from {
        let Some(commit) = optional(repository.find_commit(at))? else { return Ok(None) };
        if history.commits == most {
            return Ok(None);
        }
        note(repository, &commit, &mut history.paths)?;
        history.commits += 1;
        history.oldest = Some(commit.time().seconds());
        match commit.parent_ids().next() {
            Some(parent) => at = parent,
            None => return Ok(None),
        }
    }
    Ok(Some(history))
}

fn note_paths(repository: &Repository, commit: &Commit<'_>, paths: &mut BTreeSet<String>) -> Result<(), git2::Error> {
    let before = optional(commit.parent(0))?.map(|parent| parent.tree()).transpose()?;
    let diff = repository.diff_tree_to_tree(before.as_ref(), Some(&commit.tree()?), None)?;
    for delta in diff.deltas() {
        for file in [delta.old_file(), delta.new_file()] {
            paths.extend(file.path_bytes().map(|path| String::from_utf8_lossy(path).into_owned()));
        }
    }
    Ok(())
}
