//! Whether a registry is well, for those who have to do something about it.
//!
//! A **look** makes every check once; a check answers a [`Finding`](finding::Finding). What can't be looked at, because something it needs is
//! away that has a check of its own, is *skipped*: it says neither that all is well nor that it is not, and so neither
//! opens an incident nor ends one. An outage of the database is one page, and not one for each check.
//!
//! An **incident** is a check that found something in several looks in a row, and lasts until the check found nothing in as
//! many. It is keyed by the installation's name and the check. Each incident is two **events**, a trigger and a resolve. An
//! event is first written into the state file, once for each receiver, in the same write that opens or ends the incident;
//! then it is sent, in the order of the file, and struck out when the receiver has taken it. So a monitor that is killed
//! anywhere forgets no event, and makes none twice. What it can't know is whether a receiver took an event whose
//! acknowledgement was lost with the process: that event is sent again under the same key and id, by which the receiver
//! knows it.
//!
//! | file | what |
//! |---|---|
//! | [`finding`] | what a check answers |
//! | [`look`] | all checks, made |
//! | [`queue_checks`], [`disk`], [`certificate`], [`endpoint`], [`index_remote`], [`database_check`], [`verification`] | the checks |
//! | [`report`] | a look for people, monitoring systems and scripts |
//! | [`incidents`] | from looks to events |
//! | [`state`] | the file that remembers |
//! | [`delivery`] | from events to receivers |
//! | [`pagerduty`], [`webhook`] | the receivers |
//! | [`http`] | requests with time limits |

pub mod certificate;
pub mod database_check;
pub mod delivery;
pub mod disk;
pub mod endpoint;
pub mod finding;
pub mod http;
pub mod incidents;
pub mod index_remote;
pub mod look;
pub mod pagerduty;
pub mod queue_checks;
pub mod report;
pub mod state;
pub mod verification;
pub mod webhook;

/// The time limit of each check, and of each request to a receiver.
pub const CHECK_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Why the monitor can't work. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    #[error("the data directory can't be found: {0}; name it with --data-dir")]
    DataDir(#[source] std::io::Error),
    #[error("the file {path} ({flag}) can't be read: {source}")]
    Secret { flag: &'static str, path: String, source: std::io::Error },
    #[error("the file {path} ({flag}) holds no {what}: {problem}")]
    NoSecret { flag: &'static str, path: String, what: &'static str, problem: &'static str },
    #[error(
        "what was paged can't be remembered in {path}: {source}; name a file that can be written with --monitor-state"
    )]
    State { path: String, source: std::io::Error },
    #[error(
        "{path}, where it is remembered what was paged, is no such file, or one of a newer version: move it away to start \
         anew, which pages again for what is wrong now ({source})"
    )]
    Damaged { path: String, source: serde_json::Error },
    #[error("another monitor uses {path}: stop it first, or give this one a file of its own with --monitor-state")]
    InUse { path: String },
    #[error("nobody would be paged: name a receiver with --pagerduty-key-file or --webhook-url")]
    NoReceivers,
    #[error("the kinds of jobs can't be told")]
    Kinds(#[from] crate::queue::registry::RegistryError),
    #[error("TLS can't be set up for pages: {0}")]
    Tls(String),
}
