//! Options of the index remote.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::durations::{duration, pause};
use crate::package::registry_urls::is_readable_on_the_way;

/// The environment variables that git needs to reach a remote.
const PASSED_ON: [&str; 9] = [
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "GIT_SSL_CAINFO",
    "SSL_CERT_DIR",
];

/// The options of the index remote.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Index remote")]
pub struct IndexOptions {
    /// Git repository of the index: a URL (https, ssh) or a path
    ///
    /// For an index that several machines share. Each machine keeps a mirror of it. A version is published once it has
    /// been pushed to the remote. Every `serve` and `worker` of a registry uses the same remote. See
    /// docs/index-remote.md for the setup.
    #[arg(long, env = "SUPERCARGO_INDEX_REMOTE", value_name = "URL", hide_env_values = true)]
    pub index_remote: Option<String>,
    /// Branch that holds the index, here and at the remote
    ///
    /// Clients also find it as `main` and `master`.
    #[arg(long, hide = true, env = "SUPERCARGO_INDEX_BRANCH", value_name = "NAME", default_value = "main", value_parser = branch)]
    pub index_branch: String,
    /// Time limit for a push to the remote or a fetch from it
    ///
    /// A longer push counts as failed; the next attempt checks whether it arrived.
    #[arg(long, hide = true, env = "SUPERCARGO_INDEX_PUSH_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = time_limit)]
    pub index_push_timeout: Duration,
    /// How often to check the remote for pushes by others
    ///
    /// Publishes through any of the registry's machines are announced and do not wait for this.
    #[arg(long, hide = true, env = "SUPERCARGO_INDEX_POLL_INTERVAL", value_name = "DURATION", default_value = "10s", value_parser = pause)]
    pub index_poll_interval: Duration,
    /// Private key for an ssh remote
    ///
    /// The file must be readable by its owner only. Without it, ssh uses the keys and the configuration of the user
    /// that runs supercargo.
    #[arg(long, env = "SUPERCARGO_INDEX_SSH_KEY", value_name = "FILE")]
    pub index_ssh_key: Option<PathBuf>,
    /// Accepted host keys of an ssh remote, as printed by ssh-keyscan
    #[arg(long, env = "SUPERCARGO_INDEX_SSH_KNOWN_HOSTS", value_name = "FILE")]
    pub index_ssh_known_hosts: Option<PathBuf>,
    /// User name for an https remote
    #[arg(long, hide = true, env = "SUPERCARGO_INDEX_USER", value_name = "NAME", default_value = "x-access-token", value_parser = user)]
    pub index_user: String,
    /// File with the token for an https remote
    ///
    /// The token itself can be in the variable SUPERCARGO_INDEX_TOKEN instead. The file is read for every push and
    /// fetch, so the token can be renewed without a restart.
    #[arg(long, env = "SUPERCARGO_INDEX_TOKEN_FILE", value_name = "FILE")]
    pub index_token_file: Option<PathBuf>,
    /// Allow sending the token of --index-remote unencrypted (http://) to another machine
    #[arg(long, hide = true, env = "SUPERCARGO_ALLOW_INSECURE_TOKEN")]
    pub allow_insecure_token: bool,
}

impl IndexOptions {
    /// Refuses an invalid remote. This is separate from parsing, whose errors would show a password.
    pub fn check(&self) -> Result<(), String> {
        let Some(url) = self.index_remote.as_deref() else { return Ok(()) };
        let has_token = self.index_token_file.is_some() || self.index_token().is_some();
        check_url(url).map_err(|error| format!("the URL of --index-remote is refused: {error}"))?;
        check_way("--index-remote", url, has_token && !self.allow_insecure_token)
    }

    /// The token from the environment. A flag would show it to every user of the machine.
    pub fn index_token(&self) -> Option<String> {
        std::env::var("SUPERCARGO_INDEX_TOKEN")
            .ok()
            .map(|token| token.trim().to_owned())
            .filter(|token| !token.is_empty())
    }

    /// The files that are set, each with its option.
    pub fn files(&self) -> Vec<(&'static str, &PathBuf)> {
        let named = [
            ("--index-ssh-key", &self.index_ssh_key),
            ("--index-ssh-known-hosts", &self.index_ssh_known_hosts),
            ("--index-token-file", &self.index_token_file),
        ];
        named.into_iter().filter_map(|(option, file)| Some((option, file.as_ref()?))).collect()
    }

    /// The environment variables about proxies and certificate authorities.
    pub fn passed_on(&self) -> Vec<(OsString, OsString)> {
        passed_on()
    }
}

/// The environment variables about proxies and certificate authorities.
pub(super) fn passed_on() -> Vec<(OsString, OsString)> {
    PASSED_ON.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?))).collect()
}

/// Parses a time limit that is long enough for a push.
fn time_limit(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        limit if limit < Duration::from_millis(100) => Err("too short for a push: use at least 100ms".to_owned()),
        limit => Ok(limit),
    }
}

/// Parses a user name for HTTP Basic authentication, which has no colon.
fn user(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(':') || text.chars().any(char::is_control) {
        return Err("a user name has no colon: put the token into the file of --index-token-file".to_owned());
    }
    Ok(text.to_owned())
}

/// Refuses what git would not read as a URL or path, and secrets in a URL.
fn check_url(url: &str) -> Result<(), String> {
    if url.is_empty() || url.starts_with('-') || url.contains(char::is_control) {
        return Err("use a URL or a path of a git repository".to_owned());
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        // A path, or host:path for ssh. `helper::address` would make git run a program.
        return if url.contains("::") {
            Err("git's helpers (`name::`) are not supported: use a URL (https, ssh, file) or a path".to_owned())
        } else {
            Ok(())
        };
    };
    if !["https", "http", "ssh", "file"].contains(&scheme) {
        return Err(format!("{scheme}:// is not supported: use an https://, ssh:// or file:// URL, or a path"));
    }
    match rest.split(['/', '?', '#']).next().unwrap_or_default().rsplit_once('@') {
        Some((user, _)) if user.contains(':') => {
            Err("it contains a password, which other users could read: put it into the file of --index-token-file"
                .to_owned())
        }
        Some(_) if scheme.starts_with("http") => {
            Err("it contains a user name, which may be a token: use --index-user and --index-token-file".to_owned())
        }
        _ => Ok(()),
    }
}

/// Refuses an option's URL if a secret would be sent to it unencrypted.
pub(super) fn check_way(option: &str, url: &str, holds_secret: bool) -> Result<(), String> {
    if holds_secret && is_readable_on_the_way(url) {
        return Err(format!(
            "{option} is refused: it would send the token over plain HTTP to another machine: use https, or allow it with \
             --allow-insecure-token"
        ));
    }
    Ok(())
}

/// Parses a branch name without `refs/heads/`. Source: git-check-ref-format(1).
fn branch(name: &str) -> Result<String, String> {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    let bad_part =
        |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock") || part.ends_with('.');
    if name.starts_with(['-', '+'])
        || name.contains(is_bad)
        || name.contains("..")
        || name.contains("@{")
        || name.split('/').any(bad_part)
    {
        return Err("not a git branch name: use a name without refs/heads/, such as main".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_a_secret_or_a_helper_is_refused_with_the_remedy() {
        for allowed in
            ["https://git.example/i.git", "ssh://git@host:22/i", "git@host:i.git", "/srv/index.git", "file:///srv/i"]
        {
            assert_eq!(check_url(allowed), Ok(()), "{allowed}");
        }
        let refused = |url: &str| check_url(url).unwrap_err();
        assert!(refused("https://me:secret@git.example/i").contains("--index-token-file"));
        assert!(refused("https://secret@git.example/i").contains("--index-user"));
        assert!(refused("ssh://me:secret@git.example/i").contains("password"));
        assert!(refused("ext::sh -c evil").contains("helpers"));
        assert!(refused("--upload-pack=evil").contains("URL or a path"));
        assert!(refused("ftp://host/i").contains("ftp://"));
    }

    #[test]
    fn a_token_over_plain_http_is_refused_with_the_option_and_the_remedy() {
        insta::assert_snapshot!(check_way("--index-remote", "http://git.example/i", true).unwrap_err(), @"--index-remote is refused: it would send the token over plain HTTP to another machine: use https, or allow it with --allow-insecure-token");
        for (url, holds_secret) in
            [("http://git.example/i", false), ("https://git.example/i", true), ("http://127.0.0.1/i", true)]
        {
            assert_eq!(check_way("--index-remote", url, holds_secret), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_branch_is_a_name() {
        assert_eq!(branch("index/main"), Ok("index/main".to_owned()));
        for wrong in ["", "a..b", "a b", "-f", "a:b", "+a", "a/", "a.lock", "a@{1}"] {
            assert!(branch(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_limit_too_short_for_a_push_is_refused() {
        assert!(time_limit("10ms").is_err());
        assert_eq!(time_limit("2s"), Ok(Duration::from_secs(2)));
    }
}
