//! The index files of a batch: editing or rendering them, and the result of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::commit_message::{commit_message, of_changes};
use super::desired::{Desired, Session};
use super::edited_file::{EditedFile, edit};
use super::index_error::index_failed;
use super::subject::Subject;
use crate::database::catalog::index_files::PendingCrate;
use crate::database::catalog::versions::DesiredLine;
use crate::error_chain::ErrorChain;
use crate::index::entry::{EntryError, render};
use crate::index::{Change, Head, Index, IndexError};
use crate::package::CrateName;
use crate::package::index_path::index_path;
use crate::queue::{JobError, Outcome};

/// The crates of a batch, with the results of writing them.
pub(super) struct Written {
    pub crates: BTreeMap<i32, CrateWritten>,
    /// The head that has what was written.
    pub head: Head,
    /// Files that jobs name and no crate has.
    removed: BTreeMap<String, WriteResult>,
    /// The crates by their files.
    by_path: HashMap<String, i32>,
}

pub(super) struct CrateWritten {
    pub name: CrateName,
    pub file: File,
    pub outcome: WriteResult,
}

/// Where the content of a crate's file comes from.
pub(super) enum File {
    /// The noted file and the pending versions.
    Edited(EditedFile),
    /// All versions.
    Rendered {
        lines: Vec<DesiredLine>,
        /// The size in bytes.
        size: usize,
    },
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
    /// Edits or renders each crate's file, and returns the changes to write to the index. The rows of crates whose files
    /// cannot be edited are read here, and so after the head, too.
    pub fn render(
        index: &Index,
        head: &Head,
        desired: Desired,
        session: &mut Session<'_, '_>,
        subjects: &[Subject],
    ) -> Result<(Self, Vec<Change>), JobError> {
        let Desired { pending, mut lines } = desired;
        let (mut crates, mut changes, mut doubtful) = (BTreeMap::new(), Vec::new(), Vec::new());
        for krate in pending {
            let (id, name, path) = (krate.id, krate.name.clone(), index_path(&krate.name));
            match edited(index, head, krate, &path).map_err(index_failed)? {
                Some(mut file) => {
                    changes.extend(file.change(&name, path));
                    crates.insert(id, CrateWritten { name, file: File::Edited(file), outcome: Ok(None) });
                }
                None => doubtful.push(id),
            }
        }
        lines.extend(session.lines(&doubtful)?);
        let mut rendered: BTreeMap<i32, CrateWritten> = BTreeMap::new();
        for line in lines {
            let name = line.crate_name.clone();
            let fresh =
                || CrateWritten { name, file: File::Rendered { lines: Vec::new(), size: 0 }, outcome: Ok(None) };
            if let File::Rendered { lines, .. } = &mut rendered.entry(line.crate_id).or_insert_with(fresh).file {
                lines.push(line);
            }
        }
        for krate in rendered.values_mut() {
            changes.extend(krate.render(index, head)?);
        }
        crates.append(&mut rendered);
        let by_path = crates.iter().map(|(&id, krate)| (index_path(&krate.name), id)).collect();
        let written = Self { crates, head: *head, removed: BTreeMap::new(), by_path };
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

/// The edited file of a crate; None if it is not the noted one at the head, or cannot be edited.
fn edited(index: &Index, head: &Head, krate: PendingCrate, path: &str) -> Result<Option<EditedFile>, IndexError> {
    let is_noted = match (&krate.noted, index.find(head, path)?) {
        (Some(noted), Some(blob)) => noted.index_blob == blob.to_string(),
        // A new crate.
        (None, None) => krate.version_count == 0 && !krate.pending.is_empty(),
        _ => false,
    };
    if !is_noted || krate.pending.iter().any(|version| version.is_deleted) {
        return Ok(None);
    }
    let file = if krate.pending.is_empty() || krate.noted.is_none() { None } else { index.read(head, path)? };
    Ok(edit(krate, file.as_ref().map_or(&[], |file| &file.content[..])))
}

impl EditedFile {
    /// The change that writes the file; None if nothing is pending.
    fn change(&mut self, name: &CrateName, path: String) -> Option<Change> {
        let content = self.content.take()?;
        let changes = self.changes();
        let changes: Vec<(&str, &str)> = changes.iter().map(|(verb, num)| (*verb, num.as_str())).collect();
        Some(Change { path, content: Some(content), message: of_changes(name, &changes) })
    }
}

impl CrateWritten {
    /// Renders the file from its rows alone. One that cannot be rendered is left out, so that it fails alone.
    fn render(&mut self, index: &Index, head: &Head) -> Result<Option<Change>, JobError> {
        let File::Rendered { lines, size } = &mut self.file else { return Ok(None) };
        let content = match rendered(lines) {
            Ok(content) => content,
            Err(error) => {
                self.outcome = Err(Unwritten { text: ErrorChain::of(&error).to_string(), is_outage: false });
                return Ok(None);
            }
        };
        *size = content.len();
        let path = index_path(&self.name);
        let before = index.read(head, &path).map_err(index_failed)?;
        let before = before.as_ref().map(|file| &file.content[..]);
        let message = commit_message(&self.name, before, content.as_bytes());
        // Cargo takes an empty file for a crate without versions, and requests it again and again.
        let content = (!content.is_empty()).then(|| content.into());
        Ok(Some(Change { path, content, message }))
    }
}

fn rendered(lines: &[DesiredLine]) -> Result<String, EntryError> {
    let desired = lines.iter().filter(|line| !line.deleted);
    render(desired.map(|line| (line.index_line.as_str(), line.yanked)))
}
