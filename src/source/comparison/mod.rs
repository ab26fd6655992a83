//! What changed from one package to another: its files, and what a reviewer asks first.
//!
//! Everything here is bounded by sizes and not by a clock, so that a comparison says the same on every machine and at any
//! load. What is beyond a bound is named and left out, never guessed.

mod bounds;
mod files;
mod manifests;
mod renames;
mod summary;
#[cfg(test)]
mod tests;

pub use files::{FileChange, How};
pub use manifests::{ChangedDependency, ChangedFeature, FieldChange, ManifestChanges, Stated};
pub use summary::{NewBinary, Script, Summary, UnsafeCount};

use bounds::{BOUNDS, Bounds};

use super::error::SourceError;
use super::package::SourcePackage;
use crate::package::RegistryUrls;

/// What changed from one package to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The files that changed, in the order of their paths.
    pub files: Vec<FileChange>,
    /// The number of files that are the same in both.
    pub unchanged: usize,
    /// What a reviewer asks first.
    pub summary: Summary,
}

impl Comparison {
    /// Compares two packages.
    ///
    /// # Errors
    ///
    /// A [`SourceError`] if one of them cannot be read.
    pub fn new(before: &SourcePackage, after: &SourcePackage, urls: &RegistryUrls) -> Result<Self, SourceError> {
        Self::within(before, after, urls, BOUNDS)
    }

    fn within(
        before: &SourcePackage,
        after: &SourcePackage,
        urls: &RegistryUrls,
        bounds: Bounds,
    ) -> Result<Self, SourceError> {
        let (mut files, unchanged) = files::changed(before, after);
        renames::find(&mut files, (before, after), bounds)?;
        files::count_lines(&mut files, (before, after), bounds.counted)?;
        let summary = summary::of(&files, (before, after), urls, bounds.searched)?;
        Ok(Self { files, unchanged, summary })
    }

    /// The lines that were added and removed, as far as they were counted.
    pub fn lines(&self) -> (u64, u64) {
        let counted = self.files.iter().filter_map(|file| file.lines);
        counted.fold((0, 0), |(added, removed), (one, other)| (added + u64::from(one), removed + u64::from(other)))
    }

    /// The change of the file that has this path in the second package, or had it in the first one.
    pub fn file(&self, path: &str) -> Option<&FileChange> {
        let of_second = self.files.iter().find(|file| file.after.is_some() && file.path == path);
        of_second.or_else(|| self.files.iter().find(|file| file.path_before() == path))
    }

    /// About how many bytes it occupies in memory.
    pub fn weight(&self) -> u64 {
        let files: usize = self.files.iter().map(|file| size_of::<FileChange>() + 2 * file.path.len()).sum();
        (files + 4096) as u64 + self.summary.weight()
    }
}
