//! How large an archive may be.

/// The limits of an archive, in bytes unless they are counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The archive itself.
    pub max_archive: u64,
    /// Files in it.
    pub max_files: usize,
    /// All files, unpacked.
    pub max_unpacked: u64,
    /// One file, unpacked.
    pub max_file: u64,
}

const MIB: u64 = 1024 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Self { max_archive: 64 * MIB, max_files: 50_000, max_unpacked: 1024 * MIB, max_file: 64 * MIB }
    }
}

/// Directories that a path may have.
pub(super) const MAX_DEPTH: usize = 64;

/// The length of all paths of files and directories together, in bytes: each is in memory several times.
pub(super) const MAX_NAMES: usize = 32 * 1024 * 1024;

/// The memory that the index of an archive may take, in bytes: 8 MiB are about 60,000 files. A registry keeps several in memory.
pub const MAX_INDEX: u64 = 8 * MIB;

/// How many times larger than the archive its files may be together, and each than what it is in the archive. HTML is ten times.
pub(super) const MAX_RATIO: u64 = 200;

/// The size from which a file may not exceed [`MAX_RATIO`]: a small file of one repeated line does no harm.
pub(super) const RATIO_FROM: u64 = MIB;
