//! The place of a source.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use url::{Host, Url};

/// The short name of the RustSec database, and its place.
pub const RUSTSEC: (&str, &str) = ("rustsec", "https://github.com/RustSec/advisory-db.git");

/// Where advisories are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The URL of a git repository.
    Git(String),
    /// A directory of this machine.
    Directory(PathBuf),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == RUSTSEC.0 {
            return Ok(Self::Git(RUSTSEC.1.to_owned()));
        }
        if text.starts_with('/') {
            return Ok(Self::Directory(PathBuf::from(text)));
        }
        if !text.contains("://") {
            return Err(format!(
                "{text:?} is no source of advisories: use {}, the https:// URL of a git repository, or the absolute path of a directory",
                RUSTSEC.0
            ));
        }
        let url = Url::parse(text).map_err(|error| format!("{text:?} is no URL: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL has a user or a password: advisories are read without".to_owned());
        }
        match url.scheme() {
            "https" => Ok(Self::Git(text.to_owned())),
            "http" if is_loopback(&url) => Ok(Self::Git(text.to_owned())),
            _ => Err(format!(
                "{text:?} is not protected by TLS: advisories are not signed, so use https:// (http:// only on this machine)"
            )),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git(url) => f.write_str(url),
            Self::Directory(path) => write!(f, "{}", path.display()),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_repository_by_https_or_a_directory() {
        let read = |text: &str| text.parse::<Place>().map(|place| place.to_string());
        assert_eq!(read("rustsec").as_deref(), Ok("https://github.com/RustSec/advisory-db.git"));
        for right in [
            "https://git.example/db.git",
            "http://127.0.0.1:8/db.git",
            "http://[::1]:8/db",
            "http://localhost/db",
            "/srv/db",
        ] {
            assert_eq!(read(right).as_deref(), Ok(right));
        }
        for (wrong, why) in [
            ("http://git.example/db.git", "not protected by TLS"),
            ("git://git.example/db.git", "not protected by TLS"),
            ("file:///srv/db", "not protected by TLS"),
            ("https://user:secret@git.example/db.git", "without"),
            ("db", "no source of advisories"),
            ("./db", "no source of advisories"),
            ("ext::sh -c x", "no source of advisories"),
        ] {
            let said = read(wrong).unwrap_err();
            assert!(said.contains(why) && !said.contains("secret"), "{wrong}: {said}");
        }
    }
}
