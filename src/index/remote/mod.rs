//! The git remote that the index is pushed to and that the local repository mirrors.
//!
//! With a remote, the remote is authoritative. The local branch shows only commits that the remote has confirmed or
//! that were fetched from it, so no reader on any machine sees a commit that others may never receive. Commits are made
//! locally and pushed by their ids, fast-forward only; the branch moves after the remote has confirmed them. A push
//! without a confirmed outcome counts as failed, and a fetch settles it before the next push.
//!
//! The mirror has the whole history. A shallow one would be faster to create, but git cannot serve commits from before
//! its boundary, and clients with an older copy would silently stay out of date.

mod credentials;
mod fetch;
mod fetch_requests;
mod push;
mod through;

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use rand::distr::{Alphanumeric, SampleString};

pub use credentials::{Credentials, Token};
pub use fetch_requests::FetchRequests;

use super::error::IndexError;
use super::git_program::{Ended, GitProgram, run_to_its_end};
use crate::redact;
use crate::trace::STEP;

/// Seconds that a push or fetch took, by action and outcome.
pub const REMOTE_SECONDS: &str = "supercargo_index_remote_seconds";
/// Unix time of the last successful contact with the remote.
pub const REMOTE_CONTACT: &str = "supercargo_index_remote_last_contact_timestamp_seconds";

/// The address of the remote and how it is accessed.
#[derive(Debug, Clone)]
pub struct RemoteOptions {
    /// A URL or path for git, without a password.
    pub url: String,
    /// The remote's branch, without `refs/heads/`.
    pub branch: String,
    /// The time limit for one push or fetch.
    pub limit: Duration,
    /// Credentials for the login.
    pub credentials: Credentials,
    /// Environment variables that git needs for the connection: proxies and certificate authorities.
    pub environment: Vec<(OsString, OsString)>,
}

/// The remote of an index. Clones share their state.
#[derive(Clone)]
pub struct Remote(Arc<Parts>);

struct Parts {
    options: RemoteOptions,
    git: GitProgram,
    /// Identifies this process among those that push.
    writer: String,
    /// The remote's state is uncertain: at the start and after a failure.
    unsure: AtomicBool,
    /// A push with an unknown outcome may still arrive at the remote.
    unsettled: AtomicBool,
    contact: Mutex<Contact>,
    fetch_requests: FetchRequests,
}

/// The outcome of this process's last contacts with the remote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// The time of the last success.
    pub succeeded_at: Option<SystemTime>,
    /// The last failure; `None` after a success.
    pub failed: Option<(SystemTime, String)>,
}

impl Remote {
    /// Creates the remote without connecting to it.
    pub fn new(options: RemoteOptions, git: GitProgram) -> Remote {
        metrics::describe_histogram!(
            REMOTE_SECONDS,
            metrics::Unit::Seconds,
            "Duration of pushes to and fetches from the index's remote"
        );
        metrics::describe_gauge!(
            REMOTE_CONTACT,
            metrics::Unit::Seconds,
            "Unix time of the last successful contact with the index's remote"
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

    /// The URL without user and password.
    pub fn url(&self) -> String {
        redact::userinfo(&self.0.options.url)
    }

    /// The remote's branch, without `refs/heads/`.
    pub fn branch(&self) -> &str {
        &self.0.options.branch
    }

    /// An identifier of this process that no other process has or had.
    pub fn writer(&self) -> &str {
        &self.0.writer
    }

    /// The time limit for one push or fetch.
    pub fn limit(&self) -> Duration {
        self.0.options.limit
    }

    /// The outcome of the last contacts with the remote.
    pub fn contact(&self) -> Contact {
        self.0.contact.lock().clone()
    }

    /// The requests to bring the mirror up to date.
    pub fn fetch_requests(&self) -> &FetchRequests {
        &self.0.fetch_requests
    }

    /// Whether a fetch is needed before the next commit, because the remote's state is uncertain.
    pub fn is_unsure(&self) -> bool {
        self.0.unsure.load(Ordering::SeqCst)
    }

    /// Whether a push of this process with an unknown outcome may still arrive at the remote.
    pub fn is_unsettled(&self) -> bool {
        self.0.unsettled.load(Ordering::SeqCst)
    }

    fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch())
    }

    /// Runs git with the credentials and records the outcome. A command that cannot be run or times out is an error;
    /// `judge` interprets every other result.
    fn run<T>(
        &self,
        action: &'static str,
        arguments: &[&str],
        limit: Duration,
        judge: impl FnOnce(Ended) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        let begin = Instant::now();
        let step = tracing::trace_span!(target: STEP, "call index remote", action);
        let done = step.in_scope(|| self.start(action, arguments, limit)).and_then(judge);
        self.note(action, begin.elapsed(), done.as_ref().err());
        done
    }

    fn start(&self, action: &'static str, arguments: &[&str], limit: Duration) -> Result<Ended, IndexError> {
        let Parts { options, git, .. } = &*self.0;
        if limit.is_zero() {
            return Err(self.failed(action, "the time limit of the job is over"));
        }
        let mut command = git.command_with(&options.credentials.settings(&options.url)?);
        command.envs(options.environment.iter().map(|(name, value)| (name, value)));
        command.env("GIT_SSH_COMMAND", options.credentials.ssh_command()?).args(arguments);
        let ended = run_to_its_end(command, limit)
            .map_err(|source| IndexError::GitMissing { executable: git.executable.clone(), source })?;
        match ended.status {
            Some(_) => Ok(ended),
            None => {
                Err(self.failed(action, &format!("git took longer than {limit:?} and was stopped; {}", ended.stderr)))
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

    /// The error of a failed command, with its message and, if known, the remedy.
    fn failed(&self, action: &'static str, message: &str) -> IndexError {
        let message = self.without_secrets(message);
        let remedy = credentials::remedy(&message);
        IndexError::Remote { action, url: self.url(), message, remedy }
    }

    /// A message as one line, without credentials.
    fn without_secrets(&self, message: &str) -> String {
        let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
        self.0.options.credentials.strike_out(redact::userinfo(&line))
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("url", &self.url()).field("branch", &self.branch()).finish_non_exhaustive()
    }
}
