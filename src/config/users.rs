//! Subcommands of `admin user`.

use clap::{Args, Subcommand, ValueEnum};

use super::StorageOptions;
use super::base_url::base_url;
use super::durations::duration;
use super::output::OutputOptions;

#[derive(Subcommand, Debug)]
pub enum UserCommand {
    /// Create users, on request with what each needs to begin
    ///
    /// All users are created, or none. With --token, standard output has a part for each user to be forwarded: the lines for
    /// .cargo/config.toml, and the token for `cargo login`. A token cannot be shown again.
    Create(NewUsersOptions),
    /// Make a user an admin
    Promote {
        /// Login of the user
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Remove the admin rights of a user
    Demote {
        /// Login of the user
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Give a user another role: member, auditor or read-only
    ///
    /// A read-only user reads and changes nothing, whatever the user owns and has tokens for. An auditor also reads the audit
    /// log. Admins are members.
    Role {
        /// Login of the user
        name: String,
        role: RoleName,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Print a link with which a user signs in on the pages once
    ///
    /// The user then sets a password or connects an account at an identity provider. A new link replaces the one before. Standard
    /// output has the link and nothing else; for several users, each with the login in front.
    SignInLink(SignInLinkOptions),
    /// End all sessions of a user on the pages; tokens stay valid
    SignOut {
        /// Login of the user
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Disable a user until `enable`: tokens are refused, ownerships are kept
    Disable {
        /// Login of the user
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Make a disabled or removed user active again
    ///
    /// The tokens of a disabled user are valid again. A removed user returns without tokens, crates, teams and admin rights.
    Enable {
        /// Login of the user
        name: String,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Remove a user who leaves: revoke all tokens, hand over all crates
    ///
    /// The user also leaves all teams and is no longer an admin. The login stays reserved, because versions and the audit log
    /// refer to it.
    Remove {
        /// Login of the user
        name: String,
        /// User or team:NAME that becomes an owner of the user's crates; repeatable
        ///
        /// Required if the user is the only active user among the owners of a crate.
        #[arg(long, value_name = "OWNER", value_delimiter = ',')]
        to: Vec<String>,
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

/// A role of `admin user role`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleName {
    /// Changes what the user has rights to
    Member,
    /// Reads, and reads the audit log
    Auditor,
    /// Reads
    ReadOnly,
    /// Belongs to a program: has the rights of a member with its tokens, and cannot sign in
    Service,
}

/// Users who get a link.
#[derive(Args, Debug, Clone)]
pub struct SignInLinkOptions {
    /// Logins of the users
    #[arg(required = true, value_name = "LOGIN")]
    pub logins: Vec<String>,
    /// Create users who do not exist
    #[arg(long)]
    pub create: bool,
    /// Time until the links expire, at most 30days
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "3days")]
    pub expires_in: std::time::Duration,
    /// URL that clients use [default: the one in the index's config.json]
    #[arg(long, env = "SUPERCARGO_PUBLIC_URL", value_name = "URL", value_parser = base_url)]
    pub public_url: Option<String>,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
}

/// Users to create.
#[derive(Args, Debug, Clone)]
pub struct NewUsersOptions {
    /// Logins of the users
    #[arg(required = true, value_name = "LOGIN")]
    pub logins: Vec<String>,
    /// Make the users admins
    ///
    /// Through the API, an admin can read the audit log, delete versions and change the owners of all crates.
    #[arg(long)]
    pub admin: bool,
    /// Team that the users become members of; repeatable
    #[arg(long = "team", value_name = "TEAM", value_delimiter = ',')]
    pub teams: Vec<String>,
    /// Create the teams that do not exist
    #[arg(long, requires = "teams")]
    pub create_team: bool,
    /// Create a token for each, and print what each user needs to begin
    #[arg(long)]
    pub token: bool,
    /// Time until the tokens expire, such as 90days [default: never]
    #[arg(long, requires = "token", value_name = "DURATION", value_parser = duration)]
    pub expires_in: Option<std::time::Duration>,
    /// Keep users who exist instead of failing; they get no token
    ///
    /// They become members of the teams. Their admin rights stay as they are.
    #[arg(long)]
    pub if_missing: bool,
    /// URL that clients use [default: the one in the index's config.json]
    #[arg(long, env = "SUPERCARGO_PUBLIC_URL", value_name = "URL", value_parser = base_url)]
    pub public_url: Option<String>,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub storage: StorageOptions,
}
