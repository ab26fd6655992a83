//! Logging in to the remote. Files are read for each command, so renewed credentials are used at once; secrets are
//! passed to git only in its environment.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::index::error::IndexError;

/// The time limit for connecting by ssh, in seconds.
const SSH_CONNECT: u32 = 10;

/// Credentials for the remote.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The private key for ssh. Without it, ssh uses the configuration and keys of its user.
    pub ssh_key: Option<PathBuf>,
    /// The host keys that ssh accepts.
    pub ssh_known_hosts: Option<PathBuf>,
    /// The user for https.
    pub user: String,
    /// The token for https.
    pub token: Option<Token>,
}

/// A token, or the file that holds it.
#[derive(Clone)]
pub enum Token {
    Given(String),
    InFile(PathBuf),
}

impl Credentials {
    /// git settings with the credentials, limited to requests to `url`.
    pub(super) fn settings(&self, url: &str) -> Result<Vec<(String, String)>, IndexError> {
        let mut settings = vec![
            ("credential.helper".to_owned(), String::new()),
            // A fetch of loose objects would create directories that are not synced.
            ("fetch.unpackLimit".to_owned(), "1".to_owned()),
            ("core.fsync".to_owned(), "all".to_owned()),
            ("protocol.ext.allow".to_owned(), "never".to_owned()),
        ];
        if let Some(token) = self.token()? {
            let basic = STANDARD.encode(format!("{}:{token}", self.user));
            settings.push((format!("http.{url}.extraHeader"), format!("Authorization: Basic {basic}")));
            // git would send the header to the target of a redirect as well.
            settings.push(("http.followRedirects".to_owned(), "false".to_owned()));
        }
        Ok(settings)
    }

    /// The ssh command for git: without prompts, and for known hosts only.
    pub(super) fn ssh_command(&self) -> Result<String, IndexError> {
        let mut command = format!(
            "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout={SSH_CONNECT} -o ServerAliveInterval=10 \
             -o ServerAliveCountMax=3"
        );
        if let Some(key) = &self.ssh_key {
            command.push_str(&format!(" -F none -o IdentitiesOnly=yes -o IdentityAgent=none -i {}", quoted(key)?));
        }
        if let Some(known) = &self.ssh_known_hosts {
            command.push_str(&format!(" -o GlobalKnownHostsFile=none -o UserKnownHostsFile={}", quoted(known)?));
        }
        Ok(command)
    }

    fn token(&self) -> Result<Option<String>, IndexError> {
        let path = match &self.token {
            None => return Ok(None),
            Some(Token::Given(token)) => return Ok(Some(token.clone())),
            Some(Token::InFile(path)) => path,
        };
        let wrong = |reason: String| IndexError::Credentials { path: path.clone(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        match text.trim() {
            "" => Err(wrong("it is empty".to_owned())),
            token if token.chars().any(char::is_control) => Err(wrong("it has more than one line".to_owned())),
            token => Ok(Some(token.to_owned())),
        }
    }

    /// A text without the token, plain or encoded.
    pub(super) fn strike_out(&self, text: String) -> String {
        let Ok(Some(token)) = self.token() else { return text };
        let basic = STANDARD.encode(format!("{}:{token}", self.user));
        text.replace(&basic, "***").replace(&token, "***")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The remedy for a known failure, beginning with a separator; empty if it is unknown.
pub(super) fn remedy(message: &str) -> &'static str {
    let contains = |words: &[&str]| words.iter().any(|one| message.contains(one));
    if contains(&["Host key verification failed"]) {
        "; add the host's key, which `ssh-keyscan` prints, to the file of --index-ssh-known-hosts"
    } else if contains(&["Permission denied (", "Load key"]) {
        "; add the public key of --index-ssh-key to the host, with write access"
    } else if contains(&[
        "could not read Username",
        "Authentication failed",
        "error: 401",
        "error: 403",
        "HTTP 401",
        "HTTP 403",
    ]) {
        "; check the token in the file of --index-token-file, its write access, and --index-user"
    } else if contains(&["does not appear to be a git repository", "Repository not found", "not found"]) {
        "; check --index-remote, and create an empty repository there if there is none"
    } else {
        ""
    }
}

/// A path quoted as one word for a shell.
fn quoted(path: &std::path::Path) -> Result<String, IndexError> {
    let text = path.to_str().ok_or_else(|| IndexError::Credentials {
        path: PathBuf::from(path),
        reason: "its name is not UTF-8".to_owned(),
    })?;
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_contains_the_token() {
        let credentials = Credentials {
            user: "me".to_owned(),
            token: Some(Token::Given("s3cret".to_owned())),
            ..Credentials::default()
        };
        let sent = credentials.settings("https://host/i").unwrap();
        let (_, header) = sent.iter().find(|(name, _)| name == "http.https://host/i.extraHeader").unwrap();
        assert_eq!(header, "Authorization: Basic bWU6czNjcmV0");
        let struck = credentials.strike_out(format!("fatal: {header} s3cret"));
        assert_eq!(struck, "fatal: Authorization: Basic *** ***");
        assert!(!format!("{credentials:?}").contains("s3cret"));
    }

    #[test]
    fn a_path_in_the_ssh_command_is_one_word() {
        let credentials = Credentials { ssh_key: Some("/a b/it's".into()), ..Credentials::default() };
        let command = credentials.ssh_command().unwrap();
        assert!(command.ends_with(" -i '/a b/it'\\''s'"), "{command}");
        assert!(command.contains("StrictHostKeyChecking=yes") && command.contains("BatchMode=yes"));
    }
}
