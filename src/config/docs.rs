//! Options about documentation: those of `serve`, and the subcommands of `docs`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::base_url::base_url;
use crate::docs_archive::Limits;
use crate::package::{CrateName, Version};

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Documentation")]
pub struct DocsOptions {
    /// URL of a host of its own for uploaded documentation [default: /docs/ of the registry]
    ///
    /// The host name leads to this registry as well, and must be another one than that of the registry, so that scripts
    /// in documentation have nothing to do with who has signed in. It must have no path.
    #[arg(long, hide = true, env = "SUPERCARGO_DOCS_URL", value_name = "URL", value_parser = host_url)]
    pub docs_url: Option<String>,
    /// Maximum size of a zip with documentation, in bytes
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_DOCS_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_archive, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_docs_size: u64,
    /// Maximum number of files in a zip with documentation
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_DOCS_FILES", value_name = "COUNT", default_value_t = Limits::default().max_files)]
    pub max_docs_files: usize,
    /// Maximum total size of the unpacked files of documentation, in bytes
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_DOCS_UNPACKED_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_unpacked)]
    pub max_docs_unpacked_size: u64,
    /// Maximum size of one unpacked file of documentation, in bytes
    #[arg(long, hide = true, env = "SUPERCARGO_MAX_DOCS_FILE_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_file)]
    pub max_docs_file_size: u64,
}

impl DocsOptions {
    /// The limits of an archive.
    pub fn limits(&self) -> Limits {
        Limits {
            max_archive: self.max_docs_size,
            max_files: self.max_docs_files,
            max_unpacked: self.max_docs_unpacked_size,
            max_file: self.max_docs_file_size,
        }
    }
}

/// Parses the URL of a host, without a slash at its end.
fn host_url(text: &str) -> Result<String, String> {
    let url = base_url(text)?;
    let has_path = url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    if has_path { Err("use a URL without a path: documentation has the whole host".to_owned()) } else { Ok(url) }
}

#[derive(Subcommand, Debug)]
pub enum DocsCommand {
    /// Upload the documentation that `cargo doc` wrote
    ///
    /// Run it after `cargo doc --no-deps`, in the directory of the package. It needs no access to the registry's data:
    /// the token is that of --token-file, of the variable CARGO_REGISTRIES_NAME_TOKEN or SUPERCARGO_TOKEN, or the one that
    /// `cargo login` has stored in CARGO_HOME/credentials.toml. Its scope is publish-docs. A token of a trusted publisher
    /// suffices.
    #[command(disable_version_flag = true)]
    Push(DocsPushOptions),
    /// Delete the documentation of a version
    #[command(disable_version_flag = true)]
    Delete(DocsDeleteOptions),
}

/// The options of `docs push`.
#[derive(Args, Debug, Clone)]
pub struct DocsPushOptions {
    /// Crate [default: the package in this directory]
    #[arg(long = "crate", value_name = "NAME")]
    pub krate: Option<CrateName>,
    /// Version [default: that of the package]
    #[arg(long = "version", value_name = "VERSION")]
    pub num: Option<Version>,
    /// Directory that cargo wrote [default: doc in cargo's target directory]
    #[arg(long, value_name = "DIR", conflicts_with = "zip")]
    pub dir: Option<PathBuf>,
    /// Zip to upload as it is, in place of a directory
    #[arg(long, value_name = "FILE")]
    pub zip: Option<PathBuf>,
    /// Directory of the crate in the documentation [default: the name of its library]
    #[arg(long, value_name = "NAME")]
    pub directory: Option<String>,
    #[command(flatten)]
    pub registry: RemoteOptions,
}

/// The options of `docs delete`.
#[derive(Args, Debug, Clone)]
pub struct DocsDeleteOptions {
    /// Crate
    #[arg(long = "crate", value_name = "NAME")]
    pub krate: CrateName,
    /// Version
    #[arg(long = "version", value_name = "VERSION")]
    pub num: Version,
    #[command(flatten)]
    pub registry: RemoteOptions,
}

/// Which registry a request is sent to, and with which token.
#[derive(Args, Debug, Clone)]
pub struct RemoteOptions {
    /// Registry, by its name in cargo's configuration [default: the only one in `publish` of Cargo.toml]
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    pub registry: Option<String>,
    /// URL of the registry [default: SUPERCARGO_URL, without --registry]
    #[arg(long, value_name = "URL", value_parser = base_url)]
    pub url: Option<String>,
    /// File with the token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Allow sending the token unencrypted (http://) to another machine
    #[arg(long, hide = true, env = "SUPERCARGO_ALLOW_INSECURE_TOKEN")]
    pub allow_insecure_token: bool,
}

/// The URL of a registry in the environment.
pub fn url_in_environment() -> Option<String> {
    variable("SUPERCARGO_URL")
}

/// The token in the environment: that for the registry of this name in cargo's configuration, or any other.
pub fn token_in_environment(registry: Option<&str>) -> Option<String> {
    registry.and_then(|name| variable(&of_registry(name, "TOKEN"))).or_else(|| variable("SUPERCARGO_TOKEN"))
}

/// The index of a registry in the environment, as cargo reads it.
pub fn index_in_environment(registry: &str) -> Option<String> {
    variable(&of_registry(registry, "INDEX"))
}

/// The directory in which the command was called.
pub fn here() -> std::io::Result<PathBuf> {
    std::env::current_dir()
}

/// The program by which cargo is called.
pub fn cargo_program() -> std::ffi::OsString {
    std::env::var_os("CARGO").filter(|program| !program.is_empty()).unwrap_or_else(|| "cargo".into())
}

fn of_registry(name: &str, what: &str) -> String {
    format!("CARGO_REGISTRIES_{}_{what}", name.to_uppercase().replace('-', "_"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_documentation_is_a_host() {
        assert_eq!(host_url("https://docs.example/"), Ok("https://docs.example".to_owned()));
        assert_eq!(host_url("http://docs.example:8080"), Ok("http://docs.example:8080".to_owned()));
        for wrong in ["https://docs.example/docs", "docs.example", "https://user@docs.example"] {
            assert!(host_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn variables_of_registries_are_named_as_cargo_names_them() {
        assert_eq!(of_registry("my-company", "TOKEN"), "CARGO_REGISTRIES_MY_COMPANY_TOKEN");
    }
}
