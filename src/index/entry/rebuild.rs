//! The entry of a version that another program indexed, rebuilt from the manifest as a publish builds it.
//!
//! The line keeps what only it has: the yank state, the time of publication and the checksum. The manifest decides about
//! everything else, because cargo builds from it. If it cannot be read, the line counts, as far as cargo could read it.

use std::collections::{BTreeMap, BTreeSet};

use super::Entry;
use super::difference::{Part, compare};
use super::line::IndexLine;
use super::registries::Registries;
use super::summary::Summary;
use crate::package::dependency::Dependency;
use crate::package::registry_urls::is_crates_io;
use crate::package::{Manifest, unpackaged};

/// An entry that cargo can read.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    pub entry: Entry,
    /// What the entry says otherwise than the line: the values of both.
    pub healed: BTreeMap<Part, (String, String)>,
    /// Why the manifest could not be used. Then the entry says what the line says.
    pub from_line: Option<String>,
    /// Dependencies on crates.io have become dependencies on this registry.
    pub crates_io_here: bool,
    summary: Summary,
}

/// Why there is no entry that cargo could use.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("its Cargo.toml is that of {name} {version}, which cargo does not accept: package it again")]
    OtherPackage { name: String, version: String },
    #[error("cargo cannot use it: {manifest}; and in the index line, {line}")]
    Unusable { manifest: String, line: String },
}

impl Rebuilt {
    /// Rebuilds the entry of a line. `manifest` is the text of the manifest, or why there is none.
    pub fn of(
        line: &IndexLine,
        manifest: Result<&str, String>,
        registries: &Registries,
    ) -> Result<Self, RebuildError> {
        let shown = line.summary(registries);
        let from_manifest = manifest.and_then(|text| {
            unpackaged::parse(text, &registries.urls()).map_err(|error| error.to_string())
        });
        let of_manifest = match from_manifest {
            Ok(manifest) if (&manifest.name, &manifest.version) != (&line.name, &line.version) => {
                let (name, version) = (manifest.name.to_string(), manifest.version.to_string());
                return Err(RebuildError::OtherPackage { name, version });
            }
            Ok(manifest) => summary(&manifest, &shown.summary.dependencies, registries),
            Err(problem) => Err(problem),
        };
        let (summary, crates_io_here, from_line) = match of_manifest {
            Ok((summary, crates_io_here)) => (summary, crates_io_here, None),
            Err(manifest) => {
                let unusable = |line: String| RebuildError::Unusable { manifest: manifest.clone(), line };
                if let Some((_, problem)) = shown.problems.into_iter().next() {
                    return Err(unusable(problem));
                }
                shown.summary.check_loadable().map_err(unusable)?;
                return Ok(Self::assemble(line, shown.summary, line.misspelt(), Some(manifest)));
            }
        };
        let mut healed = compare(&shown.summary, &summary);
        if shown.dependencies == summary.dependencies.len() && !shown.problems.is_empty() {
            // None is missing: one could not be read.
            healed.remove(&Part::Dependencies);
        }
        for (part, problem) in shown.problems {
            healed.insert(part, (problem, "what Cargo.toml says".to_owned()));
        }
        let mut rebuilt = Self::assemble(line, summary, line.misspelt(), from_line);
        rebuilt.crates_io_here = crates_io_here;
        rebuilt.healed.extend(healed);
        Ok(rebuilt)
    }

    fn assemble(line: &IndexLine, summary: Summary, misspelt: Vec<Part>, from_line: Option<String>) -> Self {
        let entry = Entry::of((&line.name, &line.version), line.checksum, summary.clone(), line.pubtime);
        let as_cargo = |part| (part, ("a form that cargo does not read".to_owned(), "cargo's form".to_owned()));
        let healed = misspelt.into_iter().map(as_cargo).collect();
        Self { entry: Entry { yanked: line.yanked, ..entry }, healed, from_line, crates_io_here: false, summary }
    }

    /// The line of the entry while it is not yanked.
    pub fn line(&self) -> String {
        Entry { yanked: false, ..self.entry.clone() }.to_line()
    }

    /// The dependencies, in the order of the manifest.
    pub fn dependencies(&self) -> &[Dependency] {
        &self.summary.dependencies
    }

    /// The registries of its dependencies except this one and crates.io.
    pub fn other_registries(&self) -> BTreeSet<&str> {
        let registries = self.dependencies().iter().filter_map(|one| one.registry.as_deref());
        registries.filter(|url| !is_crates_io(url)).collect()
    }

    /// Whether it depends on crates of crates.io.
    pub fn needs_crates_io(&self) -> bool {
        self.dependencies().iter().any(|one| one.registry.as_deref().is_some_and(is_crates_io))
    }
}

/// The summary of a manifest, and whether dependencies on crates.io have become dependencies on this registry.
fn summary(manifest: &Manifest, shown: &[Dependency], registries: &Registries) -> Result<(Summary, bool), String> {
    let mut summary = Summary::of(manifest);
    let mut crates_io_here = false;
    for dependency in &mut summary.dependencies {
        crates_io_here |= registries.settle(dependency, shown)?;
    }
    summary.check_loadable()?;
    Ok((summary, crates_io_here))
}
