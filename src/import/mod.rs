//! Taking in the crates of another registry.
//!
//! A crate at a time: its file of the index is read, the crate files of the versions that are not here are fetched, checked
//! against their checksums and stored, and then its versions are written in one transaction with the job that brings them into
//! the index. What is here already is left and compared. So an import can be stopped anywhere, and started again.

mod source;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde::Serialize;

pub use source::{Downloads, Source, SourceError};

use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::access::audit::{Action, Actor};
use crate::database::catalog::owners::Owner;
use crate::database::catalog::versions::VersionStatus;
use crate::database::catalog::{crates, versions};
use crate::fault;
use crate::index::path::index_path;
use crate::jobs::restoration::{Fate, IndexedVersion, Restorable, restore};
use crate::package::characters::plain;
use crate::package::excerpt::listed;
use crate::package::{CrateName, Limits};
use crate::upstream::{Upstream, download_url};

/// An import.
pub struct Import<'a> {
    pub pool: &'a Pool,
    pub crate_store: &'a CrateStore,
    pub source: &'a Source,
    pub upstream: &'a Upstream,
    /// As in the other registry's config.json.
    pub dl: String,
    pub owners: &'a [Owner],
    pub actor: &'a Actor,
    /// How many crates are fetched at the same time.
    pub concurrency: usize,
    pub dry_run: bool,
    pub stopped: &'a (dyn Fn() -> bool + Sync),
    /// Told after each crate.
    pub seen: &'a (dyn Fn(&Summary) + Sync),
}

/// What became of an import.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    pub crates: u64,
    pub created_crates: u64,
    /// Versions that were taken, or would be.
    pub imported: u64,
    /// Versions that were here, with the same checksum.
    pub existed: u64,
    /// Bytes of crate files.
    pub bytes: u64,
    /// What was not taken, and why, by crate and version.
    pub failed: BTreeMap<String, String>,
    /// Versions that were taken without some of their categories, and without which.
    pub without_categories: BTreeMap<String, String>,
    /// What was taken although a publish would refuse it, and why.
    pub against_rules: BTreeMap<String, String>,
    /// Versions here whose yank state differs from the other registry's.
    pub yanked_otherwise: Vec<String>,
    /// It was stopped before its end.
    pub interrupted: bool,
    pub dry_run: bool,
}

impl Import<'_> {
    /// Takes the crates of these files of the index.
    pub fn run(&self, paths: &[String]) -> Summary {
        let summary = Mutex::new(Summary { dry_run: self.dry_run, ..Summary::default() });
        let next = AtomicUsize::new(0);
        let handle = tokio::runtime::Handle::try_current().ok();
        std::thread::scope(|scope| {
            for _ in 0..self.concurrency.min(paths.len()).max(1) {
                scope.spawn(|| {
                    let _entered = handle.as_ref().map(tokio::runtime::Handle::enter);
                    while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if (self.stopped)() {
                            summary.lock().interrupted = true;
                            return;
                        }
                        let of_crate = self.take_crate(path);
                        let mut summary = summary.lock();
                        summary.add(of_crate);
                        (self.seen)(&summary);
                    }
                });
            }
        });
        summary.into_inner()
    }

    fn take_crate(&self, path: &str) -> Summary {
        let mut summary = Summary { crates: 1, ..Summary::default() };
        if let Err(problem) = self.try_to_take(path, &mut summary) {
            let name = path.rsplit('/').next().unwrap_or(path);
            summary.failed.insert(name.to_owned(), problem);
        }
        summary
    }

    fn try_to_take(&self, path: &str, summary: &mut Summary) -> Result<(), String> {
        let told = |error: &dyn std::error::Error| error.to_string();
        let file = self.source.read(path).map_err(|error| told(&error))?;
        let file = file.ok_or("the index has no such crate")?;
        let text = String::from_utf8(file).map_err(|error| told(&error))?;
        let mut restorable = Vec::new();
        let mut name: Option<CrateName> = None;
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty()) {
            if (self.stopped)() {
                // Nothing of a crate is taken, rather than some of it in another order.
                summary.interrupted = true;
                return Ok(());
            }
            let indexed = match IndexedVersion::parse(line) {
                Ok(indexed) => indexed,
                Err(error) => {
                    let what = path.rsplit('/').next().unwrap_or(path);
                    summary.failed.insert(format!("{what}, line {number}"), error.to_string());
                    continue;
                }
            };
            let entry = &indexed.entry;
            let version = format!("{} {}", entry.name, entry.vers);
            if index_path(&entry.name) != path || name.as_ref().is_some_and(|name| *name != entry.name) {
                summary.failed.insert(version, format!("its line is in the file {path}"));
                continue;
            }
            name = Some(entry.name.clone());
            match self.is_here(&indexed)? {
                Some(existing) => compare(&indexed, &existing, &version, summary),
                None if self.dry_run => summary.imported += 1,
                None => match self.fetch(indexed, summary) {
                    Ok(one) => restorable.push(one),
                    Err(problem) => drop(summary.failed.insert(version, problem)),
                },
            }
        }
        match name {
            Some(name) if !restorable.is_empty() => self.write(&name, &restorable, summary),
            _ => Ok(()),
        }
    }

    fn is_here(&self, indexed: &IndexedVersion) -> Result<Option<VersionStatus>, String> {
        let entry = &indexed.entry;
        let found = self.pool.with(|connection| match crates::find(connection, &entry.name)? {
            Some(krate) if krate.name == entry.name => versions::find(connection, krate.id, &entry.vers),
            _ => Ok(None),
        });
        found.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// Fetches and stores the crate file of a version.
    fn fetch(&self, indexed: IndexedVersion, summary: &mut Summary) -> Result<Restorable, String> {
        let limits = Limits::default();
        let checksum = indexed.entry.cksum;
        let url = download_url(&self.dl, &indexed.entry.name, &indexed.entry.vers, checksum);
        let fetched =
            self.upstream.fetch(&url, limits.max_unpacked, self.stopped).map_err(|error| error.to_string())?;
        let bytes = fetched.ok_or_else(|| format!("{url} has no file"))?;
        let version = format!("{} {}", indexed.entry.name, indexed.entry.vers);
        let mut restorable = indexed.with_file(&bytes, &limits).map_err(|error| format!("{url}: {error}"))?;
        let left_out = restorable.leave_out_categories();
        if !left_out.is_empty() {
            let category = if left_out.len() == 1 { "category" } else { "categories" };
            let left_out = listed(left_out.iter().map(String::as_str));
            summary.without_categories.insert(version, format!("without the {category} {left_out}"));
        }
        summary.bytes += bytes.len() as u64;
        self.crate_store.put(checksum, bytes).map_err(|error| error.to_string())?;
        fault::point("import.file_stored").map_err(|error| error.to_string())?;
        Ok(restorable)
    }

    fn write(&self, name: &CrateName, versions: &[Restorable], summary: &mut Summary) -> Result<(), String> {
        let log = (Action::Import, self.actor);
        let restored =
            self.pool.with(|connection| restore(connection, self.crate_store, name, versions, self.owners, log));
        let restored = restored.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        summary.created_crates += u64::from(restored.created_crate);
        if restored.created_crate && name.is_reserved() {
            summary.against_rules.insert(name.to_string(), "the name is reserved".to_owned());
        }
        for (version, (num, fate)) in versions.iter().zip(restored.versions) {
            let told = format!("{name} {num}");
            match fate {
                Fate::Restored | Fate::RestoredAsDeleted => {
                    summary.imported += 1;
                    if let Some(refusal) = &version.refusal {
                        summary.against_rules.insert(told, refusal.clone());
                    }
                }
                Fate::Existed => summary.existed += 1,
                Fate::Contradicts(why) => drop(summary.failed.insert(told, why)),
            }
        }
        Ok(())
    }
}

fn compare(indexed: &IndexedVersion, existing: &VersionStatus, version: &str, summary: &mut Summary) {
    let entry = &indexed.entry;
    if existing.num != entry.vers {
        let why = format!("it is here as {}, and build metadata makes no other version", existing.num);
        summary.failed.insert(version.to_owned(), why);
    } else if existing.checksum != entry.cksum {
        let why = format!("it is here with the checksum {}, and there with {}", existing.checksum, entry.cksum);
        summary.failed.insert(version.to_owned(), why);
    } else {
        summary.existed += 1;
        if existing.desired_yanked != entry.yanked && existing.deletion_reason.is_none() {
            summary.yanked_otherwise.push(version.to_owned());
        }
    }
}

impl Summary {
    fn add(&mut self, other: Self) {
        self.crates += other.crates;
        self.created_crates += other.created_crates;
        self.imported += other.imported;
        self.existed += other.existed;
        self.bytes += other.bytes;
        self.failed.extend(other.failed);
        self.without_categories.extend(other.without_categories);
        self.against_rules.extend(other.against_rules);
        self.yanked_otherwise.extend(other.yanked_otherwise);
        self.interrupted |= other.interrupted;
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut list = |title: &str, of: &BTreeMap<String, String>| {
            if !of.is_empty() {
                text.push_str(&format!("{title} ({}):\n", of.len()));
                of.iter().for_each(|(what, why)| text.push_str(&format!("    {}: {}\n", plain(what), plain(why))));
            }
        };
        list("not taken", &self.failed);
        list("taken without categories that are not allowed", &self.without_categories);
        list("taken although a publish would be refused", &self.against_rules);
        let yanked = self.yanked_otherwise.iter().map(|what| (what.clone(), "left as it is here".to_owned())).collect();
        list("yanked here and not there, or the other way round", &yanked);
        let verb = if self.dry_run { "would be imported" } else { "imported" };
        let how = if self.interrupted { "; interrupted: start it again to go on" } else { "" };
        text.push_str(&format!(
            "{} crates looked at: {} versions {verb} ({} MiB, {} new crates), {} were here, {} not taken{how}\n",
            self.crates,
            self.imported,
            self.bytes >> 20,
            self.created_crates,
            self.existed,
            self.failed.len()
        ));
        text
    }
}

/// The paths of crates by their names, each once, in the order in which they were named.
///
/// # Errors
///
/// What is no name.
pub fn paths_of<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<String>, String> {
    let mut paths = Vec::new();
    for name in names.map(str::trim).filter(|name| !name.is_empty() && !name.starts_with('#')) {
        let name: CrateName = name.parse().map_err(|error: crate::package::name::NameError| error.to_string())?;
        let path = index_path(&name);
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::characters::is_hidden;

    #[test]
    fn a_report_has_a_line_for_each_version_whatever_the_other_registry_says() {
        let hostile = || "x\u{1b}[2J\nall is well\u{202e}".to_owned();
        let summary = Summary {
            failed: BTreeMap::from([(hostile(), hostile())]),
            against_rules: BTreeMap::from([(hostile(), hostile())]),
            yanked_otherwise: vec![hostile()],
            ..Summary::default()
        };
        let text = summary.to_text();
        assert_eq!(text.lines().count(), 7, "{text}");
        assert!(!text.contains(|c| is_hidden(c) && c != '\n'), "{text:?}");
    }
}
