//! The result of an import, as text for people and as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::index::entry::difference::Part;
use crate::index::entry::rebuild::Rebuilt;
use crate::package::characters::plain;

/// Entries of one list that the text shows. The JSON has all. What was not imported is shown in full.
const LISTED: usize = 50;

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
    /// The versions whose lines differed from their manifests, by the part that differed. The manifest counts.
    pub healed: BTreeMap<Part, BTreeSet<String>>,
    /// Versions whose manifest could not be used, and the reason. The index line counts.
    pub from_line: BTreeMap<String, String>,
    /// Versions with several lines, and their number. The last one counts.
    pub duplicate_lines: BTreeMap<String, usize>,
    /// Files that cargo does not find, because of their directory or their case, by crate. They were imported.
    pub misplaced_files: BTreeMap<String, String>,
    /// Versions that were imported without some of their categories, and a description of these.
    pub without_categories: BTreeMap<String, String>,
    /// Crates and versions that were imported although a publish would be rejected, and the reason.
    pub against_rules: BTreeMap<String, String>,
    /// Existing versions whose yank state differs from the other registry's.
    pub yanked_otherwise: Vec<String>,
    /// Versions with dependencies on crates.io that stay there.
    pub need_crates_io: u64,
    /// Versions whose dependencies on crates.io are dependencies on this registry. Existing versions are among them if
    /// that was not recorded before.
    pub crates_io_here: u64,
    /// The index URLs of further registries that imported versions depend on, with the number of these versions.
    pub other_registries: BTreeMap<String, u64>,
    /// Whether crate files were fetched and their manifests read. A dry run reads only the index.
    pub manifests_read: bool,
    /// The import was stopped before its end.
    pub interrupted: bool,
    pub dry_run: bool,
}

impl Summary {
    /// Adds the summary of a part of the import.
    pub(super) fn add(&mut self, other: Self) {
        self.crates += other.crates;
        self.created_crates += other.created_crates;
        self.imported += other.imported;
        self.existed += other.existed;
        self.bytes += other.bytes;
        self.failed.extend(other.failed);
        for (part, versions) in other.healed {
            self.healed.entry(part).or_default().extend(versions);
        }
        self.from_line.extend(other.from_line);
        self.duplicate_lines.extend(other.duplicate_lines);
        self.misplaced_files.extend(other.misplaced_files);
        self.without_categories.extend(other.without_categories);
        self.against_rules.extend(other.against_rules);
        self.yanked_otherwise.extend(other.yanked_otherwise);
        self.need_crates_io += other.need_crates_io;
        self.crates_io_here += other.crates_io_here;
        for (registry, versions) in other.other_registries {
            *self.other_registries.entry(registry).or_default() += versions;
        }
        self.interrupted |= other.interrupted;
    }

    /// Notes how the entry of an imported version came about.
    pub(super) fn note(&mut self, version: &str, rebuilt: &Rebuilt) {
        for part in rebuilt.healed.keys() {
            self.healed.entry(*part).or_default().insert(version.to_owned());
        }
        if let Some(reason) = &rebuilt.from_line {
            self.from_line.insert(version.to_owned(), reason.clone());
        }
        self.need_crates_io += u64::from(rebuilt.needs_crates_io());
        self.crates_io_here += u64::from(rebuilt.crates_io_here);
        for registry in rebuilt.other_registries() {
            *self.other_registries.entry(registry.to_owned()).or_default() += 1;
        }
    }

    /// The summary as readable text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        list(&mut text, "not imported", usize::MAX, reasons(&self.failed));
        for (part, versions) in &self.healed {
            let title = format!("healed: {part} is taken from Cargo.toml, the index line had it otherwise");
            list(&mut text, &title, LISTED, versions.iter().map(|version| plain(version).into_owned()));
        }
        list(
            &mut text,
            "taken from the index line, because the manifest cannot be used",
            LISTED,
            reasons(&self.from_line),
        );
        let duplicates = self.duplicate_lines.iter();
        list(
            &mut text,
            "several index lines for one version: the last one counts, as in cargo",
            LISTED,
            duplicates.map(|(version, lines)| format!("{}: {lines} lines", plain(version))),
        );
        list(
            &mut text,
            "found in files that cargo does not find, because of their directory or their case",
            LISTED,
            reasons(&self.misplaced_files),
        );
        list(&mut text, "imported without categories that are not allowed", LISTED, reasons(&self.without_categories));
        list(&mut text, "imported although a publish would be rejected", LISTED, reasons(&self.against_rules));
        let yanked = self.yanked_otherwise.iter().map(|version| format!("{}: left unchanged", plain(version)));
        list(&mut text, "the other registry has another yank state", LISTED, yanked);
        let registries = self.other_registries.iter();
        list(
            &mut text,
            "dependencies on further registries, which stay there (if one is the other registry under another URL, \
             import with --index-alias URL)",
            LISTED,
            registries.map(|(registry, versions)| format!("{}: {versions} versions", plain(registry))),
        );
        self.write_crates_io(&mut text);
        if self.dry_run {
            text.push_str(
                "dry run: only the index was read. An import also fetches each crate file, and reports what its \
                 manifest changes or prevents\n",
            );
        }
        text.push_str(&self.last_line());
        text
    }

    fn write_crates_io(&self, text: &mut String) {
        if self.need_crates_io > 0 {
            text.push_str(&format!(
                "{} versions depend on crates.io, and cargo will look there: if all crates that they need are imported, \
                 --crates-io-dependencies here makes them dependencies on this registry\n",
                self.need_crates_io
            ));
        }
        if self.crates_io_here > 0 {
            text.push_str(&format!(
                "{} versions have their dependencies on crates.io in this registry now (--crates-io-dependencies here)\n",
                self.crates_io_here
            ));
        }
    }

    fn last_line(&self) -> String {
        let verb = if self.dry_run { "would be imported" } else { "imported" };
        let how = if self.interrupted { "; interrupted: run the import again to continue" } else { "" };
        format!(
            "{} crates read: {} versions {verb} ({} MiB, {} new crates), {} existed, {} not imported{how}\n",
            self.crates,
            self.imported,
            self.bytes >> 20,
            self.created_crates,
            self.existed,
            self.failed.len()
        )
    }
}

fn reasons(of: &BTreeMap<String, String>) -> impl ExactSizeIterator<Item = String> {
    of.iter().map(|(what, why)| format!("{}: {}", plain(what), plain(why)))
}

fn list(text: &mut String, title: &str, most: usize, items: impl ExactSizeIterator<Item = String>) {
    let count = items.len();
    if count == 0 {
        return;
    }
    text.push_str(&format!("{title} ({count}):\n"));
    items.take(most).for_each(|item| text.push_str(&format!("    {item}\n")));
    if count > most {
        text.push_str(&format!("    and {} more: --json lists all\n", count - most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::characters::is_hidden;

    #[test]
    fn a_report_has_one_line_for_each_version_whatever_texts_the_other_registry_sends() {
        let hostile = || "x\u{1b}[2J\nall is well\u{202e}".to_owned();
        let reasons = || BTreeMap::from([(hostile(), hostile())]);
        let summary = Summary {
            failed: reasons(),
            healed: BTreeMap::from([(Part::RustVersion, BTreeSet::from([hostile()]))]),
            from_line: reasons(),
            duplicate_lines: BTreeMap::from([(hostile(), 2)]),
            misplaced_files: reasons(),
            against_rules: reasons(),
            yanked_otherwise: vec![hostile()],
            other_registries: BTreeMap::from([(hostile(), 2)]),
            ..Summary::default()
        };
        let text = summary.to_text();
        assert_eq!(text.lines().count(), 17, "{text}");
        assert!(!text.contains(|c| is_hidden(c) && c != '\n'), "{text:?}");
    }

    #[test]
    fn the_text_lists_every_failure_and_the_beginning_of_the_rest() {
        let many = || (0..60).map(|number| format!("foo 1.0.{number:02}"));
        let summary = Summary {
            failed: many().map(|version| (version, "no".to_owned())).collect(),
            healed: BTreeMap::from([(Part::Dependencies, many().collect())]),
            ..Summary::default()
        };
        let text = summary.to_text();
        assert_eq!(text.matches(": no\n").count(), 60);
        assert_eq!(text.matches("    foo 1.0.").count(), 60 + LISTED);
        assert!(text.contains("    and 10 more: --json lists all\n"), "{text}");
        assert_eq!(
            serde_json::to_value(&summary).unwrap()["healed"]["dependencies"].as_array().map(Vec::len),
            Some(60)
        );
    }
}
