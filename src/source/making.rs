//! Making a pack: one pass over the crate file, as a stream.
//!
//! The crate file was accepted by the publish rules, or imported from another registry, which may have had none. So nothing
//! is taken for granted here. What cargo would not unpack is left out, and its number is shown.

use std::fs::File;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use tar::{Archive, Entry, EntryType};

use super::error::SourceError;
use super::form::{Form, Inspector};
use super::listing::{Found, Listing};
use super::pack::PackWriter;

/// The bounds of what is shown. They are wider than those of a publish, which an operator may have raised and lowered since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of the tar stream.
    pub unpacked: u64,
    /// Entries of the tar stream.
    pub entries: u64,
    /// Bytes of all paths together.
    pub paths: usize,
    /// Bytes of one path.
    pub path: usize,
}

pub(super) const BOUNDS: Bounds =
    Bounds { unpacked: 2 * 1024 * 1024 * 1024, entries: 200_000, paths: 32 * 1024 * 1024, path: 4096 };

/// The size of the pieces in which contents are read, in bytes.
const PIECE: usize = 64 * 1024;

/// Writes the pack of a crate file whose entries are below the directory `root`.
pub(super) fn make(crate_file: impl Read, root: &str, pack: &File, bounds: Bounds) -> Result<(), SourceError> {
    let prefix = format!("{root}/");
    let mut writer = PackWriter::new(pack)?;
    let stream = Limited { inner: GzDecoder::new(crate_file), left: bounds.unpacked };
    let mut archive = Archive::new(stream);
    let (mut found, mut left_out, mut entries, mut path_bytes) = (Vec::new(), 0_u32, 0, 0);
    for entry in archive.entries().map_err(|error| unreadable(error, bounds))? {
        let mut entry = entry.map_err(|error| unreadable(error, bounds))?;
        entries += 1;
        if entries > bounds.entries {
            return Err(SourceError::TooLarge { limit: bounds.entries, unit: "files" });
        }
        let Some(kind) = kind(entry.header().entry_type()) else {
            // Directories follow from the paths.
            left_out += u32::from(!entry.header().entry_type().is_dir());
            continue;
        };
        let Some(path) = inner_path(&entry.path_bytes(), &prefix, bounds.path) else {
            left_out += 1;
            continue;
        };
        path_bytes += path.len();
        if path_bytes > bounds.paths {
            return Err(SourceError::TooLarge { limit: bounds.paths as u64, unit: "bytes of paths" });
        }
        found.push(copy(&mut entry, kind, path, &mut writer).map_err(|error| error.named(bounds))?);
    }
    Ok(writer.finish(&Listing::new(found, left_out))?)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Link,
}

fn kind(of: EntryType) -> Option<Kind> {
    match of {
        EntryType::Regular | EntryType::Continuous => Some(Kind::File),
        EntryType::Symlink | EntryType::Link => Some(Kind::Link),
        _ => None,
    }
}

/// The path below the root; None for one that is outside, that has components which are no names, or that is no text.
fn inner_path(path: &[u8], prefix: &str, max: usize) -> Option<String> {
    let path = str::from_utf8(path).ok()?.strip_prefix(prefix).filter(|path| path.len() <= max)?;
    let is_name = |component: &str| !matches!(component, "" | "." | "..") && !component.contains('\0');
    path.split('/').all(is_name).then(|| path.to_owned())
}

/// Which side of the copying has failed.
enum CopyError {
    CrateFile(io::Error),
    Pack(io::Error),
}

impl CopyError {
    fn named(self, bounds: Bounds) -> SourceError {
        match self {
            Self::CrateFile(error) => unreadable(error, bounds),
            Self::Pack(error) => SourceError::Cache(error),
        }
    }
}

/// Copies the content of an entry into the pack.
fn copy(
    entry: &mut Entry<'_, impl Read>,
    kind: Kind,
    path: String,
    pack: &mut PackWriter<'_>,
) -> Result<Found, CopyError> {
    let offset = pack.written();
    let (mut hash, mut inspector) = (Sha256::new(), Inspector::default());
    let mut add = |piece: &[u8]| {
        hash.update(piece);
        inspector.add(piece);
        pack.add(piece).map_err(CopyError::Pack)
    };
    if kind == Kind::Link {
        add(&entry.link_name_bytes().unwrap_or_default())?;
    } else {
        let mut piece = [0; PIECE];
        loop {
            match entry.read(&mut piece).map_err(CopyError::CrateFile)? {
                0 => break,
                length => add(&piece[..length])?,
            }
        }
    }
    let is_executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
    let (form, lines) = inspector.finish();
    let form = if kind == Kind::Link { Form::Link } else { form };
    let (size, sha256) = (pack.written() - offset, hash.finalize().into());
    Ok(Found { path, offset, size, sha256, lines, form, is_executable })
}

fn unreadable(error: io::Error, bounds: Bounds) -> SourceError {
    match error.get_ref().is_some_and(|source| source.is::<TooLong>()) {
        true => SourceError::TooLarge { limit: bounds.unpacked, unit: "bytes" },
        false => SourceError::Unreadable(error.to_string()),
    }
}

/// The source of the error of a stream that is longer than allowed.
#[derive(Debug, thiserror::Error)]
#[error("the stream is too long")]
struct TooLong;

/// Fails behind a number of bytes.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(length as u64).ok_or_else(|| io::Error::other(TooLong))?;
        Ok(length)
    }
}
