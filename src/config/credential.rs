//! Where the credential provider keeps tokens, and what cargo's configuration says to it.

use std::path::PathBuf;

use crate::package::characters::plain;

/// What the provider asks for unless its configuration says otherwise: what cargo does.
const USUAL_SCOPES: [&str; 4] = ["publish-new", "publish-update", "yank", "change-owners"];

/// The arguments of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialOptions {
    /// The scopes of the token; none for all rights of the user.
    pub scopes: Vec<String>,
    /// Tokens are sent over plain HTTP to other machines as well.
    pub allow_insecure: bool,
}

impl CredentialOptions {
    /// Reads the arguments after the program's name in cargo's configuration.
    pub fn parse(arguments: &[&str]) -> Result<Self, String> {
        let mut options = Self { scopes: USUAL_SCOPES.map(str::to_owned).to_vec(), allow_insecure: false };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match *argument {
                "--allow-insecure" => options.allow_insecure = true,
                "--scope" => {
                    let value =
                        arguments.next().ok_or("`--scope` needs a value, such as publish-update,yank or all")?;
                    options.scopes = match *value {
                        "all" => Vec::new(),
                        list => list.split(',').map(|scope| scope.trim().to_owned()).collect(),
                    };
                }
                other => {
                    return Err(format!(
                        "`{}` is no argument of cargo-credential-supercargo: use --scope SCOPES or --allow-insecure",
                        plain(other)
                    ));
                }
            }
        }
        Ok(options)
    }
}

/// The directory of cargo's own credentials.
pub fn cargo_home() -> Result<PathBuf, String> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("CARGO_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".cargo")))
        .ok_or_else(|| "neither CARGO_HOME nor HOME is set: set one of them".to_owned())
}

/// What the device is called on the registry's pages.
pub fn device_name() -> String {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    host.map_or_else(|| "cargo".to_owned(), |host| format!("cargo on {host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_name_scopes() {
        let scopes = |arguments: &[&str]| CredentialOptions::parse(arguments).map(|options| options.scopes.join(" "));
        assert_eq!(scopes(&[]).unwrap(), "publish-new publish-update yank change-owners");
        assert_eq!(scopes(&["--scope", "publish-update, yank"]).unwrap(), "publish-update yank");
        assert_eq!(scopes(&["--scope", "all"]).unwrap(), "");
        assert!(CredentialOptions::parse(&["--allow-insecure"]).unwrap().allow_insecure);
        for wrong in [&["--scope"][..], &["--scopes", "yank"], &["yank"]] {
            assert!(scopes(wrong).is_err(), "{wrong:?}");
        }
    }
}
