//! Where another registry's index is read: a sparse one by HTTP, a git one from a clone.

use std::path::Path;
use std::process::{Command, Stdio};

use parking_lot::Mutex;

use crate::index::{ConfigJson, ForeignIndex, IndexError, readable_stderr};
use crate::redact;
use crate::upstream::{Token, Upstream, UpstreamError};

/// The largest file of an index, in bytes: a crate with thousands of versions has some MiB.
const MAX_FILE: u64 = 256 * 1024 * 1024;
const UNAUTHORIZED: u16 = 401;

/// An index that can be read.
pub enum Source {
    Sparse {
        /// With a slash at its end.
        base: String,
        upstream: Upstream,
    },
    /// The clone, and the directory that goes with it.
    Git(Mutex<ForeignIndex>, Option<tempfile::TempDir>),
}

/// Why an index can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error("{url} answered {UNAUTHORIZED}: it is private; give a token with --token-file")]
    Private { url: String },
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("a directory for the clone can't be made: {0}")]
    Directory(#[from] std::io::Error),
    #[error("{program} can't be run: {source}")]
    NoGit { program: String, source: std::io::Error },
    #[error("{url} can't be cloned: {said}")]
    Clone { url: String, said: String },
    #[error("the index has no config.json")]
    NoConfig,
    #[error("the index's config.json can't be read: {0}")]
    Config(serde_json::Error),
    #[error("a sparse index can't be listed: name its crates, or a file with their names with --crates")]
    NotListed,
}

impl Source {
    /// Opens an index by its URL, or by its path. A git repository is cloned, unless it is a directory here.
    pub fn open(url: &str, upstream: Upstream, git: &Path) -> Result<Self, SourceError> {
        if let Some(base) = url.strip_prefix("sparse+") {
            return Ok(Self::Sparse { base: format!("{}/", base.trim_end_matches('/')), upstream });
        }
        let url = url.strip_prefix("git+").or_else(|| url.strip_prefix("registry+")).unwrap_or(url);
        if Path::new(url).is_dir() {
            return Ok(Self::Git(Mutex::new(ForeignIndex::open(Path::new(url))?), None));
        }
        // For this user alone: it may be a private registry. The library would leave the mode to the umask.
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix("supercargo-import-").permissions(permissions).tempdir()?;
        let clone = directory.path().join("index.git");
        // Keys, agents and proxies of whoever calls are wanted here, and so the environment is left as it is.
        let output = Command::new(git)
            .args(["clone", "--quiet", "--bare", "--depth", "1", "--"])
            .arg(url)
            .arg(&clone)
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .output()
            .map_err(|source| SourceError::NoGit { program: git.display().to_string(), source })?;
        if !output.status.success() {
            return Err(SourceError::Clone {
                url: redact::userinfo(url),
                said: redact::userinfo(&readable_stderr(&output.stderr)),
            });
        }
        Ok(Self::Git(Mutex::new(ForeignIndex::open(&clone)?), Some(directory)))
    }

    /// Where its crate files are. A sparse index gets the token as it gets one from cargo: if it refuses config.json without
    /// one, or if config.json says `auth-required`.
    pub fn config(&mut self, token: Option<&Token>) -> Result<Downloads, SourceError> {
        let config = match self.read(ConfigJson::PATH) {
            Err(SourceError::Upstream(UpstreamError::Status { status: UNAUTHORIZED, url })) => {
                if !self.authenticate(token) {
                    return Err(SourceError::Private { url });
                }
                self.read(ConfigJson::PATH)
            }
            answered => answered,
        };
        let config: Downloads =
            serde_json::from_slice(&config?.ok_or(SourceError::NoConfig)?).map_err(SourceError::Config)?;
        if config.auth_required {
            self.authenticate(token);
        }
        Ok(config)
    }

    /// Sends the token from now on; false if there is none, or if nothing is sent to this kind of index.
    fn authenticate(&mut self, token: Option<&Token>) -> bool {
        match (self, token) {
            (Self::Sparse { upstream, .. }, Some(token)) => {
                *upstream = upstream.with_token(token.clone());
                true
            }
            _ => false,
        }
    }

    /// The paths of all its crates' files.
    pub fn list(&self) -> Result<Vec<String>, SourceError> {
        match self {
            Self::Sparse { .. } => Err(SourceError::NotListed),
            Self::Git(index, _) => Ok(index.lock().crate_files()?),
        }
    }

    /// A file; None if there is none.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(match self {
            Self::Sparse { base, upstream } => {
                upstream.fetch(&format!("{base}{path}"), MAX_FILE, &|| false)?.map(|bytes| bytes.to_vec())
            }
            Self::Git(index, _) => index.lock().read(path)?,
        })
    }
}

/// What is read of another registry's config.json.
#[derive(serde::Deserialize, Clone, Debug)]
pub struct Downloads {
    pub dl: String,
    /// Downloads need the token as well, wherever they are.
    #[serde(default, rename = "auth-required")]
    pub auth_required: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_clone_names_its_url_without_the_password() {
        let url = "git+http://me:secret@127.0.0.1:1/index";
        let Err(error) = Source::open(url, Upstream::anonymous(), Path::new("git")) else {
            panic!("nothing listens there");
        };
        let error = error.to_string();
        assert!(error.starts_with("http://127.0.0.1:1/index ") && !error.contains("secret"), "{error}");
    }
}
