//! What a registry demands of the packages that it takes.

use clap::Args;

use crate::package::Policy;
use crate::package::policy::{AllowedRegistries, PortablePaths, RequiredMetadata};

/// The demands that an operator chooses.
#[derive(Args, Debug, Clone)]
pub struct PolicyOptions {
    /// What `[package]` in Cargo.toml has to say, as a list with commas, or `none`
    ///
    /// Of description, license (which license-file meets as well), repository, homepage, documentation, readme, keywords,
    /// categories, authors, rust-version.
    #[arg(long, env = "SUPERCARGO_REQUIRE_METADATA", value_name = "FIELDS", default_value_t = RequiredMetadata::default())]
    pub require_metadata: RequiredMetadata,
    /// Take dependencies that require `*`, any version at all
    #[arg(long, env = "SUPERCARGO_ALLOW_WILDCARD_DEPENDENCIES")]
    pub allow_wildcard_dependencies: bool,
    /// From which other registries dependencies may come: a list of index URLs with commas, `any` or `none`
    ///
    /// URLs are written as cargo does, `sparse+https://crates.example/index/` or `https://crates.example/git/index`; the
    /// sparse and the git index of a registry are two. crates.io may be called crates-io. This registry is always allowed.
    #[arg(long, env = "SUPERCARGO_ALLOWED_REGISTRIES", value_name = "URLS", default_value_t = AllowedRegistries::Any)]
    pub allowed_registries: AllowedRegistries,
    /// Refuse a package whose dependencies on this registry are not in it, instead of warning its publisher
    ///
    /// Crates then have to be published in the order of their dependencies, and can't depend on each other in a circle.
    #[arg(long, env = "SUPERCARGO_REQUIRE_KNOWN_DEPENDENCIES")]
    pub require_known_dependencies: bool,
    /// Whether to `warn` about or `refuse` a package with paths that Windows cannot hold
    ///
    /// Such as `aux.rs`, which is a device there, names that end with a dot or a space, and directories that differ only by
    /// case. Paths that would overwrite each other are always refused.
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
    fn without_options_it_is_the_default_and_every_option_changes_it() {
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
