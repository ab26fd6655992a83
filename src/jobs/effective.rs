//! The effective state: what the index shows of a batch's crates, written into the database.
//!
//! Under the locks of the crates' rows there are two ways to know what the index shows of a crate:
//!
//! - It has the file that this batch wrote, by editing the one that is noted in the crate's row still. Then the effective
//!   state is that of the noted file, and only the pending versions differ from it.
//! - Otherwise the file is read, and all versions of the crate are compared with it.

use std::collections::HashMap;

use diesel::PgConnection;
use serde::Serialize;

use super::edited_file::EditedFile;
use super::index_error::index_failed;
use super::remove_crate_file;
use super::written::{CrateWritten, File, Written};
use crate::database::catalog::effective_state::{
    self, CrateNote, Description, LockedCrate, ShownVersion, VersionState,
};
use crate::database::catalog::index_files::NotedFile;
use crate::database::catalog::version_summary::{Shown, VersionSummary};
use crate::database::catalog::versions;
use crate::fault;
use crate::index::shown::shown_versions;
use crate::index::{Head, Index, Oid};
use crate::package::CrateName;
use crate::package::index_path::index_path;
use crate::queue::JobError;

/// A crate whose index file or database rows could not be written completely.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    #[serde(rename = "crate")]
    pub crate_name: CrateName,
    pub problem: String,
}

/// What a batch notes.
#[derive(Default)]
struct Notes<'a> {
    shown: Vec<ShownVersion<'a>>,
    /// Versions whose deletion is done.
    gone: Vec<i32>,
    crates: Vec<CrateNote>,
}

/// The head under the locks.
struct Now<'a> {
    index: &'a Index,
    head: Head,
    commit: String,
}

/// Writes the effective state of the crates to the database: what the index shows of them now.
pub(super) fn note_what_is_shown(
    connection: &mut PgConnection,
    index: &Index,
    written: &Written,
) -> Result<(), JobError> {
    let ids: Vec<i32> = written.crates.iter().filter(|(_, krate)| krate.outcome.is_ok()).map(|(&id, _)| id).collect();
    let locked = effective_state::lock(connection, &ids)?;
    let head = index.head().map_err(index_failed)?;
    let now = Now { index, head, commit: head.commit.map(|commit| commit.to_string()).unwrap_or_default() };
    let (mut notes, mut others) = (Notes::default(), Vec::new());
    for krate in &locked {
        let Some(one) = written.crates.get(&krate.id) else { continue };
        // The blob, if it is the one of this batch.
        let blob = now.blob_of(one, written)?;
        match &one.file {
            File::Edited(edited) if blob.is_some() && is_base(edited, krate) => {
                notes.apply(krate, edited, blob.flatten(), now.commit_of(one));
            }
            _ => others.push((krate, one, blob)),
        }
    }
    if !others.is_empty() {
        let ids: Vec<i32> = others.iter().map(|(krate, ..)| krate.id).collect();
        let mut states: HashMap<i32, Vec<VersionState>> = HashMap::new();
        for state in effective_state::all_versions(connection, &ids)? {
            states.entry(state.crate_id).or_default().push(state);
        }
        for (krate, one, blob) in others {
            notes.compare(krate, one, blob, &states.remove(&krate.id).unwrap_or_default(), &now)?;
        }
    }
    fault::point("job.crates_locked")?;
    let deleted = versions::note_deleted(connection, &notes.gone)?;
    remove_crate_file::enqueue(connection, &deleted)?;
    effective_state::note(connection, &notes.shown, &notes.crates)?;
    Ok(())
}

/// Whether the database still has the state that an edit is based on.
fn is_base(edited: &EditedFile, krate: &LockedCrate) -> bool {
    edited.before == krate.noted && (edited.before.is_some() || krate.summary.version_count == 0)
}

impl Now<'_> {
    /// The blob of a crate's file, if it is the one that was written; `Some(None)` if there is no file, as written.
    fn blob_of(&self, krate: &CrateWritten, written: &Written) -> Result<Option<Option<Oid>>, JobError> {
        let find = |head: &Head| self.index.find(head, &index_path(&krate.name)).map_err(index_failed);
        let blob = find(&self.head)?;
        Ok(if self.head == written.head || find(&written.head)? == blob { Some(blob) } else { None })
    }

    /// A commit that has the state of a crate.
    fn commit_of<'a>(&'a self, krate: &'a CrateWritten) -> &'a str {
        krate.outcome.as_ref().ok().and_then(Option::as_deref).unwrap_or(&self.commit)
    }
}

impl<'a> Notes<'a> {
    /// Notes the pending versions of a crate whose file this batch has edited.
    fn apply(&mut self, krate: &LockedCrate, edited: &EditedFile, blob: Option<Oid>, commit_id: &'a str) {
        let (Some(blob), false) = (blob, edited.pending.is_empty()) else { return };
        let shown = |yanked| move |id| ShownVersion { id, yanked, commit_id };
        self.shown.extend(edited.pending.iter().map(|version| shown(version.desired_yanked)(version.id)));
        let (flipped, added): (Vec<_>, Vec<_>) =
            edited.pending.iter().partition(|version| version.effective_yanked.is_some());
        let added: Vec<Shown> = added
            .into_iter()
            .map(|one| Shown { id: one.id, num: one.num.clone(), yanked: Some(one.desired_yanked) })
            .collect();
        let survives = flipped
            .iter()
            .all(|version| version.desired_yanked && krate.summary.survives_the_yank_of(version.id, &version.num));
        // What does not follow from the old summary is left to the description, which reads all versions.
        let known = krate.summary.with_added(&added).filter(|_| survives);
        let is_known = known.is_some();
        let summary = known.unwrap_or_else(|| {
            let added = i32::try_from(added.len()).unwrap_or(i32::MAX);
            VersionSummary { version_count: krate.summary.version_count.saturating_add(added), ..krate.summary.clone() }
        });
        let index_bytes = i64::try_from(edited.size).unwrap_or(i64::MAX);
        self.crates.push(CrateNote {
            id: krate.id,
            file: Some(NotedFile { index_blob: blob.to_string(), index_bytes, index_last_id: edited.last_id }),
            is_changed: true,
            description: match is_known {
                false => Description::OfVersionsAndTexts,
                true if summary.default_version_id != krate.summary.default_version_id => Description::OfTexts,
                true => Description::Kept,
            },
            listed: (krate.summary.version_count == 0).then_some(true),
            summary,
        });
    }

    /// Compares all versions of a crate with its file, and notes the differences.
    fn compare(
        &mut self,
        krate: &LockedCrate,
        written: &'a CrateWritten,
        blob: Option<Option<Oid>>,
        states: &[VersionState],
        now: &'a Now<'_>,
    ) -> Result<(), JobError> {
        let file = now.index.read(&now.head, &index_path(&written.name)).map_err(index_failed)?;
        let in_index: HashMap<String, bool> = shown_versions(file.as_ref().map_or(&[], |file| &file.content[..]))?
            .into_iter()
            .map(|one| (one.vers, one.yanked))
            .collect();
        let (mut is_changed, mut shown) = (false, Vec::new());
        for state in states {
            let found = in_index.get(&state.num.to_string()).copied();
            let is_gone = found.is_none() && written.removes(state.id);
            if is_gone {
                self.gone.push(state.id);
                is_changed |= state.effective_yanked.is_some();
            } else if let Some(yanked) = found.filter(|found| state.effective_yanked != Some(*found)) {
                self.shown.push(ShownVersion { id: state.id, yanked, commit_id: now.commit_of(written) });
                is_changed = true;
            }
            let yanked = if is_gone { None } else { found.or(state.effective_yanked) };
            shown.extend(yanked.map(|yanked| Shown { id: state.id, num: state.num.clone(), yanked: Some(yanked) }));
        }
        let file = blob.flatten().and_then(|blob| written.noted_file(blob, &shown));
        if !is_changed && file == krate.noted {
            return Ok(());
        }
        let summary = if is_changed { VersionSummary::of(&shown) } else { krate.summary.clone() };
        let (before, after) = (krate.summary.version_count, summary.version_count);
        self.crates.push(CrateNote {
            id: krate.id,
            file,
            is_changed,
            description: if is_changed { Description::OfTexts } else { Description::Kept },
            listed: if before == 0 { (after > 0).then_some(true) } else { (after == 0).then_some(false) },
            summary,
        });
        Ok(())
    }
}

impl CrateWritten {
    /// Whether the file was rendered without the line of this version, because it is to be deleted.
    fn removes(&self, version_id: i32) -> bool {
        match &self.file {
            File::Edited(_) => false,
            File::Rendered { lines, .. } => lines.iter().any(|line| line.version_id == version_id && line.deleted),
        }
    }

    /// The file to note: the blob, if the file was rendered from exactly these versions.
    fn noted_file(&self, blob: Oid, shown: &[Shown]) -> Option<NotedFile> {
        let File::Rendered { lines, size, kept: 0 } = &self.file else { return None };
        let rendered = lines.iter().filter(|line| !line.deleted).map(|line| (line.version_id, Some(line.yanked)));
        if !rendered.eq(shown.iter().map(|one| (one.id, one.yanked))) {
            return None;
        }
        Some(NotedFile {
            index_blob: blob.to_string(),
            index_bytes: i64::try_from(*size).unwrap_or(i64::MAX),
            index_last_id: shown.last()?.id,
        })
    }
}
