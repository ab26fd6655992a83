//! What a batch wants of the index's files, and what became of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::commit_message::commit_message;
use super::subject::Subject;
use super::sync_index::index_failed;
use crate::database::catalog::versions::DesiredLine;
use crate::error_chain::ErrorChain;
use crate::index::entry::{EntryError, render};
use crate::index::{Change, Head, Index};
use crate::package::CrateName;
use crate::package::index_path::index_path;
use crate::queue::{JobError, Outcome};

/// What became of the crates of a batch.
pub(super) struct Written {
    pub crates: BTreeMap<i32, CrateWritten>,
    /// Files that were asked for by their paths and that no crate has.
    removed: BTreeMap<String, Became>,
    /// The crates by their files.
    by_path: HashMap<String, i32>,
}

pub(super) struct CrateWritten {
    pub name: CrateName,
    pub lines: Vec<DesiredLine>,
    pub outcome: Became,
}

/// The commit that changed a file, None if it was as wanted; or why it was not written.
pub(super) type Became = Result<Option<String>, Unwritten>;

/// Why a file alone was not written: it can't be rendered, or the remote refuses it.
#[derive(Clone)]
pub(super) struct Unwritten {
    pub text: String,
    /// Nothing else was taken either, so it may not be this file's fault.
    pub is_shared: bool,
}

impl Written {
    /// Renders each crate's file from its rows alone; answers the changes that make the index so.
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
                    // Cargo takes an empty file for a crate without versions, and asks for it again and again.
                    let content = (!content.is_empty()).then(|| content.into_bytes());
                    changes.push(Change { path, content, message });
                }
                // Left out, so that it fails alone.
                Err(error) => {
                    krate.outcome = Err(Unwritten { text: ErrorChain::of(&error).to_string(), is_shared: false });
                }
            }
        }
        let by_path = crates.iter().map(|(&id, krate)| (index_path(&krate.name), id)).collect();
        let written = Self { crates, removed: BTreeMap::new(), by_path };
        changes.extend(written.removals(subjects));
        Ok((written, changes))
    }

    /// What takes away files that were asked for by their paths and that no crate has.
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

    /// Notes what became of a change.
    pub fn note(&mut self, path: &str, outcome: Became) {
        match self.by_path.get(path).and_then(|id| self.crates.get_mut(id)) {
            Some(krate) => krate.outcome = outcome,
            None => drop(self.removed.insert(path.to_owned(), outcome)),
        }
    }

    /// What the job of a subject is told.
    pub fn verdict(&self, subject: &Subject) -> Result<Outcome, JobError> {
        let (outcome, missing) = match subject {
            Subject::VersionChange(wish) => (
                self.crates.get(&wish.crate_id).map(|krate| &krate.outcome),
                format!("the crate {} has no versions in the database any more", wish.name),
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
            Some(Err(unwritten)) if unwritten.is_shared => Err(JobError::outage(unwritten.text.clone())),
            Some(Err(unwritten)) => Err(JobError::failed(unwritten.text.clone())),
            None => Err(JobError::failed(missing)),
        }
    }
}

impl CrateWritten {
    fn render(&self) -> Result<String, EntryError> {
        let wanted = self.lines.iter().filter(|line| !line.deleted);
        render(wanted.map(|line| (line.index_line.as_str(), line.yanked)))
    }
}
