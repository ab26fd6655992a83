//! Why the monitor cannot run.

#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    #[error("cannot find the data directory: {0}")]
    DataDir(#[source] std::io::Error),
    #[error("cannot read {path} ({flag}): {source}")]
    Secret { flag: &'static str, path: String, source: std::io::Error },
    #[error("the file {path} ({flag}) holds no valid {what}: {problem}")]
    InvalidSecret { flag: &'static str, path: String, what: &'static str, problem: &'static str },
    #[error("cannot write the state file {path} ({source}): name a writable file with --monitor-state")]
    State { path: String, source: std::io::Error },
    #[error(
        "the state file {path} is damaged or of a newer version ({source}): move it away to start with an empty state, which \
         pages again for current problems"
    )]
    Damaged { path: String, source: serde_json::Error },
    #[error("another monitor uses {path}: stop it first, or name another file with --monitor-state")]
    InUse { path: String },
    #[error("there is no receiver to page: add one with --pagerduty-key-file or --webhook-url")]
    NoReceivers,
    #[error("cannot read the registered kinds of jobs")]
    Kinds(#[from] crate::queue::registry::RegistryError),
    #[error("cannot set up TLS for pages: {0}")]
    Tls(String),
}
