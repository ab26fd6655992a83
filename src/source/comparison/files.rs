//! The files that changed.

use std::cmp::Ordering;

use crate::diff;
use crate::source::error::SourceError;
use crate::source::form::Form;
use crate::source::listing::{FileFacts, Listing};
use crate::source::package::SourcePackage;

/// How a file changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    Added,
    Removed,
    Changed,
    /// It has another path, and perhaps other contents.
    Renamed {
        /// The path in the first package.
        from: String,
        /// How much of it stayed, in hundredths.
        similarity: u8,
    },
}

/// A file that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Its path; that in the first package if it was removed.
    pub path: String,
    pub how: How,
    /// The file in the first package.
    pub before: Option<FileFacts>,
    /// The file in the second package.
    pub after: Option<FileFacts>,
    /// The lines that were added and removed; None if it is no text, or was not counted.
    pub lines: Option<(u32, u32)>,
}

impl FileChange {
    /// Its path in the first package, or the path at which it was added.
    pub fn path_before(&self) -> &str {
        match &self.how {
            How::Renamed { from, .. } => from,
            _ => &self.path,
        }
    }

    /// Whether it can be shown by its lines: all that there is of it is text of a bounded size.
    pub fn is_shown_by_lines(&self) -> bool {
        self.sides().all(|file| is_text(file) && file.size <= diff::MAX_TEXT as u64)
    }

    /// Whether all that there is of it is text.
    pub fn is_text(&self) -> bool {
        self.sides().all(is_text)
    }

    fn sides(&self) -> impl Iterator<Item = &FileFacts> {
        self.before.iter().chain(&self.after)
    }

    fn is_same_content(&self) -> bool {
        self.before.as_ref().map(|file| file.sha256) == self.after.as_ref().map(|file| file.sha256)
    }
}

pub(super) fn is_text(file: &FileFacts) -> bool {
    matches!(file.form, Form::Text | Form::OtherText)
}

/// The files that differ by path or content, and the number of the others. Renames are not found yet.
pub(super) fn changed(before: &SourcePackage, after: &SourcePackage) -> (Vec<FileChange>, usize) {
    let (mut changed, mut unchanged) = (Vec::new(), 0);
    let (mut old, mut new) = (before.listing().files().peekable(), after.listing().files().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        let before = if order == Ordering::Greater { None } else { old.next() };
        let after = if order == Ordering::Less { None } else { new.next() };
        let (path, how) = match (before, after) {
            (Some((path, one)), Some((_, other))) if is_same(one, other) => {
                unchanged += 1;
                debug_assert!(!path.is_empty(), "a listed path is never empty");
                continue;
            }
            (Some((path, _)), Some(_)) => (path, How::Changed),
            (Some((path, _)), None) => (path, How::Removed),
            (None, Some((path, _))) => (path, How::Added),
            (None, None) => break,
        };
        let facts = |side: Option<(&str, &FileFacts)>| side.map(|(_, file)| file.clone());
        changed.push(FileChange {
            path: path.to_owned(),
            how,
            before: facts(before),
            after: facts(after),
            lines: None,
        });
    }
    (changed, unchanged)
}

fn is_same(one: &FileFacts, other: &FileFacts) -> bool {
    one.sha256 == other.sha256 && one.form == other.form && one.is_executable == other.is_executable
}

/// Counts the lines that were added and removed, in the order of the files, until `bytes` of text were compared. Files that
/// exist on one side only are counted in any case, because the listing has their numbers.
pub(super) fn count_lines(
    files: &mut [FileChange],
    (before, after): (&SourcePackage, &SourcePackage),
    mut bytes: u64,
) -> Result<(), SourceError> {
    for file in files.iter_mut().filter(|file| file.is_text()) {
        file.lines = match (&file.before, &file.after) {
            (None, Some(added)) => Some((added.lines, 0)),
            (Some(removed), None) => Some((0, removed.lines)),
            (Some(_), Some(_)) if file.is_same_content() => Some((0, 0)),
            (Some(one), Some(other)) if file.is_shown_by_lines() && one.size + other.size <= bytes => {
                bytes -= one.size + other.size;
                let differences = diff::differences(&before.read_text(one)?, &after.read_text(other)?);
                Some((differences.added, differences.removed))
            }
            _ => None,
        };
    }
    Ok(())
}

/// The content of a file of a package as text, if there is such a file and it is a text of at most this size.
pub(super) fn text_of(package: &SourcePackage, path: &str, max: u64) -> Result<Option<String>, SourceError> {
    let listing: &Listing = package.listing();
    match listing.find(path).filter(|file| is_text(file) && file.size <= max) {
        Some(file) => package.read_text(file).map(Some),
        None => Ok(None),
    }
}
