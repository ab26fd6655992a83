//! How large a publish may be, and how a size is written in a message.

use std::fmt;

const MIB: u64 = 1024 * 1024;

/// The bounds within which a publish is read. All of them hold while it is read, not afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the metadata JSON. 1 MiB by default.
    pub max_metadata: usize,
    /// Bytes of the `.crate` file. 10 MiB by default.
    pub max_crate: usize,
    /// Bytes of the decompressed tar stream, headers included, as cargo counts them when it unpacks. 512 MiB by
    /// default: cargo unpacks up to the larger of 512 MiB and twenty times the `.crate` file, so this is always safe.
    pub max_unpacked: u64,
    /// Entries of the tar stream, extension records included. 20,000 by default.
    pub max_entries: u64,
    /// Bytes of the path of one entry. 1,024 by default; with `max_entries` it bounds the memory of the set of paths.
    pub max_path: usize,
    /// Bytes of the manifest. 1 MiB by default.
    pub max_manifest: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_metadata: 1024 * 1024,
            max_crate: 10 * 1024 * 1024,
            max_unpacked: 512 * MIB,
            max_entries: 20_000,
            max_path: 1024,
            max_manifest: MIB,
        }
    }
}

/// A number of bytes as people write it: `512 bytes`, `10 MiB`, `10.1 MiB (10590618 bytes)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        if bytes < MIB {
            write!(f, "{bytes} bytes")
        } else if bytes.is_multiple_of(MIB) {
            write!(f, "{} MiB", bytes / MIB)
        } else {
            let tenths = u128::from(bytes) * 10 / u128::from(MIB);
            write!(f, "{}.{} MiB ({bytes} bytes)", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ByteSize;

    #[test]
    fn a_size_is_written_so_that_a_limit_and_what_exceeds_it_differ() {
        assert_eq!(ByteSize(512).to_string(), "512 bytes");
        assert_eq!(ByteSize(10 << 20).to_string(), "10 MiB");
        assert_eq!(ByteSize((10 << 20) + 1).to_string(), "10.0 MiB (10485761 bytes)");
        assert_eq!(ByteSize(u64::MAX).to_string(), "17592186044415.9 MiB (18446744073709551615 bytes)");
    }
}
