//! Options about who may use a registry.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::durations::duration;

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Access")]
pub struct AccessOptions {
    /// Require a token for every request
    ///
    /// This applies to the index, downloads and search as well as to the API. config.json announces it to cargo, which
    /// then needs a credential provider: set credential-provider = "cargo:token" under [registries.NAME] in cargo's
    /// configuration. Git prompts for a user name and a password: any user name, and the token as the password.
    #[arg(long, env = "SUPERCARGO_AUTH_REQUIRED")]
    pub auth_required: bool,
    /// File that describes an identity provider, by which people sign in on the pages; repeatable
    ///
    /// Any OpenID Connect provider with discovery: Keycloak, Entra ID, Okta, Google, GitLab and others. The file is TOML, see
    /// docs/sign-in.md. It is read at the start.
    #[arg(
        long = "identity-provider",
        env = "SUPERCARGO_IDENTITY_PROVIDER",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub identity_providers: Vec<PathBuf>,
    /// How people sign in on the pages, besides identity providers: password, token
    ///
    /// A list, or `none`. A user has a password only if the user has set one. A token is one that its user has entered.
    #[arg(
        long,
        hide = true,
        env = "SUPERCARGO_SIGN_IN_WITH",
        value_name = "WAYS",
        value_delimiter = ',',
        default_value = "password,token"
    )]
    pub sign_in_with: Vec<SignInWay>,
    /// Who may publish the first version of a crate
    #[arg(long, env = "SUPERCARGO_NEW_CRATES", value_name = "WHO", default_value = "anyone")]
    pub new_crates: WhoMayCreate,
    /// Invite users whom owners add to a crate, who then accept or decline
    ///
    /// They find invitations on the page /me. Teams become owners at once, and so do users whom an admin or an operator adds.
    #[arg(long, hide = true, env = "SUPERCARGO_OWNER_INVITATIONS")]
    pub owner_invitations: bool,
    /// Limit of an action per user: ACTION=N/PERIOD, repeatable
    ///
    /// A user may do N at once and regains N over each period. Actions and their defaults are publish-new=1000/1h,
    /// publish-update=3000/1h, yank=1000/1h and change-owners=1000/1h. A limit replaces the default of its action,
    /// ACTION=unlimited removes it, and `none` removes all limits. Cargo publishes a workspace crate by crate: leave
    /// room for the largest one.
    #[arg(long = "rate-limit", env = "SUPERCARGO_RATE_LIMIT", value_name = "LIMIT", value_delimiter = ',')]
    pub rate_limits: Vec<String>,
    /// Upload limit per user and day, in bytes
    ///
    /// It limits the size of the crate files that a user publishes; 0 is unlimited. A user may publish that
    /// much at once and regains it over a day. Further publishes are refused with status 429.
    #[arg(long, hide = true, env = "SUPERCARGO_UPLOAD_ALLOWANCE", value_name = "BYTES", default_value_t = 4 << 30)]
    pub upload_allowance: u64,
    /// How long after its creation the owners of a crate may delete it; 0s: never
    ///
    /// Owners can delete only crates on which no other crate of this registry depends. Admins can always delete crates.
    #[arg(long, hide = true, env = "SUPERCARGO_CRATE_DELETION_WINDOW", value_name = "DURATION", default_value = "72h",
        value_parser = duration)]
    pub crate_deletion_window: Duration,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhoMayCreate {
    /// Every user whose token has the scope publish-new
    Anyone,
    /// Admins only; they add the owners
    Admins,
}

/// How people sign in without an identity provider.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInWay {
    /// A password that the user has set
    Password,
    /// A token of the user
    Token,
    /// Neither
    None,
}
