//! The registry's address, for commands that print what its clients need.

use std::net::IpAddr;

use crate::admin::users::invitation::RegistryAddress;
use crate::config::StorageOptions;
use crate::index::{ConfigJson, Index};
use crate::process::CommandError;
use crate::process::storage::git_program;

/// The address at which clients reach the registry: the given URL, or the one in the index's config.json, which the last
/// `serve` wrote. Whether the registry is private is in config.json; without it, the answer is yes, because what private
/// registries need is right for public ones too.
pub fn registry_address(options: &StorageOptions, public_url: Option<&str>) -> Result<RegistryAddress, CommandError> {
    let address = known_address(options, public_url)?;
    if is_local(&address.url) {
        let url = &address.url;
        tracing::warn!("only this machine reaches {url}: set --public-url, for `serve` as well, if others need it");
    }
    Ok(address)
}

/// The same, for commands whose output is for this machine.
pub fn known_address(options: &StorageOptions, public_url: Option<&str>) -> Result<RegistryAddress, CommandError> {
    let config = config_json(options)?;
    let is_private = config.as_ref().is_none_or(|config| config.auth_required);
    let url = public_url.map(str::to_owned).or_else(|| config.map(|config| config.api)).ok_or_else(|| {
        CommandError::new(
            "the registry's URL is not known, because this data directory has no index yet: start `supercargo serve` on \
             it once, or set --public-url",
        )
    })?;
    Ok(RegistryAddress { url, is_private })
}

/// The config.json of the index in the data directory, if there is one.
fn config_json(options: &StorageOptions) -> Result<Option<ConfigJson>, CommandError> {
    let path = options.data_dir()?.index();
    if !path.is_dir() {
        return Ok(None);
    }
    let index = Index::open_or_init_with(&path, git_program(options))?;
    let file = index.read(&index.head()?, ConfigJson::PATH)?;
    Ok(file.map(|file| ConfigJson::parse(&file.content)).transpose()?)
}

fn is_local(url: &str) -> bool {
    let Some(host) = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)) else { return false };
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_machine_is_recognised() {
        for local in ["http://127.0.0.1:2274", "http://[::1]:2274", "http://localhost/registry"] {
            assert!(is_local(local), "{local}");
        }
        for other in ["https://crates.example", "http://10.0.0.1:2274", "http://localhost.example"] {
            assert!(!is_local(other), "{other}");
        }
    }
}
