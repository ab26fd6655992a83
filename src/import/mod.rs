//! Importing the crates of another registry.
//!
//! The unit is one crate: its index file is read; the crate files of its missing versions are fetched, verified and
//! stored; then the versions are inserted in one transaction together with the job that adds them to the index.
//! Existing versions are compared and left unchanged. An import can therefore be interrupted at any point and started
//! again.

mod selection;
mod source;
mod summary;

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

pub use selection::{CrateFiles, Selection, all, named_crates};
pub use source::{Downloads, Source, SourceError};
pub use summary::Summary;

use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::access::audit::{Action, Actor};
use crate::database::catalog::owners::Owner;
use crate::database::catalog::versions::VersionStatus;
use crate::database::catalog::{crates, versions};
use crate::fault;
use crate::index::entry::line::{IndexLine, named};
use crate::index::entry::registries::Registries;
use crate::jobs::restoration::{Fate, Restorable, restore};
use crate::package::excerpt::listed;
use crate::package::index_path::index_path;
use crate::package::registry_urls::CRATES_IO_INDEX;
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
    /// The registries of the crates' dependencies.
    pub registries: Registries,
    pub owners: &'a [Owner],
    pub actor: &'a Actor,
    /// The number of crates that are imported at the same time.
    pub concurrency: usize,
    pub dry_run: bool,
    pub stopped: &'a (dyn Fn() -> bool + Sync),
    /// Called after each crate.
    pub progress: &'a (dyn Fn(&Summary) + Sync),
}

impl Import<'_> {
    /// Imports the crates of this selection.
    pub fn run(&self, selection: &Selection) -> Summary {
        let crates = &selection.crates;
        let (dry_run, manifests_read) = (self.dry_run, !self.dry_run);
        let failed = selection.impossible.clone();
        let summary = Mutex::new(Summary { dry_run, manifests_read, failed, ..Summary::default() });
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.concurrency.min(crates.len()).max(1) {
                scope.spawn(|| {
                    while let Some(krate) = crates.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if (self.stopped)() {
                            summary.lock().interrupted = true;
                            return;
                        }
                        let of_crate = self.import_crate(krate);
                        let mut summary = summary.lock();
                        summary.add(of_crate);
                        (self.progress)(&summary);
                    }
                });
            }
        });
        summary.into_inner()
    }

    fn import_crate(&self, krate: &CrateFiles) -> Summary {
        let mut summary = Summary { crates: 1, ..Summary::default() };
        if let Err(problem) = self.try_import(krate, &mut summary) {
            summary.failed.insert(krate.label.clone(), problem);
        }
        summary
    }

    fn try_import(&self, krate: &CrateFiles, summary: &mut Summary) -> Result<(), String> {
        let lines = self.lines(krate, summary)?;
        let mut restorable = Vec::new();
        for line in &lines {
            if (self.stopped)() {
                // The versions of a crate are imported together, to keep their order.
                summary.interrupted = true;
                return Ok(());
            }
            let version = format!("{} {}", line.name, line.version);
            match self.existing(line)? {
                Some(existing) => {
                    compare(line, &existing, &version, summary);
                    self.record_crates_io_here(line, &existing, summary)?;
                }
                None if self.dry_run => summary.imported += 1,
                None => match self.fetch(line, summary) {
                    Ok(one) => restorable.push(one),
                    Err(problem) => drop(summary.failed.insert(version, problem)),
                },
            }
        }
        match lines.first() {
            Some(line) if !restorable.is_empty() => self.write(&line.name, &restorable, summary),
            _ => Ok(()),
        }
    }

    /// The lines of a crate, one for each version: the last one, as in cargo.
    fn lines(&self, krate: &CrateFiles, summary: &mut Summary) -> Result<Vec<IndexLine>, String> {
        let mut lines: Vec<IndexLine> = Vec::new();
        let mut is_missing = true;
        for path in &krate.paths {
            let Some(file) = self.source.read(path).map_err(|error| error.to_string())? else { continue };
            is_missing = false;
            let text = String::from_utf8(file).map_err(|error| format!("its file {path} is not UTF-8: {error}"))?;
            for (number, text) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
                match self.line(text, path, lines.first()) {
                    Ok(line) => add_line(&mut lines, line, path, summary),
                    Err(problem) => {
                        let named = named(text).map(|(name, version)| format!("{name} {version}"));
                        let what = named.unwrap_or_else(|| format!("{path}, line {number}"));
                        // The last line counts, even if cargo cannot use it.
                        lines.retain(|line| format!("{} {}", line.name, line.version) != what);
                        summary.failed.insert(what, problem);
                    }
                }
            }
        }
        if is_missing { Err("the crate is not in the index".to_owned()) } else { Ok(lines) }
    }

    /// Parses a line of a file, whose first line is `first`.
    fn line(&self, text: &str, path: &str, first: Option<&IndexLine>) -> Result<IndexLine, String> {
        let line =
            IndexLine::parse(text).map_err(|error| format!("its index line in {path} cannot be used: {error}"))?;
        if !selection::file_name(path).eq_ignore_ascii_case(line.name.as_str()) {
            return Err(format!("its index line is in the file {path}, which belongs to another crate"));
        }
        match first.filter(|first| first.name != line.name) {
            Some(first) => Err(format!("its index line is in the file {path}, where other lines name {}", first.name)),
            None => Ok(line),
        }
    }

    fn existing(&self, line: &IndexLine) -> Result<Option<VersionStatus>, String> {
        let found = self.pool.with(|connection| match crates::find(connection, &line.name)? {
            Some(krate) if krate.name == line.name => versions::find(connection, krate.id, &line.version),
            _ => Ok(None),
        });
        found.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// An older program took lines as they were, and did not record where dependencies on crates.io should lead.
    fn record_crates_io_here(
        &self,
        line: &IndexLine,
        existing: &VersionStatus,
        summary: &mut Summary,
    ) -> Result<(), String> {
        if self.dry_run || existing.checksum != line.checksum || !self.registries.take_crates_io() {
            return Ok(());
        }
        let record = |connection: &mut _| versions::record_crates_io_here(connection, existing.id, CRATES_IO_INDEX);
        let recorded = self.pool.with(record).map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        summary.crates_io_here += u64::from(recorded);
        Ok(())
    }

    /// Fetches and stores the crate file of a version.
    fn fetch(&self, line: &IndexLine, summary: &mut Summary) -> Result<Restorable, String> {
        let limits = Limits::default();
        let checksum = line.checksum;
        let url = download_url(&self.dl, &line.name, &line.version, checksum);
        let fetched =
            self.upstream.fetch(&url, limits.max_unpacked, self.stopped).map_err(|error| error.to_string())?;
        let bytes = fetched.ok_or_else(|| format!("{} does not exist", redact::userinfo(&url)))?;
        let version = format!("{} {}", line.name, line.version);
        let mut restorable = Restorable::new(line, &bytes, &limits, &self.registries)
            .map_err(|error| format!("{}: {error}", redact::userinfo(&url)))?;
        if restorable.is_unusable {
            let why = restorable.refusal.unwrap_or_default();
            return Err(format!("cargo cannot unpack {}: {why}", redact::userinfo(&url)));
        }
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
                    summary.note(&version_name, &version.rebuilt);
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

fn add_line(lines: &mut Vec<IndexLine>, line: IndexLine, path: &str, summary: &mut Summary) {
    let version = format!("{} {}", line.name, line.version);
    if *path != index_path(&line.name) {
        summary.misplaced_files.insert(version.clone(), format!("in {path}"));
    }
    let before = lines.len();
    lines.retain(|other| other.version != line.version);
    if lines.len() < before {
        *summary.duplicate_lines.entry(version).or_insert(1) += 1;
    }
    lines.push(line);
}

fn compare(line: &IndexLine, existing: &VersionStatus, version: &str, summary: &mut Summary) {
    if existing.num != line.version {
        let why = format!(
            "it exists as {}, and versions that differ only in build metadata are the same version",
            existing.num
        );
        summary.failed.insert(version.to_owned(), why);
    } else if existing.checksum != line.checksum {
        let why =
            format!("it exists with the checksum {}, but the other registry has {}", existing.checksum, line.checksum);
        summary.failed.insert(version.to_owned(), why);
    } else {
        summary.existed += 1;
        if existing.desired_yanked != line.yanked && existing.deletion_reason.is_none() {
            summary.yanked_otherwise.push(version.to_owned());
        }
    }
}
