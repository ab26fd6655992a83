//! Importing the crates of another registry.
//!
//! The unit is one crate: its index file is read; the crate files of its missing versions are fetched, verified and
//! stored; then the versions are inserted in one transaction together with the job that adds them to the index.
//! Existing versions are compared and left unchanged. An import can therefore be interrupted at any point and started
//! again.

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
use crate::jobs::restoration::{Fate, IndexedVersion, Restorable, restore};
use crate::package::characters::plain;
use crate::package::excerpt::listed;
use crate::package::index_path::index_path;
use crate::package::{CrateName, Limits};
use crate::redact;
use crate::upstream::{Upstream, download_url};

/// An import.
pub struct Import<'a> {
    pub pool: &'a Pool,
    pub crate_store: &'a CrateStore,
    pub source: &'a Source,
    pub upstream: &'a Upstream,
    /// The download template `dl` of the other registry's config.json.
    pub dl: String,
    pub owners: &'a [Owner],
    pub actor: &'a Actor,
    /// The number of crates that are imported at the same time.
    pub concurrency: usize,
    pub dry_run: bool,
    pub stopped: &'a (dyn Fn() -> bool + Sync),
    /// Called after each crate.
    pub progress: &'a (dyn Fn(&Summary) + Sync),
}

/// The result of an import.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    pub crates: u64,
    pub created_crates: u64,
    /// Versions that were imported, or would be by a dry run.
    pub imported: u64,
    /// Versions that existed with the same checksum.
    pub existed: u64,
    /// The size of the fetched crate files, in bytes.
    pub bytes: u64,
    /// The reason of each failure, by crate and version.
    pub failed: BTreeMap<String, String>,
    /// Versions that were imported without some of their categories, and a description of these.
    pub without_categories: BTreeMap<String, String>,
    /// Crates and versions that were imported although a publish would be rejected, and the reason.
    pub against_rules: BTreeMap<String, String>,
    /// Existing versions whose yank state differs from the other registry's.
    pub yanked_otherwise: Vec<String>,
    /// The import was stopped before its end.
    pub interrupted: bool,
    pub dry_run: bool,
}

impl Import<'_> {
    /// Imports the crates of these files of the index.
    pub fn run(&self, paths: &[String]) -> Summary {
        let summary = Mutex::new(Summary { dry_run: self.dry_run, ..Summary::default() });
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.concurrency.min(paths.len()).max(1) {
                scope.spawn(|| {
                    while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if (self.stopped)() {
                            summary.lock().interrupted = true;
                            return;
                        }
                        let of_crate = self.import_crate(path);
                        let mut summary = summary.lock();
                        summary.add(of_crate);
                        (self.progress)(&summary);
                    }
                });
            }
        });
        summary.into_inner()
    }

    fn import_crate(&self, path: &str) -> Summary {
        let mut summary = Summary { crates: 1, ..Summary::default() };
        if let Err(problem) = self.try_import(path, &mut summary) {
            let name = path.rsplit('/').next().unwrap_or(path);
            summary.failed.insert(name.to_owned(), problem);
        }
        summary
    }

    fn try_import(&self, path: &str, summary: &mut Summary) -> Result<(), String> {
        let file = self.source.read(path).map_err(|error| error.to_string())?;
        let file = file.ok_or("the crate is not in the index")?;
        let text = String::from_utf8(file).map_err(|error| error.to_string())?;
        let mut restorable = Vec::new();
        let mut name: Option<CrateName> = None;
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty()) {
            if (self.stopped)() {
                // The versions of a crate are imported together, to keep their order.
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
                summary
                    .failed
                    .insert(version, format!("its line is in the file {path}, which belongs to another crate"));
                continue;
            }
            name = Some(entry.name.clone());
            match self.existing(&indexed)? {
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

    fn existing(&self, indexed: &IndexedVersion) -> Result<Option<VersionStatus>, String> {
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
        let bytes = fetched.ok_or_else(|| format!("{} does not exist", redact::userinfo(&url)))?;
        let version = format!("{} {}", indexed.entry.name, indexed.entry.vers);
        let mut restorable =
            indexed.with_file(&bytes, &limits).map_err(|error| format!("{}: {error}", redact::userinfo(&url)))?;
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
            let version_name = format!("{name} {num}");
            match fate {
                Fate::Restored | Fate::RestoredAsDeleted => {
                    summary.imported += 1;
                    if let Some(refusal) = &version.refusal {
                        summary.against_rules.insert(version_name, refusal.clone());
                    }
                }
                Fate::Existed => summary.existed += 1,
                Fate::Contradicts(why) => drop(summary.failed.insert(version_name, why)),
            }
        }
        Ok(())
    }
}

fn compare(indexed: &IndexedVersion, existing: &VersionStatus, version: &str, summary: &mut Summary) {
    let entry = &indexed.entry;
    if existing.num != entry.vers {
        let why = format!(
            "it exists as {}, and versions that differ only in build metadata are the same version",
            existing.num
        );
        summary.failed.insert(version.to_owned(), why);
    } else if existing.checksum != entry.cksum {
        let why =
            format!("it exists with the checksum {}, but the other registry has {}", existing.checksum, entry.cksum);
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

    /// The summary as readable text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut list = |title: &str, of: &BTreeMap<String, String>| {
            if !of.is_empty() {
                text.push_str(&format!("{title} ({}):\n", of.len()));
                of.iter().for_each(|(what, why)| text.push_str(&format!("    {}: {}\n", plain(what), plain(why))));
            }
        };
        list("not imported", &self.failed);
        list("imported without categories that are not allowed", &self.without_categories);
        list("imported although a publish would be rejected", &self.against_rules);
        let yanked = self.yanked_otherwise.iter().map(|what| (what.clone(), "left unchanged".to_owned())).collect();
        list("the other registry has another yank state", &yanked);
        let verb = if self.dry_run { "would be imported" } else { "imported" };
        let how = if self.interrupted { "; interrupted: run the import again to continue" } else { "" };
        text.push_str(&format!(
            "{} crates read: {} versions {verb} ({} MiB, {} new crates), {} existed, {} not imported{how}\n",
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

/// The index paths of crates from their names, without duplicates, in the order of the names. Empty lines and lines
/// that begin with `#` are skipped.
///
/// # Errors
///
/// A name is not valid.
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
    fn a_report_has_one_line_for_each_version_whatever_texts_the_other_registry_sends() {
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
