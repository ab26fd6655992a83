//! What operators can ask for.

use clap::{Args, Subcommand};

use super::StorageOptions;

#[derive(Subcommand, Debug)]
pub enum AdminCommand {
    /// Manage users
    #[command(subcommand)]
    User(UserCommand),
    /// Manage API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Manage who may publish and yank a crate
    #[command(subcommand)]
    Owner(OwnerCommand),
}

#[derive(Subcommand, Debug)]
pub enum UserCommand {
    /// Create a user, who has no token yet
    Create {
        /// The login
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List all users
    List {
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    /// Create a token and print it, and nothing else, on standard output; it is shown this once
    Create {
        /// Whose token
        #[arg(long, value_name = "NAME")]
        user: String,
        /// What the token is for
        #[arg(long, value_name = "LABEL", default_value = "default")]
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List tokens, without their secrets
    List {
        /// Only this user's
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// End a token at once
    Revoke {
        /// Its number, from `token list`
        id: i32,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

#[derive(Subcommand, Debug)]
pub enum OwnerCommand {
    /// Make a user an owner of a crate
    Add {
        #[arg(value_name = "CRATE")]
        krate: String,
        user: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Take a crate from one of its owners; the last one stays
    Remove {
        #[arg(value_name = "CRATE")]
        krate: String,
        user: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List the owners of a crate
    List {
        #[arg(value_name = "CRATE")]
        krate: String,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

#[derive(Subcommand, Debug)]
pub enum JobsCommand {
    /// List jobs: those that are owed, unless told otherwise
    List {
        /// Only owed jobs whose last attempt failed
        #[arg(long, group = "which")]
        failed: bool,
        /// Jobs that failed too often and wait for you
        #[arg(long, group = "which")]
        dead: bool,
        /// Jobs that are done or were discarded, newest first
        #[arg(long, group = "which")]
        done: bool,
        /// At most this many
        #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(i64).range(1..))]
        limit: i64,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Watch the queue at work
    ///
    /// On a terminal: how many jobs of each kind there are, what runs, and what ended last, until Ctrl-C. Elsewhere, and
    /// with --json: a line for each attempt that ends from now on.
    Watch {
        /// How often to look
        #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = super::work::pause)]
        interval: std::time::Duration,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Show everything about one job: how it stands, and how each of its attempts ended
    Show {
        id: i64,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Run a dead job again, its attempts at zero, or one that waits at once
    Retry {
        #[arg(required = true)]
        ids: Vec<i64>,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// End a dead or waiting job without doing it; what it was to do stays undone
    Discard {
        id: i64,
        /// Why, for the history
        #[arg(long, value_name = "TEXT", default_value = "discarded by an operator")]
        reason: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
}

/// How to print.
#[derive(Args, Debug, Clone, Copy)]
pub struct OutputOptions {
    /// Print JSON for scripts instead of a table
    #[arg(long)]
    pub json: bool,
}
