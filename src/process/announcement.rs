//! Where the registry is: a file for programs, and lines to copy for people.

use std::io::IsTerminal;

use super::{CommandError, Storage};
use crate::admin::output::say;
use crate::config::{NamedUpstream, ServeOptions};
use crate::replace_file::replace_file;
use crate::web::upstreams::cargo_config;

/// Publishes the registry's URL: a file for programs, the log and, on a terminal, the configuration to copy.
pub fn announce(storage: &Storage, base_url: &str, options: &ServeOptions) -> Result<(), CommandError> {
    let auth_required = options.access.auth_required;
    replace_file(&storage.data_dir.url_file(), format!("{base_url}\n").as_bytes())?;
    tracing::info!(url = base_url, index = format!("sparse+{base_url}/index/"), "serving");
    if !std::io::stdout().is_terminal() {
        return Ok(());
    }
    say!("\nThe registry is at {base_url}. To use it, add this to .cargo/config.toml:\n");
    say!("    [registries.supercargo]\n    index = \"sparse+{base_url}/index/\"");
    if auth_required {
        say!("    credential-provider = \"cargo:token\"");
    }
    say!("    # min-publish-age = \"0\"  # for cargo 1.100 and later, with global-min-publish-age\n");
    for NamedUpstream { name, index } in &options.upstream.upstreams {
        say!("To get the crates of {name} through it, add this to config.toml in $CARGO_HOME (~/.cargo):\n");
        for line in cargo_config(base_url, (name, index), auth_required).lines() {
            say!("    {line}");
        }
        say!("");
    }
    if base_url.starts_with("https://") {
        say!("If clients do not trust the certificate's CA, also add:\n");
        say!("    [http]\n    cainfo = \"/path/to/ca.pem\"\n");
    }
    let token = storage.data_dir.admin_token_file();
    if token.exists() {
        say!("To publish, log in with the token of the user `admin`:\n");
        say!("    cargo login --registry supercargo < {}", token.display());
        say!("    cargo publish --registry supercargo\n");
    } else {
        say!("To publish, create a user and a token with `supercargo admin user create LOGIN --token`.\n");
    }
    Ok(())
}

/// Removes the file with the URL, if it is still there.
pub fn retract(storage: &Storage) -> Result<(), CommandError> {
    let file = storage.data_dir.url_file();
    match std::fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(CommandError::while_doing(format!("cannot remove {}", file.display()), error))
        }
        _ => Ok(()),
    }
}
