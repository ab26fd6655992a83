//! Rows that are lost, restored from the lines of the index and the crate files.

use std::collections::{BTreeMap, BTreeSet};

use super::crate_files::fetch;
use super::index_files::request;
use super::outcome::Outcome;
use super::repairs::Repairs;
use crate::database::access::audit::Action;
use crate::database::catalog::derived;
use crate::index::entry::line::IndexLine;
use crate::index::entry::registries::Registries;
use crate::jobs::restoration::{Fate, Restorable, RestoreError, Restored, restore};
use crate::package::index_path::index_path;
use crate::package::{Checksum, CrateName, Limits};
use crate::queue::JobId;
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;

/// The lines of an index file.
#[derive(Default)]
struct Lines {
    restorable: Vec<Restorable>,
    /// Versions, or numbers of lines, that cannot be restored, and why.
    lost: Vec<(String, String)>,
}

/// The result for one index file.
struct Restoration {
    restored: Option<Restored>,
    problem: Option<String>,
    job: JobId,
    /// The commit that still had the lines.
    before: String,
}

/// Restores the rows of lines that have none. The outcomes are keyed by the places of the differences.
pub fn restore_all(
    context: &Context<'_>,
    repairs: &Repairs<'_>,
    differences: &[Difference],
) -> Result<BTreeMap<usize, Outcome>, VerifyError> {
    let mut by_path: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, difference) in differences.iter().enumerate() {
        if let (Kind::LineWithoutRow | Kind::UnknownCrate, Some(path)) = (difference.kind, &difference.path) {
            by_path.entry(path).or_default().push(place);
        }
    }
    let mut outcomes = BTreeMap::new();
    for (path, places) in by_path {
        let versions: BTreeSet<&str> =
            places.iter().filter_map(|place| differences[*place].version.as_deref()).collect();
        let lines = read_lines(context, repairs, path, &versions)?;
        let restoration = restore_lines(context, repairs, &lines, path)?;
        for place in places {
            outcomes.insert(place, outcome(&differences[place], &lines, &restoration));
        }
    }
    Ok(outcomes)
}

/// Reads the lines of a file, each with its crate file: those of `versions`, or all of them if that is empty.
fn read_lines(
    context: &Context<'_>,
    repairs: &Repairs<'_>,
    path: &str,
    versions: &BTreeSet<&str>,
) -> Result<Lines, VerifyError> {
    let index = context.index;
    let file = index.read(&index.head()?, path)?.map(|file| file.content).unwrap_or_default();
    let text = String::from_utf8_lossy(&file);
    let mut lines = Lines::default();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty()) {
        match IndexLine::parse(line) {
            Err(error) => {
                lines.lost.push((format!("line {number}"), format!("its line of the index cannot be read: {error}")));
            }
            Ok(line) => {
                let num = line.version.to_string();
                if !versions.is_empty() && !versions.contains(&*num) {
                    continue;
                }
                match with_file(context, repairs, &line, path)? {
                    Ok(restorable) => lines.restorable.push(restorable),
                    Err(why) => lines.lost.push((num, why)),
                }
            }
        }
    }
    Ok(lines)
}

fn with_file(
    context: &Context<'_>,
    repairs: &Repairs<'_>,
    line: &IndexLine,
    path: &str,
) -> Result<Result<Restorable, String>, VerifyError> {
    if index_path(&line.name) != path {
        return Ok(Err(format!("its line names the crate {}", line.name)));
    }
    let checksum = line.checksum;
    let stored = context.crate_store.read(checksum)?.filter(|bytes| Checksum::of(bytes) == checksum);
    let stored = match stored {
        Some(bytes) => bytes,
        None => match fetch(context, repairs, &line.name, &line.version, checksum) {
            Ok((bytes, _)) => {
                context.crate_store.put(checksum, bytes.clone())?;
                bytes
            }
            Err(problem) => return Ok(Err(format!("its crate file is not in the store, and {problem}"))),
        },
    };
    // Its row is lost, and with it whether the dependencies on crates.io are here.
    let registries = Registries::Recorded { urls: context.registry_urls.clone(), crates_io_here: None };
    Ok(Restorable::new(line, &stored, &Limits::default(), &registries).map_err(|error| error.to_string()))
}

/// Writes the rows. If none can be restored, the file is rendered from the rows that exist, which removes the lines.
fn restore_lines(
    context: &Context<'_>,
    repairs: &Repairs<'_>,
    lines: &Lines,
    path: &str,
) -> Result<Restoration, VerifyError> {
    let before = context.index.head()?.commit.map_or_else(String::new, |commit| commit.to_string());
    let name: Option<CrateName> = lines.restorable.first().map(|first| first.rebuilt.entry.name.clone());
    let (restored, problem) = match name {
        None => (None, None),
        Some(name) => {
            let (owners, log) = (&repairs.owners, (Action::Repair, &repairs.actor));
            let store = context.crate_store;
            let done =
                context.pool.with(|connection| restore(connection, store, &name, &lines.restorable, owners, log))?;
            match done {
                Ok(restored) => (Some(restored), None),
                Err(error @ RestoreError::OtherSpelling { .. }) => (None, Some(error.to_string())),
                // A problem of one crate must not prevent the repair of the others.
                Err(RestoreError::Database(error)) if derived::is_refusal(&error) => {
                    (None, Some(format!("the database rejects it: {error}")))
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    let job = match restored.as_ref().and_then(|restored| restored.job) {
        Some(job) => job,
        None => request(context, repairs, path)?,
    };
    Ok(Restoration { restored, problem, job, before })
}

fn outcome(difference: &Difference, lines: &Lines, restoration: &Restoration) -> Outcome {
    let removed = |what: &str, why: &str| {
        let before = &restoration.before;
        format!("{what} cannot be restored ({why}): removed from the index, where commit {before} has it")
    };
    let concerns = |num: &str| difference.version.as_deref().is_none_or(|version| version == num);
    let mut done: Vec<String> = Vec::new();
    if let Some(restored) = &restoration.restored {
        if difference.kind == Kind::UnknownCrate && restored.created_crate {
            done.push(match &*restored.owners {
                [] => {
                    "the crate is restored without owners, because they are not known: add one with `supercargo admin \
                       owner add`"
                        .to_owned()
                }
                owners => format!("the crate is restored, with the owners {}", owners.join(", ")),
            });
        }
        for (num, fate) in restored.versions.iter().filter(|(num, _)| concerns(&num.to_string())) {
            done.push(match fate {
                Fate::Restored => format!("{num} is restored from the index line and the crate file"),
                Fate::RestoredAsDeleted => format!("{num} was deleted before, and is restored as deleted"),
                Fate::Existed => format!("{num} exists by now"),
                Fate::Contradicts(why) => removed(&num.to_string(), why),
            });
        }
    }
    done.extend(lines.lost.iter().filter(|(num, _)| concerns(num)).map(|(num, why)| removed(num, why)));
    done.extend(restoration.problem.as_deref().map(|problem| removed("the file", problem)));
    if done.is_empty() {
        done.push(removed("the file", "it has no lines"));
    }
    Outcome::Requested(restoration.job, done.join("; "))
}
