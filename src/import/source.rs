//! Reading the index of another registry: a sparse one by HTTP, a git one from a clone.

use std::path::Path;
use std::process::{Command, Stdio};

use parking_lot::Mutex;

use crate::index::{ConfigJson, ForeignIndex, IndexError, readable_stderr};
use crate::redact;
use crate::upstream::{Token, Upstream, UpstreamError};

/// The largest index file, in bytes, decoded. A crate with thousands of versions has some MiB.
const MAX_FILE: u64 = 256 * 1024 * 1024;
const UNAUTHORIZED: u16 = 401;

/// The index of another registry.
pub enum Source {
    Sparse {
        /// With a slash at its end.
        base: String,
        upstream: Upstream,
    },
    /// The clone, and the temporary directory that it is in.
    Git(Mutex<ForeignIndex>, Option<tempfile::TempDir>),
}

/// An error of reading an index.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error("{url} answered {UNAUTHORIZED}: the registry is private, so give a token with --token-file")]
    Private { url: String },
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("cannot create a directory for the clone: {0}")]
    Directory(#[from] std::io::Error),
    #[error("cannot run {program}: {source}")]
    NoGit { program: String, source: std::io::Error },
    #[error("cannot clone {url}: {message}")]
    Clone { url: String, message: String },
    #[error("the index has no config.json")]
    NoConfig,
    #[error("cannot read the config.json of the index: {0}")]
    Config(serde_json::Error),
    #[error("a sparse index cannot be listed: give the names of its crates, or --crates FILE with their names")]
    NotListed,
}

impl Source {
    /// Opens an index by its URL or path. A git repository is cloned, unless it is a local directory.
    pub fn open(url: &str, upstream: Upstream, git: &Path) -> Result<Self, SourceError> {
        if let Some(base) = url.strip_prefix("sparse+") {
            return Ok(Self::Sparse { base: format!("{}/", base.trim_end_matches('/')), upstream });
        }
        let url = without_prefix(url);
        if Path::new(url).is_dir() {
            return Ok(Self::Git(Mutex::new(ForeignIndex::open(Path::new(url))?), None));
        }
        // Readable by this user only, because the registry may be private. tempfile would leave the mode to the umask.
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix("supercargo-import-").permissions(permissions).tempdir()?;
        let clone = directory.path().join("index.git");
        // The clone needs the user's keys, agents and proxies, so the environment is kept.
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
                message: redact::userinfo(&readable_stderr(&output.stderr)),
            });
        }
        Ok(Self::Git(Mutex::new(ForeignIndex::open(&clone)?), Some(directory)))
    }

    /// The download settings. Like cargo, sends the token to a sparse index if it rejects an anonymous request for
    /// config.json or if config.json says `auth-required`.
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

    /// Sends the token with later requests; false if there is no token or the index is a git one.
    fn authenticate(&mut self, token: Option<&Token>) -> bool {
        match (self, token) {
            (Self::Sparse { upstream, .. }, Some(token)) => {
                *upstream = upstream.with_token(token.clone());
                true
            }
            _ => false,
        }
    }

    /// The paths of all files but config.json; `None` for a sparse index, which cannot be listed.
    pub fn files(&self) -> Result<Option<Vec<String>>, SourceError> {
        match self {
            Self::Sparse { .. } => Ok(None),
            Self::Git(index, _) => {
                let mut files = index.lock().files()?;
                files.retain(|path| path != ConfigJson::PATH);
                Ok(Some(files))
            }
        }
    }

    /// The URLs under which manifests can name the index that was opened as `url`, as far as they are known.
    pub fn known_urls(&self, url: &str) -> Vec<String> {
        let url = without_prefix(url);
        let directory = Path::new(url).canonicalize().ok().and_then(|path| url::Url::from_directory_path(path).ok());
        let mut urls = vec![directory.map_or_else(|| url.to_owned(), String::from)];
        if let Self::Git(index, _) = self {
            // Those of a local clone.
            urls.extend(index.lock().remote_urls());
        }
        urls
    }

    /// The content of a file; `None` if it does not exist.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(match self {
            Self::Sparse { base, upstream } => upstream.fetch_decoded(&format!("{base}{path}"), MAX_FILE)?,
            Self::Git(index, _) => index.lock().read(path)?,
        })
    }
}

/// The URL without the prefixes that cargo writes before that of a git index.
fn without_prefix(url: &str) -> &str {
    url.strip_prefix("git+").or_else(|| url.strip_prefix("registry+")).unwrap_or(url)
}

/// The download settings in another registry's config.json.
#[derive(serde::Deserialize, Clone, Debug)]
pub struct Downloads {
    pub dl: String,
    /// The URL of the web API, from which the URLs of the index follow in most registries.
    #[serde(default)]
    pub api: Option<String>,
    /// Downloads need the token as well, whatever their URL.
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
        assert!(error.contains(" http://127.0.0.1:1/index:") && !error.contains("secret"), "{error}");
    }
}
