//! Rules and limits for published packages.

use clap::Args;

use crate::package::Policy;
use crate::package::policy::{
    AllowedRegistries, ManifestMismatch, MetadataRules, RequiredMetadata, UpstreamNames, WarnOrRefuse,
};

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
    /// Metadata of a wrong form: refuse it (strict) or warn [default: see --help]
    ///
    /// It applies to the texts of [package] that people read: the length of the description, the license, URLs, keywords
    /// and categories. docs/publish-rules.md lists the rules. By default all refuse; with --auth-required, a license that
    /// is not an SPDX expression and a repository that is an address for git only cause a warning.
    #[arg(long, env = "SUPERCARGO_METADATA_RULES", value_name = "strict|warn")]
    pub metadata_rules: Option<MetadataRules>,
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
    pub portable_paths: WarnOrRefuse,
    /// Handling of metadata that differs from Cargo.toml in the package: refuse or warn
    ///
    /// For programs other than cargo whose metadata is less exact. The index is made from Cargo.toml in either case. Name
    /// and version must agree.
    #[arg(
        long,
        hide = true,
        env = "SUPERCARGO_MANIFEST_MISMATCH",
        value_name = "refuse|warn",
        default_value = "refuse"
    )]
    pub manifest_mismatch: ManifestMismatch,
    /// Packages of trusted publishers that are not made from the commit of the ID token: warn or refuse
    ///
    /// The package names its commit in .cargo_vcs_info.json, which cargo writes. One that names none, or that has changes
    /// which were not committed, counts as another commit. Versions by tokens of users are not compared.
    #[arg(long, hide = true, env = "SUPERCARGO_COMMIT_MISMATCH", value_name = "warn|refuse", default_value_t)]
    pub commit_mismatch: WarnOrRefuse,
    /// New crates with names that upstreams have: warn, refuse or off
    ///
    /// A Cargo.toml that leaves the registry out gets the crate of the upstream. Admins may publish such names. With `off`,
    /// dependencies on crates.io that have the name of a crate of this registry cause no warning either.
    #[arg(long, hide = true, env = "SUPERCARGO_UPSTREAM_NAMES", value_name = "warn|refuse|off", default_value_t)]
    pub upstream_names: UpstreamNames,
}

impl PolicyOptions {
    /// The policy. A private registry has other defaults.
    pub fn policy(&self, is_private: bool) -> Policy {
        let usual = if is_private { MetadataRules::Private } else { MetadataRules::Strict };
        Policy {
            required_metadata: self.require_metadata.clone(),
            allow_wildcard_dependencies: self.allow_wildcard_dependencies,
            allowed_registries: self.allowed_registries.clone(),
            require_known_dependencies: self.require_known_dependencies,
            portable_paths: self.portable_paths,
            metadata_rules: self.metadata_rules.unwrap_or(usual),
            manifest_mismatch: self.manifest_mismatch,
            commit_mismatch: self.commit_mismatch,
            upstream_names: self.upstream_names,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::PolicyOptions;
    use crate::package::Policy;
    use crate::package::policy::{ManifestMismatch, MetadataRules, UpstreamNames, WarnOrRefuse};

    #[derive(Parser)]
    struct Wrapped {
        #[command(flatten)]
        options: PolicyOptions,
    }

    fn policy(arguments: &[&str]) -> Result<Policy, clap::Error> {
        Wrapped::try_parse_from([&["serve"], arguments].concat()).map(|wrapped| wrapped.options.policy(false))
    }

    #[test]
    fn every_option_changes_the_default_policy() {
        assert_eq!(policy(&[]).unwrap(), Policy::default());
        let chosen = Policy {
            required_metadata: "readme".parse().unwrap(),
            allow_wildcard_dependencies: true,
            allowed_registries: "crates-io".parse().unwrap(),
            require_known_dependencies: true,
            portable_paths: WarnOrRefuse::Refuse,
            metadata_rules: MetadataRules::Warn,
            manifest_mismatch: ManifestMismatch::Warn,
            commit_mismatch: WarnOrRefuse::Refuse,
            upstream_names: UpstreamNames::Refuse,
        };
        let arguments = [
            "--require-metadata=readme",
            "--allow-wildcard-dependencies",
            "--allowed-registries=crates-io",
            "--require-known-dependencies",
            "--portable-paths=refuse",
            "--metadata-rules=warn",
            "--manifest-mismatch=warn",
            "--commit-mismatch=refuse",
            "--upstream-names=refuse",
        ];
        assert_eq!(policy(&arguments).unwrap(), chosen);
        assert!(policy(&["--require-metadata=licence"]).is_err() && policy(&["--allowed-registries=x"]).is_err());
    }

    #[test]
    fn a_private_registry_warns_of_some_forms_unless_it_is_told_to_be_strict() {
        let rules = |arguments: &[&str], is_private| {
            let wrapped = Wrapped::try_parse_from([&["serve"], arguments].concat()).unwrap();
            wrapped.options.policy(is_private).metadata_rules
        };
        assert_eq!((rules(&[], false), rules(&[], true)), (MetadataRules::Strict, MetadataRules::Private));
        assert_eq!(rules(&["--metadata-rules=strict"], true), MetadataRules::Strict);
        assert_eq!(rules(&["--metadata-rules=warn"], true), MetadataRules::Warn);
    }
}
