//! Size limits of published packages.

use clap::Args;
use clap::builder::RangedU64ValueParser;

use crate::package::Limits;

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Publishing rules")]
pub struct PackageLimitOptions {
    /// Maximum size of a crate file, in bytes
    #[arg(long, env = "SUPERCARGO_MAX_CRATE_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_crate)]
    pub max_crate_size: usize,
    /// Maximum total size of a crate's unpacked files, in bytes
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_UNPACKED_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_unpacked)]
    pub max_unpacked_size: u64,
    /// Maximum size of a publish's metadata, in bytes
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_METADATA_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_metadata)]
    pub max_metadata_size: usize,
    /// Maximum size of Cargo.toml, in bytes
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_MANIFEST_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_manifest)]
    pub max_manifest_size: u64,
    /// Maximum number of features of a version, and of features that one of them enables
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_FEATURES", value_name = "COUNT", default_value_t = Limits::default().max_features)]
    pub max_features: usize,
    /// Maximum number of dependencies of a version, of all kinds and targets
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_DEPENDENCIES", value_name = "COUNT", default_value_t = Limits::default().max_dependencies)]
    pub max_dependencies: usize,
    /// Maximum length of a version's line in the index, in bytes
    ///
    /// The length depends on the number of features and dependencies.
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_INDEX_LINE_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_index_line, value_parser = RangedU64ValueParser::<usize>::new().range(MIN_INDEX_SIZE..))]
    pub max_index_line_size: usize,
    /// Maximum size of a crate's index file, in bytes
    ///
    /// Each publish and yank of a crate writes the whole file, and cargo reads the whole file.
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_INDEX_FILE_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_index_file, value_parser = clap::value_parser!(u64).range(MIN_INDEX_SIZE..))]
    pub max_index_file_size: u64,
}

/// The line of a version without features and dependencies is shorter.
const MIN_INDEX_SIZE: u64 = 1024;

impl PackageLimitOptions {
    /// The limits of a publish.
    pub fn limits(&self) -> Limits {
        Limits {
            max_crate: self.max_crate_size,
            max_metadata: self.max_metadata_size,
            max_unpacked: self.max_unpacked_size,
            max_manifest: self.max_manifest_size,
            max_features: self.max_features,
            max_feature_values: self.max_features,
            max_dependencies: self.max_dependencies,
            max_index_line: self.max_index_line_size,
            max_index_file: self.max_index_file_size,
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_limit_below_the_shortest_line_is_refused() {
        #[derive(clap::Parser)]
        struct Given {
            #[command(flatten)]
            options: PackageLimitOptions,
        }
        let limits = |option: &str| {
            let given = <Given as clap::Parser>::try_parse_from(["x", option]);
            given.map(|given| given.options.limits()).map_err(|error| error.to_string())
        };
        assert_eq!(limits("--max-index-line-size=1024").unwrap().max_index_line, 1024);
        assert_eq!(limits("--max-index-file-size=1024").unwrap().max_index_file, 1024);
        for option in ["--max-index-line-size=1023", "--max-index-file-size=1023", "--max-index-line-size=0"] {
            assert!(limits(option).unwrap_err().contains("is not in 1024.."), "{option}");
        }
    }
}
