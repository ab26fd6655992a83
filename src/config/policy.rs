//! Rules and limits for published packages.

use clap::Args;

use crate::package::Policy;
use crate::package::policy::{AllowedRegistries, PortablePaths, RequiredMetadata};

/// The rules for published packages.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Publishing rules")]
pub struct PolicyOptions {
    /// Required fields of [package]
    ///
    /// A comma-separated list of fields that [package] in Cargo.toml must have, or `none`. Possible fields:
    /// description, license (license-file is accepted as well), repository, homepage, documentation, readme, keywords,
    /// categories, authors, rust-version.
    #[arg(long, env = "SUPERCARGO_REQUIRE_METADATA", value_name = "FIELDS", default_value_t = RequiredMetadata::default())]
    pub require_metadata: RequiredMetadata,
    /// Allow dependencies with the version requirement `*`
    #[arg(long, env = "SUPERCARGO_ALLOW_WILDCARD_DEPENDENCIES")]
    pub allow_wildcard_dependencies: bool,
    /// Other registries that dependencies may come from
    ///
    /// A comma-separated list of index URLs, `any` or `none`. Write URLs as cargo does:
    /// sparse+https://crates.example/index/ or https://crates.example/git/index. A registry's sparse and git index are
    /// two entries. `crates-io` stands for crates.io. This registry is always allowed.
    #[arg(long, env = "SUPERCARGO_ALLOWED_REGISTRIES", value_name = "URLS", default_value_t = AllowedRegistries::Any)]
    pub allowed_registries: AllowedRegistries,
    /// Refuse packages with dependencies that this registry lacks
    ///
    /// Without this option the publisher gets a warning. With it, crates must be published in the order of their
    /// dependencies, and cannot depend on each other in a cycle.
    #[arg(long, env = "SUPERCARGO_REQUIRE_KNOWN_DEPENDENCIES")]
    pub require_known_dependencies: bool,
    /// Handling of paths that are invalid on Windows
    ///
    /// Examples are `aux.rs`, which is a device on Windows, names that end with a dot or a space, and directories that
    /// differ only in case. Paths that would overwrite each other are always refused.
    #[arg(long, env = "SUPERCARGO_PORTABLE_PATHS", value_name = "warn|refuse", default_value_t)]
    pub portable_paths: PortablePaths,
}

impl PolicyOptions {
    /// The policy.
    pub fn policy(&self) -> Policy {
        Policy {
            required_metadata: self.require_metadata.clone(),
            allow_wildcard_dependencies: self.allow_wildcard_dependencies,
            allowed_registries: self.allowed_registries.clone(),
            require_known_dependencies: self.require_known_dependencies,
            portable_paths: self.portable_paths,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::PolicyOptions;
    use crate::package::Policy;
    use crate::package::policy::PortablePaths;

    #[derive(Parser)]
    struct Wrapped {
        #[command(flatten)]
        options: PolicyOptions,
    }

    fn policy(arguments: &[&str]) -> Result<Policy, clap::Error> {
        Wrapped::try_parse_from([&["serve"], arguments].concat()).map(|wrapped| wrapped.options.policy())
    }

    #[test]
    fn every_option_changes_the_default_policy() {
        assert_eq!(policy(&[]).unwrap(), Policy::default());
        let chosen = Policy {
            required_metadata: "readme".parse().unwrap(),
            allow_wildcard_dependencies: true,
            allowed_registries: "crates-io".parse().unwrap(),
            require_known_dependencies: true,
            portable_paths: PortablePaths::Refuse,
        };
        let arguments = [
            "--require-metadata=readme",
            "--allow-wildcard-dependencies",
            "--allowed-registries=crates-io",
            "--require-known-dependencies",
            "--portable-paths=refuse",
        ];
        assert_eq!(policy(&arguments).unwrap(), chosen);
        assert!(policy(&["--require-metadata=licence"]).is_err() && policy(&["--allowed-registries=x"]).is_err());
    }
}
