//! The index files of a batch: rendering them, and the result of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::commit_message::commit_message;
use super::index_error::index_failed;
use super::subject::Subject;
use crate::database::catalog::versions::DesiredLine;
use crate::error_chain::ErrorChain;
use crate::index::entry::{EntryError, render};
use crate::index::{Change, Head, Index};
use crate::package::CrateName;
use crate::package::index_path::index_path;
use crate::queue::{JobError, Outcome};

/// The crates of a batch, with the results of writing them.
pub(super) struct Written {
    pub crates: BTreeMap<i32, CrateWritten>,
    /// Files that jobs name and no crate has.
    removed: BTreeMap<String, WriteResult>,
    /// The crates by their files.
    by_path: HashMap<String, i32>,
}

pub(super) struct CrateWritten {
    pub name: CrateName,
    pub lines: Vec<DesiredLine>,
    pub outcome: WriteResult,
}

/// The commit that changed a file, or None if it was already as desired; or why it was not written.
pub(super) type WriteResult = Result<Option<String>, Unwritten>;

/// Why one file was not written: it cannot be rendered, or the remote refuses it.
#[derive(Clone)]
pub(super) struct Unwritten {
    pub text: String,
    /// No other file was written either, so the cause may not be this file.
    pub is_outage: bool,
}

impl Written {
    /// Renders each crate's file from its rows alone, and returns the changes to write to the index.
    pub fn render(
        index: &Index,
        head: &Head,
        lines: Vec<DesiredLine>,
        subjects: &[Subject],
    ) -> Result<(Self, Vec<Change>), JobError> {
        let mut crates: BTreeMap<i32, CrateWritten> = BTreeMap::new();
        for line in lines {
            let fresh = || CrateWritten { name: line.crate_name.clone(), lines: Vec::new(), outcome: Ok(None) };
            crates.entry(line.crate_id).or_insert_with(fresh).lines.push(line);
        }
        let mut changes = Vec::new();
        for krate in crates.values_mut() {
            match krate.render() {
                Ok(content) => {
                    let path = index_path(&krate.name);
                    let before = index.read(head, &path).map_err(index_failed)?;
                    let before = before.as_ref().map(|file| &file.content[..]);
                    let message = commit_message(&krate.name, before, content.as_bytes());
                    // Cargo takes an empty file for a crate without versions, and requests it again and again.
                    let content = (!content.is_empty()).then(|| content.into_bytes());
                    changes.push(Change { path, content, message });
                }
                // Left out, so that it fails alone.
                Err(error) => {
                    krate.outcome = Err(Unwritten { text: ErrorChain::of(&error).to_string(), is_outage: false });
                }
            }
        }
        let by_path = crates.iter().map(|(&id, krate)| (index_path(&krate.name), id)).collect();
        let written = Self { crates, removed: BTreeMap::new(), by_path };
        changes.extend(written.removals(subjects));
        Ok((written, changes))
    }

    /// The changes that remove files that jobs name and no crate has.
    fn removals(&self, subjects: &[Subject]) -> Vec<Change> {
        let paths: BTreeSet<&String> = subjects
            .iter()
            .filter_map(|subject| match subject {
                Subject::File(path) => Some(path),
                Subject::VersionChange(_) => None,
            })
            .filter(|path| !self.by_path.contains_key(*path))
            .collect();
        let remove = |path: &String| Change {
            path: path.clone(),
            content: None,
            message: format!("Remove {path}, which no crate of the database has"),
        };
        paths.into_iter().map(remove).collect()
    }

    /// Records the result of a change.
    pub fn note(&mut self, path: &str, outcome: WriteResult) {
        match self.by_path.get(path).and_then(|id| self.crates.get_mut(id)) {
            Some(krate) => krate.outcome = outcome,
            None => drop(self.removed.insert(path.to_owned(), outcome)),
        }
    }

    /// The result of the job of a subject.
    pub fn verdict(&self, subject: &Subject) -> Result<Outcome, JobError> {
        let (outcome, missing) = match subject {
            Subject::VersionChange(change) => (
                self.crates.get(&change.crate_id).map(|krate| &krate.outcome),
                format!("the crate {} no longer has versions in the database", change.name),
            ),
            Subject::File(path) => (
                self.removed
                    .get(path)
                    .or_else(|| self.by_path.get(path).and_then(|id| Some(&self.crates.get(id)?.outcome))),
                format!("the file {path} was neither rendered nor removed"),
            ),
        };
        match outcome {
            Some(Ok(commit)) => Ok(Outcome { detail: commit.clone() }),
            Some(Err(unwritten)) if unwritten.is_outage => Err(JobError::outage(unwritten.text.clone())),
            Some(Err(unwritten)) => Err(JobError::failed(unwritten.text.clone())),
            None => Err(JobError::failed(missing)),
        }
    }
}

impl CrateWritten {
    fn render(&self) -> Result<String, EntryError> {
        let desired = self.lines.iter().filter(|line| !line.deleted);
        render(desired.map(|line| (line.index_line.as_str(), line.yanked)))
    }
}
