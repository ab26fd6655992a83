//! Who may use a registry, and how much.

use clap::{Args, ValueEnum};

#[derive(Args, Debug, Clone)]
pub struct AccessOptions {
    /// Answer nobody without a token: index, downloads, search and API alike
    ///
    /// config.json tells cargo so. Cargo then wants a credential provider: global-credential-providers =
    /// "cargo:token" under registry in its configuration. Git asks for a user name and a password; the token is the
    /// password.
    #[arg(long, env = "SUPERCARGO_AUTH_REQUIRED")]
    pub auth_required: bool,
    /// Who may publish crates that do not exist yet
    #[arg(long, env = "SUPERCARGO_NEW_CRATES", value_name = "WHO", default_value = "anyone")]
    pub new_crates: WhoMayCreate,
    /// How often a user may do something: ACTION=N/PERIOD, so many at once and again in each period; may be given
    /// several times
    ///
    /// Actions and their defaults are publish-new=1000/1h, publish-update=3000/1h, yank=1000/1h and change-owners=1000/1h. A
    /// limit replaces the default of its action, ACTION=unlimited removes it, and `none` removes all. A workspace is
    /// published crate by crate: leave room for the largest.
    #[arg(long = "rate-limit", env = "SUPERCARGO_RATE_LIMIT", value_name = "LIMIT", value_delimiter = ',')]
    pub rate_limits: Vec<String>,
    /// How many bytes of crate files a user may upload in a day, those of refused publishes included; 0 for no limit
    ///
    /// So many at once, and as many again in each day. A publish beyond that is answered with 429.
    #[arg(long, env = "SUPERCARGO_UPLOAD_ALLOWANCE", value_name = "BYTES", default_value_t = 4 << 30)]
    pub upload_allowance: u64,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhoMayCreate {
    /// Every user with a token that allows it.
    Anyone,
    /// Admins only; they add the owners.
    Admins,
}
