//! What a new user needs to begin: the configuration of the registry for cargo, and a token.

use std::fmt;

use chrono::{DateTime, Utc};

/// The name of the registry in cargo's configuration.
const REGISTRY: &str = "supercargo";

/// The registry as its clients know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryAddress {
    /// Without a trailing slash.
    pub url: String,
    /// Whether every request needs a token. cargo then requires a credential provider.
    pub is_private: bool,
}

impl RegistryAddress {
    /// The lines for `.cargo/config.toml`. The credential provider of this one registry does not change those of others.
    pub fn cargo_config(&self) -> String {
        let provider = if self.is_private { "credential-provider = \"cargo:token\"\n" } else { "" };
        format!("[registries.{REGISTRY}]\nindex = \"sparse+{}/index/\"\n{provider}", self.url)
    }

    /// The command that prompts for the token.
    pub fn login_command() -> String {
        format!("cargo login --registry {REGISTRY}")
    }
}

/// The text to forward to one user.
pub(super) struct Invitation<'a> {
    pub(super) login: &'a str,
    pub(super) token: &'a str,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) registry: &'a RegistryAddress,
}

impl fmt::Display for Invitation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { login, token, registry, .. } = self;
        writeln!(f, "For {login}:\n\nAdd these lines to .cargo/config.toml in your home directory:\n")?;
        for line in registry.cargo_config().lines() {
            writeln!(f, "    {line}")?;
        }
        writeln!(f, "\nThen run this command, and paste the token below when it asks for one:\n")?;
        writeln!(f, "    {}\n\n    {token}\n", RegistryAddress::login_command())?;
        if let Some(end) = self.expires_at {
            writeln!(f, "The token is valid until {}.", end.format("%Y-%m-%d at %H:%M UTC"))?;
        }
        writeln!(f, "How to use the registry: {}/", registry.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_has_all_that_its_user_needs() {
        let registry = RegistryAddress { url: "https://crates.example".to_owned(), is_private: true };
        let expires_at = DateTime::from_timestamp(1_800_000_000, 0);
        let invitation = Invitation { login: "ann", token: "sct_0a", expires_at, registry: &registry };
        insta::assert_snapshot!(invitation.to_string(), @r#"
        For ann:

        Add these lines to .cargo/config.toml in your home directory:

            [registries.supercargo]
            index = "sparse+https://crates.example/index/"
            credential-provider = "cargo:token"

        Then run this command, and paste the token below when it asks for one:

            cargo login --registry supercargo

            sct_0a

        The token is valid until 2027-01-15 at 08:00 UTC.
        How to use the registry: https://crates.example/
        "#);
    }
}
