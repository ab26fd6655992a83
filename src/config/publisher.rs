//! Subcommands of `publisher`.

use clap::{ArgGroup, Args, Subcommand};

use super::StorageOptions;
use super::output::OutputOptions;

#[derive(Subcommand, Debug)]
pub enum PublisherCommand {
    /// Add a trusted publisher
    ///
    /// A workflow or a pipeline then publishes with the ID token of its CI system, which is exchanged for a token that is valid
    /// for 30 minutes. CI needs no stored token.
    Add(Box<NewPublisherOptions>),
    /// List trusted publishers
    List {
        /// Only those of this crate
        #[arg(value_name = "CRATE")]
        krate: Option<String>,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Remove a trusted publisher, and revoke tokens for which no other one is left
    Remove {
        /// Number of the trusted publisher
        id: i32,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Let only trusted publishers publish a crate
    Require {
        /// Name of the crate
        #[arg(value_name = "CRATE")]
        krate: String,
        /// Let tokens of users publish it again
        #[arg(long)]
        off: bool,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Say whose ID tokens are accepted
    #[command(subcommand)]
    Issuer(IssuerCommand),
}

/// The options of `publisher add`.
#[derive(Args, Debug, Clone)]
#[command(group(ArgGroup::new("what").required(true).args(["github", "gitlab", "forgejo", "oidc"])))]
pub struct NewPublisherOptions {
    /// A crate, or a prefix with `*` for crates of a user, new ones included
    #[arg(value_name = "CRATE")]
    pub krate: String,
    /// Repository at GitHub
    #[arg(long, value_name = "OWNER/NAME")]
    pub github: Option<String>,
    /// Project at GitLab
    #[arg(long, value_name = "PATH")]
    pub gitlab: Option<String>,
    /// Repository at a Forgejo server
    #[arg(long, value_name = "OWNER/NAME")]
    pub forgejo: Option<String>,
    /// Name for a publisher of any other issuer, with --claim
    #[arg(long, value_name = "NAME")]
    pub oidc: Option<String>,
    /// Name of the workflow's file, or path of the pipeline's file
    #[arg(long, value_name = "FILE")]
    pub workflow: Option<String>,
    /// Environment that the job has to be in [default: any]
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Claim that the ID token has to have, with `*` for any text; repeatable
    #[arg(long = "claim", value_name = "CLAIM=VALUE", value_parser = claim)]
    pub claims: Vec<(String, String)>,
    /// Issuer [default: that of github.com or gitlab.com; of Forgejo and others the only one]
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// Number of the repository's owner [default: asked of GitHub, or taken from the first ID token]
    #[arg(long, value_name = "N")]
    pub owner_id: Option<String>,
    /// Let it only stage versions, in release sets
    #[arg(long)]
    pub stage_only: bool,
    /// User whose crates a prefix covers, and who owns the new ones
    #[arg(long, value_name = "LOGIN")]
    pub owner: Option<String>,
    #[command(flatten)]
    pub storage: StorageOptions,
}

#[derive(Subcommand, Debug)]
pub enum IssuerCommand {
    /// Accept the ID tokens of an issuer
    Add {
        /// github (GitHub Enterprise Server), gitlab, forgejo, or oidc for any other
        provider: String,
        /// URL of the issuer, as its ID tokens have it in `iss`
        url: String,
        /// Claim that identifies a CI system among those of the issuer [default: sub]
        ///
        /// Its value has to be the same in all runs of a CI system, and another one in others: rate limits, the audit log and
        /// release sets know the CI system by it. Only for oidc; the others have repositories.
        #[arg(long, value_name = "CLAIM")]
        identity_claim: Option<String>,

        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List the issuers
    List {
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Accept no more ID tokens of an issuer, and remove its trusted publishers
    Remove {
        /// URL of the issuer
        url: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

fn claim(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give CLAIM=VALUE, such as sub=system:serviceaccount:ci:release".to_owned()),
    }
}
