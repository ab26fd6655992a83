//! The names and numbers that lost rows have left in the index.

use super::lines::line_of;
use crate::database::catalog::refusal::ChangeRefusal;
use crate::index::entry::line::IndexLine;
use crate::index::{Head, Index, IndexError};
use crate::jobs::publish_version::Known;
use crate::package::index_path::index_path;
use crate::package::{Checksum, CrateName, Version};

/// The index at a moment before the database was read. What it has the database had as well, unless it has lost it, because
/// a version is in the database before it is in the index.
pub struct TakenPlaces<'a> {
    index: &'a Index,
    head: Head,
}

impl<'a> TakenPlaces<'a> {
    /// Reads the head. To be called before the database is read.
    pub fn of(index: &'a Index) -> Result<Self, IndexError> {
        Ok(Self { index, head: index.head()? })
    }

    /// The refusal of a publish that would take the place of a lost crate or version. The same crate file may be published
    /// again: it restores its version.
    pub fn refusal(
        &self,
        (name, num): (&CrateName, &Version),
        checksum: Checksum,
        known: &Known,
    ) -> Result<Option<ChangeRefusal>, IndexError> {
        let path = index_path(name);
        if !known.has_row {
            let is_lost = self.index.find(&self.head, &path)?.is_some();
            return Ok(is_lost.then(|| ChangeRefusal::LostCrate(name.clone())));
        }
        let Some(file) = self.index.read(&self.head, &path)? else { return Ok(None) };
        let Some(line) = line_of(&file.content, num) else { return Ok(None) };
        let in_index = std::str::from_utf8(line).ok().and_then(|line| IndexLine::parse(line).ok());
        let in_index = in_index.filter(|line| line.checksum != checksum);
        let refused = |line: IndexLine| {
            let (name, checksums) = (name.clone(), Box::new([line.checksum, checksum]));
            ChangeRefusal::LostVersion { name, num: line.version, checksums }
        };
        Ok(in_index.map(refused))
    }
}
