//! The git remote that an index is pushed to, and of which the repository here is a mirror.
//!
//! With a remote, *the remote is the truth*. The branch here shows only what the remote has confirmed, or what was fetched
//! from it, so readers on any machine never see what others may never get. Commits are made here and pushed by their id,
//! fast-forward only; the branch moves when the remote has said yes. A push whose end was not heard counts as failed, and
//! is settled by a fetch before the next one.
//!
//! The mirror has the whole history. A shallow one would be quicker to make, but git refuses to fetch from a shallow
//! repository what is older than its edge, and clients whose copy is older would silently stay where they are.

mod fetch_requests;

mod credentials;
mod fetch;
mod push;
mod through;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use rand::distr::{Alphanumeric, SampleString};

pub use credentials::{Credentials, Token};
pub use fetch_requests::FetchRequests;

use super::error::IndexError;
use super::git_program::{Ended, GitProgram, run_to_its_end};

/// Seconds from a push or fetch to its end, by what was done and whether it went well.
pub const REMOTE_SECONDS: &str = "supercargo_index_remote_seconds";
/// Unix time of the last contact with the remote that went well.
pub const REMOTE_CONTACT: &str = "supercargo_index_remote_last_contact_timestamp_seconds";

/// Where an index is pushed to, and how.
#[derive(Debug, Clone)]
pub struct RemoteOptions {
    /// A URL or path as git takes it, without a password.
    pub url: String,
    /// The branch there, without `refs/heads/`.
    pub branch: String,
    /// The most time for one push or fetch.
    pub limit: Duration,
    /// How to log in.
    pub credentials: Credentials,
    /// Variables of the surroundings that git needs to get there: proxies and certificate authorities.
    pub environment: Vec<(OsString, OsString)>,
}

/// The remote of an index. Clones are the same one.
#[derive(Clone)]
pub struct Remote(Arc<Parts>);

struct Parts {
    options: RemoteOptions,
    git: GitProgram,
    /// Names this process among those that push.
    writer: String,
    /// What the remote has is not known for sure: at the start, and after a failure.
    unsure: AtomicBool,
    /// A push whose end was not heard may still arrive there.
    unsettled: AtomicBool,
    contact: Mutex<Contact>,
    fetch_requests: FetchRequests,
}

/// How the last dealings with the remote went, as far as this process knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// When the remote last answered as it should.
    pub succeeded_at: Option<SystemTime>,
    /// The last failure; None after a success.
    pub failed: Option<(SystemTime, String)>,
}

impl Remote {
    /// Does not talk to it.
    pub fn new(options: RemoteOptions, git: GitProgram) -> Remote {
        metrics::describe_histogram!(
            REMOTE_SECONDS,
            metrics::Unit::Seconds,
            "Length of a push to or fetch from the index's remote"
        );
        metrics::describe_gauge!(
            REMOTE_CONTACT,
            metrics::Unit::Seconds,
            "Unix time at which the index's remote last answered as it should"
        );
        Remote(Arc::new(Parts {
            options,
            git,
            writer: Alphanumeric.sample_string(&mut rand::rng(), 16),
            unsure: AtomicBool::new(true),
            unsettled: AtomicBool::new(false),
            contact: Mutex::default(),
            fetch_requests: FetchRequests::default(),
        }))
    }

    /// The URL as it may be shown.
    pub fn url(&self) -> String {
        without_userinfo(&self.0.options.url)
    }

    /// The branch there.
    pub fn branch(&self) -> &str {
        &self.0.options.branch
    }

    /// A name for this process that no other one has or had.
    pub fn writer(&self) -> &str {
        &self.0.writer
    }

    /// The most time for one push or fetch.
    pub fn limit(&self) -> Duration {
        self.0.options.limit
    }

    /// How the last dealings with the remote went.
    pub fn contact(&self) -> Contact {
        self.0.contact.lock().clone()
    }

    /// Who wants the mirror to be looked after, and who waits for it.
    pub fn fetch_requests(&self) -> &FetchRequests {
        &self.0.fetch_requests
    }

    /// What the remote has is to be fetched before anything is built on it.
    pub fn is_unsure(&self) -> bool {
        self.0.unsure.load(Ordering::SeqCst)
    }

    /// A push of this process whose end was not heard may still arrive there.
    pub fn is_unsettled(&self) -> bool {
        self.0.unsettled.load(Ordering::SeqCst)
    }

    fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch())
    }

    /// Runs git with the credentials and notes how it went. An error is a command that could not be run or that took too
    /// long; whether its end is a good one is for `judge`.
    fn run<T>(
        &self,
        action: &'static str,
        arguments: &[&str],
        limit: Duration,
        judge: impl FnOnce(Ended) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        let begin = Instant::now();
        let done = self.start(action, arguments, limit).and_then(judge);
        self.note(action, begin.elapsed(), done.as_ref().err());
        done
    }

    fn start(&self, action: &'static str, arguments: &[&str], limit: Duration) -> Result<Ended, IndexError> {
        let Parts { options, git, .. } = &*self.0;
        if limit.is_zero() {
            return Err(self.failed(action, "no time was left for it"));
        }
        let mut command = git.command_with(&options.credentials.settings(&options.url)?);
        command.envs(options.environment.iter().map(|(name, value)| (name, value)));
        command.env("GIT_SSH_COMMAND", options.credentials.ssh_command()?).args(arguments);
        let ended = run_to_its_end(command, limit)
            .map_err(|source| IndexError::GitMissing { executable: git.executable.clone(), source })?;
        match ended.status {
            Some(_) => Ok(ended),
            None => {
                Err(self.failed(action, &format!("it took longer than {limit:?} and was stopped; {}", ended.stderr)))
            }
        }
    }

    fn note(&self, action: &'static str, took: Duration, error: Option<&IndexError>) {
        let outcome = if error.is_none() { "done" } else { "failed" };
        metrics::histogram!(REMOTE_SECONDS, "action" => action, "outcome" => outcome).record(took.as_secs_f64());
        let now = SystemTime::now();
        let mut contact = self.0.contact.lock();
        match error {
            None => {
                contact.failed = None;
                contact.succeeded_at = Some(now);
                let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                metrics::gauge!(REMOTE_CONTACT).set(since.as_secs_f64());
            }
            Some(error) => {
                contact.failed = Some((now, error.to_string()));
                self.0.unsure.store(true, Ordering::SeqCst);
            }
        }
    }

    /// The error of a command that went wrong, with what it said and, where that is known, what to do.
    fn failed(&self, action: &'static str, said: &str) -> IndexError {
        let said = self.without_secrets(said);
        let remedy = credentials::remedy(&said);
        IndexError::Remote { action, url: self.url(), said, remedy }
    }

    /// One line, without what could be used to log in.
    fn without_secrets(&self, said: &str) -> String {
        let words = said.split_whitespace().map(without_userinfo).collect::<Vec<_>>().join(" ");
        self.0.options.credentials.strike_out(words)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("url", &self.url()).field("branch", &self.branch()).finish_non_exhaustive()
    }
}

/// A URL without the user and password in it; anything else stays as it is.
pub(super) fn without_userinfo(text: &str) -> String {
    let Some((before, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{before}://{}", &rest[at + 1..]),
        None => text.to_owned(),
    }
}

/// A path in the way a shell takes it as one word.
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
    fn what_is_shown_of_a_url_has_no_user() {
        assert_eq!(without_userinfo("fatal:https://me:p@ss@host:1/i@x'"), "fatal:https://host:1/i@x'");
        assert_eq!(without_userinfo("https://host/a@b"), "https://host/a@b");
        assert_eq!(without_userinfo("git@host:i"), "git@host:i");
    }
}
