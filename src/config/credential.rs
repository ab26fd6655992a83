//! Where the credential provider keeps tokens, and what cargo's configuration says to it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

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

#[derive(Deserialize, Default)]
struct CargoConfig {
    #[serde(default)]
    http: HttpConfig,
}

#[derive(Deserialize, Default)]
struct HttpConfig {
    cainfo: Option<PathBuf>,
}

/// The file with the authorities that cargo trusts in place of the system's, if it is configured: by CARGO_HTTP_CAINFO, or by
/// `http.cainfo` in the configuration files that cargo reads, the nearest first.
pub fn ca_file() -> Result<Option<PathBuf>, String> {
    if let Some(file) = std::env::var_os("CARGO_HTTP_CAINFO").filter(|value| !value.is_empty()) {
        return Ok(Some(file.into()));
    }
    let here = std::env::current_dir().map_err(|error| format!("the current directory cannot be found: {error}"))?;
    let near = here.ancestors().map(|directory| directory.join(".cargo"));
    ca_file_of(near.chain([cargo_home()?]))
}

/// That of the first of these directories whose configuration names one.
fn ca_file_of(directories: impl Iterator<Item = PathBuf>) -> Result<Option<PathBuf>, String> {
    for directory in directories {
        // As cargo does: the old name comes first.
        let files = ["config", "config.toml"].map(|name| directory.join(name));
        let Some(file) = files.into_iter().find(|file| file.is_file()) else { continue };
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let text = std::fs::read_to_string(&file).map_err(|error| failed(&error))?;
        let config: CargoConfig = toml::from_str(&text).map_err(|error| failed(&error.message()))?;
        if let Some(named) = config.http.cainfo {
            // A relative path begins at the directory that has `.cargo`.
            return Ok(Some(directory.parent().unwrap_or(Path::new("")).join(named)));
        }
    }
    Ok(None)
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
    fn the_nearest_configuration_that_names_authorities_counts() {
        let root = tempfile::tempdir().unwrap();
        let of = |name: &str, file: &str, text: &str| {
            let directory = root.path().join(name).join(".cargo");
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join(file), text).unwrap();
            directory
        };
        let silent = of("a/b", "config.toml", "[http]\ntimeout = 5\n[alias]\nb = \"build\"\n");
        let near = of("a", "config", "[http]\ncainfo = \"ca.pem\"\n");
        let far = of("", "config.toml", "[http]\ncainfo = \"/etc/far.pem\"\n");
        let found = |directories: &[&PathBuf]| ca_file_of(directories.iter().map(|&one| one.clone())).unwrap();
        assert_eq!(found(&[&silent, &near, &far]), Some(root.path().join("a/ca.pem")));
        assert_eq!(found(&[&silent, &far]), Some("/etc/far.pem".into()));
        assert_eq!(found(&[&silent, &root.path().join("nothing")]), None);
        let wrong = of("wrong", "config.toml", "[http]\ncainfo = 5\n");
        assert!(ca_file_of([wrong].into_iter()).unwrap_err().contains("wrong/.cargo/config.toml: "));
    }

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
