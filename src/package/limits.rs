//! The size limits of a publish, and the format of sizes in messages.

use std::fmt;

use super::Manifest;
use super::excerpt::Excerpt;

const MIB: u64 = 1024 * 1024;

/// The size limits of a publish. They are enforced while it is read.
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
    /// Bytes of the path of one entry. 1,024 by default.
    pub max_path: usize,
    /// Bytes of all paths together, which are held in memory while the archive is read. 4 MiB by default.
    pub max_paths: usize,
    /// Bytes of the manifest. 256 KiB by default, several times the largest on crates.io; parsing takes up to eighty times
    /// as much memory.
    pub max_manifest: u64,
    /// Features of a version. 300 by default, as on crates.io.
    pub max_features: usize,
    /// Values of one feature. 300 by default.
    pub max_feature_values: usize,
    /// Dependencies of a version, of all kinds and targets. 500 by default.
    pub max_dependencies: usize,
    /// Bytes of a version's line in the index. 64 KiB by default, twice the largest line of a well-known crate on crates.io
    /// within the limit of features.
    pub max_index_line: usize,
    /// Bytes of a crate's file in the index. 8 MiB by default. Each publish and yank of the crate writes the
    /// whole file, and cargo reads the whole file.
    pub max_index_file: u64,
}

/// A manifest above a limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too many features.
    #[error(
        "Cargo.toml in the package has {count} features, above the limit of {limit}: divide the crate, or ask the registry's operator for a higher limit"
    )]
    Features {
        /// The number.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// Too many values of a feature.
    #[error("the feature {} includes {count} others, above the limit of {limit}: group them in features of their own, or ask the registry's operator for a higher limit", Excerpt(.feature))]
    FeatureValues {
        /// The feature.
        feature: String,
        /// The number of values.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// Too many dependencies.
    #[error(
        "Cargo.toml in the package has {count} dependencies, above the limit of {limit}: divide the crate, or ask the registry's operator for a higher limit"
    )]
    Dependencies {
        /// The number.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// The version's line in the index is too long.
    #[error("the line of this version in the index would have {}, above the limit of {}: shorten its features and dependencies in Cargo.toml, or ask the registry's operator for a higher limit", ByteSize(*.size as u64), ByteSize(*.limit as u64))]
    IndexLine {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The crate's file in the index is too large.
    #[error("with this version the file of the crate in the index would have {}, above the limit of {}: continue with a crate of another name, delete old versions, or ask the registry's operator for a higher limit", ByteSize(*.size), ByteSize(*.limit))]
    IndexFile {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

impl Limits {
    /// Checks the numbers of features, values and dependencies.
    ///
    /// # Errors
    ///
    /// A [`LimitError`] with the count and the limit.
    pub fn check(&self, manifest: &Manifest) -> Result<(), LimitError> {
        let (count, limit) = (manifest.features.len(), self.max_features);
        if count > limit {
            return Err(LimitError::Features { count, limit });
        }
        let limit = self.max_feature_values;
        if let Some((feature, values)) = manifest.features.iter().find(|(_, values)| values.len() > limit) {
            return Err(LimitError::FeatureValues { feature: feature.clone(), count: values.len(), limit });
        }
        let (count, limit) = (manifest.dependencies.len(), self.max_dependencies);
        if count > limit { Err(LimitError::Dependencies { count, limit }) } else { Ok(()) }
    }

    /// Checks the length of a version's line in the index, without its line break.
    ///
    /// # Errors
    ///
    /// [`LimitError::IndexLine`].
    pub fn check_index_line(&self, line: &str) -> Result<(), LimitError> {
        let (size, limit) = (line.len(), self.max_index_line);
        if size > limit { Err(LimitError::IndexLine { size, limit }) } else { Ok(()) }
    }

    /// Checks the size of a crate's file in the index when the line is added to a file of this many bytes.
    ///
    /// # Errors
    ///
    /// [`LimitError::IndexFile`].
    pub fn check_index_file(&self, bytes: u64, line: &str) -> Result<(), LimitError> {
        let (size, limit) = (bytes + line.len() as u64 + 1, self.max_index_file);
        if size > limit { Err(LimitError::IndexFile { size, limit }) } else { Ok(()) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_metadata: 1024 * 1024,
            max_crate: 10 * 1024 * 1024,
            max_unpacked: 512 * MIB,
            max_entries: 20_000,
            max_path: 1024,
            max_paths: 4 * 1024 * 1024,
            max_manifest: 256 * 1024,
            max_features: 300,
            max_feature_values: 300,
            max_dependencies: 500,
            max_index_line: 64 * 1024,
            max_index_file: 8 * MIB,
        }
    }
}

/// Shows a number of bytes: `512 bytes`, `10 MiB`, `4 GiB`, `10.1 MiB (10590618 bytes)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        if bytes < MIB {
            write!(f, "{bytes} bytes")
        } else if bytes.is_multiple_of(1024 * MIB) {
            write!(f, "{} GiB", bytes / MIB / 1024)
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
    use super::super::Manifest;
    use super::super::sample::{Sample, urls};
    use super::{ByteSize, Limits};

    #[test]
    fn a_size_is_written_so_that_a_limit_and_what_exceeds_it_differ() {
        assert_eq!(ByteSize(512).to_string(), "512 bytes");
        assert_eq!(ByteSize(10 << 20).to_string(), "10 MiB");
        assert_eq!(ByteSize(4 << 30).to_string(), "4 GiB");
        assert_eq!(ByteSize((10 << 20) + 1).to_string(), "10.0 MiB (10485761 bytes)");
        assert_eq!(ByteSize(u64::MAX).to_string(), "17592186044415.9 MiB (18446744073709551615 bytes)");
    }

    // rule: 15, 16
    #[test]
    fn as_many_as_the_limit_pass_and_one_more_is_refused_with_both_numbers() {
        let refused = |limits: &Limits, rest: &str| {
            limits.check(&Manifest::parse(&Sample::new(rest).manifest, &urls()).unwrap()).unwrap_err().to_string()
        };
        let rest = "[features]\na = []\nb = [\"a\", \"x/y\"]\n[dependencies]\nx = \"1\"\n[target.'cfg(unix)'.dev-dependencies]\ny = \"1\"\n";
        let exact = Limits { max_features: 2, max_feature_values: 2, max_dependencies: 2, ..Limits::default() };
        exact.check(&Manifest::parse(&Sample::new(rest).manifest, &urls()).unwrap()).unwrap();
        insta::assert_snapshot!(refused(&Limits { max_features: 1, ..exact.clone() }, rest), @"Cargo.toml in the package has 2 features, above the limit of 1: divide the crate, or ask the registry's operator for a higher limit");
        insta::assert_snapshot!(refused(&Limits { max_feature_values: 1, ..exact.clone() }, rest), @"the feature `b` includes 2 others, above the limit of 1: group them in features of their own, or ask the registry's operator for a higher limit");
        insta::assert_snapshot!(refused(&Limits { max_dependencies: 1, ..exact }, rest), @"Cargo.toml in the package has 2 dependencies, above the limit of 1: divide the crate, or ask the registry's operator for a higher limit");
    }
}
