//! A package whose pack is open.

use std::fs::File;
use std::ops::Range;

use super::error::SourceError;
use super::form::Form;
use super::listing::{FileFacts, Listing};
use super::pack::{self, Blocks, PackWriter};
use crate::package::vcs_info::{self, VcsInfo};

/// The files of a package. Reading one needs no more memory than what is read, and one block.
#[derive(Debug)]
pub struct SourcePackage {
    listing: Listing,
    blocks: Blocks,
    vcs_info: Option<VcsInfo>,
}

impl SourcePackage {
    /// Opens the pack in this file.
    pub(super) fn open(file: File) -> Result<Self, SourceError> {
        let (blocks, listing) = pack::open(file)?;
        let mut package = Self { listing, blocks, vcs_info: None };
        let file = package.listing.find(vcs_info::PATH);
        if let Some(file) = file.filter(|file| file.form == Form::Text && file.size <= vcs_info::MAX_SIZE) {
            package.vcs_info = VcsInfo::read(&package.read_text(file)?);
        }
        Ok(package)
    }

    /// A package without files.
    pub(super) fn without_files() -> Result<Self, SourceError> {
        let file = tempfile::tempfile()?;
        PackWriter::new(&file)?.finish(&Listing::default())?;
        Self::open(file)
    }

    /// The commit that it was made from, as its publisher says.
    pub fn vcs_info(&self) -> Option<&VcsInfo> {
        self.vcs_info.as_ref()
    }

    /// Its files.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// The whole content of one of its files.
    ///
    /// # Errors
    ///
    /// [`SourceError::Damaged`] and [`SourceError::Cache`].
    pub fn read(&self, file: &FileFacts) -> Result<Vec<u8>, SourceError> {
        let mut content = Vec::with_capacity(usize::try_from(file.size).map_err(|_| SourceError::Damaged)?);
        self.read_part(file, 0..file.size, |piece| {
            content.extend_from_slice(piece);
            Ok::<_, SourceError>(())
        })?;
        Ok(content)
    }

    /// The whole content of a text, with the replacement character for what is not UTF-8.
    ///
    /// # Errors
    ///
    /// [`SourceError::Damaged`] and [`SourceError::Cache`].
    pub fn read_text(&self, file: &FileFacts) -> Result<String, SourceError> {
        let content = self.read(file)?;
        Ok(String::from_utf8(content).unwrap_or_else(|other| String::from_utf8_lossy(other.as_bytes()).into_owned()))
    }

    /// Passes a part of the content of one of its files to `write`, in pieces of up to 128 KiB.
    ///
    /// # Errors
    ///
    /// [`SourceError::Damaged`], [`SourceError::Cache`] and those of `write`.
    pub fn read_part<E: From<SourceError>>(
        &self,
        file: &FileFacts,
        part: Range<u64>,
        write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let end = part.end.min(file.size);
        self.blocks.read(file.offset + part.start.min(end)..file.offset + end, write)
    }

    /// About how many bytes it occupies in memory.
    pub(super) fn weight(&self) -> u64 {
        self.listing.weight() + self.blocks.weight()
    }
}
