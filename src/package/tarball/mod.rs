//! The `.crate` file: a gzipped tar, read once from start to end.
//!
//! The file is not trusted; it may be small and unpack to something huge or contradictory. Therefore nothing is unpacked:
//! entries are read as a stream and dropped, and only the manifest and the set of paths are kept, both within limits.
//!
//! * Extension records are read here and not by the `tar` crate, which would keep a long name of any length in memory. Only
//!   records that name the next entry (GNU long names, pax records) are accepted. A pax size must equal the header's, and
//!   sparse maps (pax or GNU) are refused, because readers of tar, cargo among them, disagree about both.
//! * After the archive's end mark only zeros may follow, and the gzip stream is one member with no byte after it. Otherwise
//!   two readers could see different packages: cargo reads one member up to the mark, other tools continue.
//! * Headers have one spelling (`header.rs`), because readers disagree about others.
//! * Paths must work on every file system: UTF-8, no character that cargo refuses when it packages and no invisible one, no
//!   two paths that differ only by case or the form of accents, and no file where another path needs a directory. Paths
//!   that only Windows cannot store are listed ([`Tarball::unportable`]), because useful crates contain some.

mod entry_path;
mod error;
mod extension;
mod header;
mod paths;
mod portability;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::{self, Read};

use flate2::bufread::GzDecoder;
use tar::{Archive, Entry, EntryType};

use super::limits::Limits;
use super::targets::may_be_target;
use super::vcs_info::{self, VcsInfo};
use super::{CrateName, Version};
pub use entry_path::PathProblem;
use entry_path::{EntryPath, is_made_by_cargo};
use error::{LimitReached, unreadable};
pub use error::{TarballError, UnportablePath};
use extension::Extensions;
use paths::Paths;

/// Bytes of a tar block. A header is one block, and contents are padded to full blocks.
const BLOCK: u64 = 512;

/// The parts of a `.crate` file that a registry reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tarball {
    /// The text of the manifest.
    pub manifest: String,
    /// The files that may be targets, by their paths in the package.
    pub targets: BTreeSet<String>,
    /// Paths that some file systems cannot store.
    pub unportable: Vec<UnportablePath>,
    /// The commit that it was made from, if it says so.
    pub vcs_info: Option<VcsInfo>,
}

/// Reads a `.crate` file and gives its manifest, its possible targets, its unportable paths and its commit. It needs little
/// more memory than the set of paths and writes nothing.
///
/// # Errors
///
/// A [`TarballError`] for anything that is not a package of this name and version.
pub fn read(crate_file: &[u8], name: &CrateName, version: &Version, limits: &Limits) -> Result<Tarball, TarballError> {
    let mut archive = Archive::new(Bounded { inner: GzDecoder::new(crate_file), read: 0, limit: limits.max_unpacked });
    let mut inspection = Inspection::new(format!("{name}-{version}"), limits);
    let mut end = 0;
    for entry in archive.entries().map_err(unreadable)?.raw(true) {
        let mut entry = entry.map_err(unreadable)?;
        end = entry
            .size()
            .checked_next_multiple_of(BLOCK)
            .and_then(|size| entry.raw_file_position().checked_add(size))
            .ok_or_else(|| TarballError::Unreadable("the size of an entry is too large".to_owned()))?;
        inspection.check_entry(&mut entry)?;
    }
    let tarball = inspection.finish()?;
    check_end(archive.into_inner(), end)?;
    Ok(tarball)
}

/// Checks the rest of the stream after the archive's reader has stopped, at the end of the last entry or one block later.
fn check_end(mut stream: Bounded<GzDecoder<&[u8]>>, end: u64) -> Result<(), TarballError> {
    if stream.read < end + BLOCK {
        return Err(TarballError::NoEnd);
    }
    let mut buffer = [0; 8192];
    loop {
        // Reading to the end also makes the decoder compare the checksum.
        match stream.read(&mut buffer).map_err(unreadable)? {
            0 => break,
            n if buffer[..n].iter().any(|&byte| byte != 0) => {
                return Err(TarballError::Trailing { part: "its tar archive" });
            }
            _ => {}
        }
    }
    if stream.inner.into_inner().is_empty() { Ok(()) } else { Err(TarballError::Trailing { part: "its gzip stream" }) }
}

/// The state while the entries are read.
struct Inspection<'a> {
    root: String,
    limits: &'a Limits,
    entries: u64,
    /// Bytes of the paths so far.
    path_bytes: usize,
    extensions: Extensions,
    paths: Paths,
    manifest: Option<String>,
    targets: BTreeSet<String>,
    vcs_info: Option<VcsInfo>,
}

impl<'a> Inspection<'a> {
    fn new(root: String, limits: &'a Limits) -> Self {
        Self {
            root,
            limits,
            entries: 0,
            path_bytes: 0,
            extensions: Extensions::default(),
            paths: Paths::default(),
            manifest: None,
            targets: BTreeSet::new(),
            vcs_info: None,
        }
    }

    fn check_entry(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), TarballError> {
        self.entries += 1;
        if self.entries > self.limits.max_entries {
            return Err(TarballError::TooManyEntries { limit: self.limits.max_entries });
        }
        if let Some(problem) = header::problem(entry.header()) {
            return Err(TarballError::Extension { problem: problem.to_owned() });
        }
        if self.extensions.take(entry)? {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.extensions).apply(entry)?;
        self.path_bytes += bytes.len();
        if self.path_bytes > self.limits.max_paths {
            return Err(TarballError::PathsTooLarge { limit: self.limits.max_paths });
        }
        let path = String::from_utf8_lossy(&bytes).into_owned();
        let kind = entry.header().entry_type();
        if let Some(kind) = refused_kind(kind) {
            return Err(TarballError::Kind { path, kind });
        }
        let path = EntryPath::parse(&bytes, kind.is_dir(), self.limits.max_path)
            .map_err(|problem| TarballError::Path { path, problem })?;
        let Some(inner) = path.under(&self.root) else {
            return Err(TarballError::Outside { path: path.into(), root: self.root.clone() });
        };
        if is_made_by_cargo(inner) {
            let problem =
                PathProblem::Form("has a component `.cargo-ok`, which cargo creates itself and leaves out of packages");
            return Err(TarballError::Path { path: path.into(), problem });
        }
        if inner == "Cargo.toml" && !kind.is_dir() {
            // `paths` refuses a second one.
            self.manifest = Some(self.read_manifest(entry)?);
        }
        if inner == vcs_info::PATH && !kind.is_dir() {
            self.vcs_info = read_vcs_info(entry)?;
        }
        if may_be_target(inner) && !kind.is_dir() {
            self.targets.insert(inner.to_owned());
        }
        self.paths.insert(path.into(), kind.is_dir())
    }

    fn read_manifest(&self, entry: &mut Entry<'_, impl Read>) -> Result<String, TarballError> {
        let (size, limit) = (entry.size(), self.limits.max_manifest);
        if size > limit {
            return Err(TarballError::ManifestTooLarge { size, limit });
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(unreadable)?;
        String::from_utf8(bytes).map_err(|_| TarballError::ManifestEncoding)
    }

    fn finish(self) -> Result<Tarball, TarballError> {
        self.extensions.finish()?;
        let unportable = self.paths.finish()?;
        let manifest = self.manifest.ok_or(TarballError::NoManifest { root: self.root })?;
        Ok(Tarball { manifest, targets: self.targets, unportable, vcs_info: self.vcs_info })
    }
}

/// None if it is longer than such a file is, or not what cargo writes.
fn read_vcs_info(entry: &mut Entry<'_, impl Read>) -> Result<Option<VcsInfo>, TarballError> {
    if entry.size() > vcs_info::MAX_SIZE {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(std::str::from_utf8(&bytes).ok().and_then(VcsInfo::read))
}

/// The name of an entry type that cannot be published.
fn refused_kind(kind: EntryType) -> Option<&'static str> {
    match kind {
        EntryType::Regular | EntryType::Directory => None,
        EntryType::Link => Some("hard link"),
        EntryType::Symlink => Some("symbolic link"),
        EntryType::Char | EntryType::Block => Some("device"),
        EntryType::Fifo => Some("named pipe"),
        EntryType::GNUSparse => Some("sparse file"),
        _ => Some("record of an unusual type"),
    }
}

/// Counts the decompressed bytes and fails above the limit.
struct Bounded<R> {
    inner: R,
    read: u64,
    limit: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read += n as u64;
        if self.read > self.limit {
            return Err(io::Error::other(LimitReached(self.limit)));
        }
        Ok(n)
    }
}
