//! How much of two packages is compared.

/// The bounds of a comparison.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of the texts whose lines are counted. Those of later files are not.
    pub counted: u64,
    /// Bytes of the texts that are searched for renames.
    pub renames: u64,
    /// Pairs of files that are compared for renames.
    pub pairs: usize,
    /// Bytes of the source files in which `unsafe` is counted.
    pub searched: u64,
}

const MIB: u64 = 1024 * 1024;
pub(super) const BOUNDS: Bounds = Bounds { counted: 16 * MIB, renames: 8 * MIB, pairs: 10_000, searched: 16 * MIB };
