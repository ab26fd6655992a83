//! The index files of a batch: editing or rendering them, and the result of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::commit_message::{commit_message, of_changes};
use super::desired::{self, BySet, Desired, Session};
use super::edited_file::{EditedFile, edit};
use super::index_error::index_failed;
use super::lost_rows;
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
        /// Lines of versions that the database has lost.
        kept: usize,
    },
}

/// The commit that changed a file, or None if it was already as desired; or why it was not written.
pub(super) type WriteResult = Result<Option<String>, Unwritten>;

/// The result of [`Written::render`].
pub(super) enum Rendered {
    Whole(Written, Vec<Change>),
    /// A release set was approved while its crates were read, so only some of them have it: read again.
    Torn,
}

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
    ) -> Result<Rendered, JobError> {
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
        let is_torn = !doubtful.is_empty();
        // A file that a job names is rendered from its rows alone: that is how lines leave the index that cannot be restored.
        let whole: BTreeSet<i32> = lines.iter().map(|line| line.crate_id).collect();
        lines.extend(session.lines(&doubtful)?);
        let mut rendered: BTreeMap<i32, CrateWritten> = BTreeMap::new();
        for line in lines {
            let name = line.crate_name.clone();
            let fresh = || CrateWritten {
                name,
                file: File::Rendered { lines: Vec::new(), size: 0, kept: 0 },
                outcome: Ok(None),
            };
            if let File::Rendered { lines, .. } = &mut rendered.entry(line.crate_id).or_insert_with(fresh).file {
                lines.push(line);
            }
        }
        for (id, krate) in &mut rendered {
            changes.extend(krate.render(index, head, !whole.contains(id))?);
        }
        crates.append(&mut rendered);
        let by_path = crates.iter().map(|(&id, krate)| (index_path(&krate.name), id)).collect();
        let mut written = Self { crates, head: *head, removed: BTreeMap::new(), by_path };
        if is_torn && !desired::left_out(session, &written.by_set())?.is_empty() {
            return Ok(Rendered::Torn);
        }
        written.hold_back(&mut changes);
        changes.extend(written.removals(subjects));
        Ok(Rendered::Whole(written, changes))
    }

    fn by_set(&self) -> BySet {
        desired::by_set(self.crates.iter().flat_map(|(&id, krate)| krate.release_sets().map(move |set| (set, id))))
    }

    /// Leaves out the other crates of a release set of which one cannot be rendered.
    fn hold_back(&mut self, changes: &mut Vec<Change>) {
        let by_set = self.by_set();
        while let Some((text, held_back)) = by_set.values().find_map(|crates| self.incomplete(crates)) {
            for id in held_back {
                let Some(krate) = self.crates.get_mut(&id) else { continue };
                let path = index_path(&krate.name);
                changes.retain(|change| change.path != path);
                krate.outcome = Err(Unwritten { text: text.clone(), is_outage: false });
            }
        }
    }

    /// The crates of a set that could be written although another one cannot, and why they are not.
    fn incomplete(&self, crates: &BTreeSet<i32>) -> Option<(String, Vec<i32>)> {
        let is_failed = |id: &&i32| self.crates.get(*id).is_some_and(|krate| krate.outcome.is_err());
        let (failed, others): (Vec<&i32>, Vec<&i32>) = crates.iter().partition(is_failed);
        let first = self.crates.get(failed.first()?)?;
        let Err(why) = &first.outcome else { return None };
        let text =
            format!("its release set is written as a whole, and `{}` cannot be written: {}", first.name, why.text);
        (!others.is_empty()).then(|| (text, others.into_iter().copied().collect()))
    }

    /// The changes in groups that are written together or not at all: those of one release set, and each other alone.
    pub fn together(&self, changes: Vec<Change>) -> Vec<Vec<Change>> {
        let mut groups: Vec<(BTreeSet<i32>, Vec<Change>)> = Vec::new();
        for change in changes {
            let krate = self.by_path.get(&change.path).and_then(|id| self.crates.get(id));
            let mut sets: BTreeSet<i32> = krate.into_iter().flat_map(CrateWritten::release_sets).flatten().collect();
            let (joined, others) = groups.into_iter().partition::<Vec<_>, _>(|(of, _)| !of.is_disjoint(&sets));
            let mut group = Vec::new();
            for (of, changes) in joined {
                sets.extend(of);
                group.extend(changes);
            }
            group.push(change);
            groups = others;
            groups.push((sets, group));
        }
        groups.into_iter().map(|(_, changes)| changes).collect()
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
    /// The release sets of its versions that are not as desired.
    fn release_sets(&self) -> impl Iterator<Item = Option<i32>> {
        let (pending, lines) = match &self.file {
            File::Edited(edited) => (&edited.pending[..], &[][..]),
            File::Rendered { lines, .. } => (&[][..], &lines[..]),
        };
        pending.iter().map(|one| one.release_set).chain(lines.iter().map(|line| line.release_set))
    }

    /// Renders the file from its rows, and from the lines whose rows are lost unless these are to go. One that cannot be
    /// rendered is left out, so that it fails alone.
    fn render(&mut self, index: &Index, head: &Head, keeps_lost: bool) -> Result<Option<Change>, JobError> {
        let File::Rendered { lines, size, kept } = &mut self.file else { return Ok(None) };
        let mut content = match rendered(lines) {
            Ok(content) => content,
            Err(error) => {
                self.outcome = Err(Unwritten { text: ErrorChain::of(&error).to_string(), is_outage: false });
                return Ok(None);
            }
        };
        let path = index_path(&self.name);
        let before = index.read(head, &path).map_err(index_failed)?;
        let before = before.as_ref().map(|file| &file.content[..]);
        if keeps_lost {
            *kept = lost_rows::append(&mut content, lines, before.unwrap_or_default());
        }
        *size = content.len();
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
