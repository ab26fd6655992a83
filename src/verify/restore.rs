//! Rows that are lost, written again from the lines of the index and the crate files.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::{Difference, Kind};
use super::repair::{Remedied, Repairs};
use super::run::{Run, VerifyError};
use crate::database::access::audit::Action;
use crate::database::catalog::derived;
use crate::jobs::restoration::{Fate, IndexedVersion, Restorable, RestoreError, Restored, restore};
use crate::package::index_path::index_path;
use crate::package::{Checksum, CrateName, Limits};
use crate::queue::JobId;

/// What could be made of the lines of a file.
#[derive(Default)]
struct Lines {
    restorable: Vec<Restorable>,
    /// Versions, or numbers of lines, that can't be restored, and why.
    lost: Vec<(String, String)>,
}

impl Run<'_> {
    /// Restores the rows of lines that no row is for. The answers are by the places of the differences.
    pub(super) fn restore_rows(
        &self,
        repairs: &Repairs<'_>,
        differences: &[Difference],
    ) -> Result<BTreeMap<usize, Remedied>, VerifyError> {
        let mut by_path: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, difference) in differences.iter().enumerate() {
            if let (Kind::LineWithoutRow | Kind::UnknownCrate, Some(path)) = (difference.kind, &difference.path) {
                by_path.entry(path).or_default().push(place);
            }
        }
        let mut remedied = BTreeMap::new();
        for (path, places) in by_path {
            let wanted: BTreeSet<&str> =
                places.iter().filter_map(|place| differences[*place].version.as_deref()).collect();
            let lines = self.lines(repairs, path, &wanted)?;
            let restored = self.restore_lines(repairs, &lines, path)?;
            for place in places {
                remedied.insert(place, tell(&differences[place], &lines, &restored));
            }
        }
        Ok(remedied)
    }

    /// The lines of a file, all of them or those of certain versions, each with its crate file.
    fn lines(&self, repairs: &Repairs<'_>, path: &str, wanted: &BTreeSet<&str>) -> Result<Lines, VerifyError> {
        let index = self.verifier.index;
        let file = index.read(&index.head()?, path)?.map(|file| file.content).unwrap_or_default();
        let text = String::from_utf8_lossy(&file);
        let mut lines = Lines::default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty()) {
            match IndexedVersion::parse(line) {
                Err(error) => lines.lost.push((format!("line {number}"), error.to_string())),
                Ok(indexed) => {
                    let num = indexed.entry.vers.to_string();
                    if !wanted.is_empty() && !wanted.contains(&*num) {
                        continue;
                    }
                    match self.with_file(repairs, indexed, path)? {
                        Ok(restorable) => lines.restorable.push(restorable),
                        Err(why) => lines.lost.push((num, why)),
                    }
                }
            }
        }
        Ok(lines)
    }

    fn with_file(
        &self,
        repairs: &Repairs<'_>,
        indexed: IndexedVersion,
        path: &str,
    ) -> Result<Result<Restorable, String>, VerifyError> {
        let entry = &indexed.entry;
        if index_path(&entry.name) != path {
            return Ok(Err(format!("its line is of the crate {}", entry.name)));
        }
        let (name, num, checksum) = (entry.name.clone(), entry.vers.clone(), entry.cksum);
        let stored = self.verifier.crate_store.read(checksum)?.filter(|bytes| Checksum::of(bytes) == checksum);
        let stored = match stored {
            Some(bytes) => bytes,
            None => match self.fetch(repairs, &name, &num, checksum) {
                Ok((bytes, _)) => {
                    self.verifier.crate_store.put(checksum, bytes.clone())?;
                    bytes
                }
                Err(problem) => return Ok(Err(format!("its crate file is not in the store, and {problem}"))),
            },
        };
        Ok(indexed.with_file(&stored, &Limits::default()).map_err(|error| error.to_string()))
    }

    /// Writes the rows; nothing to restore has the file rendered from what rows there are, which takes the lines away.
    fn restore_lines(&self, repairs: &Repairs<'_>, lines: &Lines, path: &str) -> Result<Outcome, VerifyError> {
        let before = self.verifier.index.head()?.commit.map_or_else(String::new, |commit| commit.to_string());
        let name: Option<CrateName> = lines.restorable.first().map(|first| first.indexed.entry.name.clone());
        let (restored, problem) = match name {
            None => (None, None),
            Some(name) => {
                let (owners, log) = (&repairs.owners, (Action::Repair, &repairs.actor));
                let store = self.verifier.crate_store;
                let done = self
                    .verifier
                    .pool
                    .with(|connection| restore(connection, store, &name, &lines.restorable, owners, log))?;
                match done {
                    Ok(restored) => (Some(restored), None),
                    Err(error @ RestoreError::OtherSpelling { .. }) => (None, Some(error.to_string())),
                    // One crate's trouble must not keep the others from being repaired.
                    Err(RestoreError::Database(error)) if derived::is_refusal(&error) => {
                        (None, Some(format!("the database refuses it: {error}")))
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let job = match restored.as_ref().and_then(|restored| restored.job) {
            Some(job) => job,
            None => self.ask_for(repairs, path)?,
        };
        Ok(Outcome { restored, problem, job, before })
    }
}

struct Outcome {
    restored: Option<Restored>,
    problem: Option<String>,
    job: JobId,
    /// The commit that still had the lines.
    before: String,
}

fn tell(difference: &Difference, lines: &Lines, outcome: &Outcome) -> Remedied {
    let gone = |what: &str, why: &str| {
        format!("{what} can't be restored ({why}): taken out of the index, where commit {} has it", outcome.before)
    };
    let is_wanted = |num: &str| difference.version.as_deref().is_none_or(|wanted| wanted == num);
    let mut done: Vec<String> = Vec::new();
    if let Some(restored) = &outcome.restored {
        if difference.kind == Kind::UnknownCrate && restored.created_crate {
            done.push(match &*restored.owners {
                [] => "the crate is restored, and nobody knows its owners: name one with `supercargo admin owner add`"
                    .to_owned(),
                owners => format!("the crate is restored, with the owners {}", owners.join(", ")),
            });
        }
        for (num, fate) in restored.versions.iter().filter(|(num, _)| is_wanted(&num.to_string())) {
            done.push(match fate {
                Fate::Restored => format!("{num} is restored from the index line and the crate file"),
                Fate::RestoredAsDeleted => format!("{num} had been deleted, and is so again"),
                Fate::Existed => format!("{num} is there by now"),
                Fate::Contradicts(why) => gone(&num.to_string(), why),
            });
        }
    }
    done.extend(lines.lost.iter().filter(|(num, _)| is_wanted(num)).map(|(num, why)| gone(num, why)));
    done.extend(outcome.problem.as_deref().map(|problem| gone("the file", problem)));
    if done.is_empty() {
        done.push(gone("the file", "it has no lines"));
    }
    Remedied::By(outcome.job, done.join("; "))
}
