//! Preparation for a new server: a server of an earlier run is stopped, and stale lock files are removed.
//!
//! PostgreSQL removes a stale lock file itself, unless a process of the same user has its number: then it mistakes that
//! process for a server. The caller holds the data directory's lock, so that no other process starts a server here
//! meanwhile. PostgreSQL finds surviving backends by their shared memory, whose key is derived from the directory and
//! not from the removed file.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use super::deadline;
use super::error::EmbeddedError;
use super::pid_file::PidFile;

/// The signals to a server that should end, each with the time it then has. The first step only waits, because the
/// kernel sent a signal when the owner died.
const STEPS: [(Option<Signal>, Duration); 4] = [
    (None, Duration::from_secs(3)),
    (Some(Signal::SIGINT), Duration::from_secs(30)),
    (Some(Signal::SIGQUIT), Duration::from_secs(5)),
    (Some(Signal::SIGKILL), Duration::from_secs(5)),
];

/// Waits until no server runs in this cluster, and removes lock files that prevent the start of a new one.
pub(super) fn remove(cluster: &Path) -> Result<(), EmbeddedError> {
    for read in [PidFile::of_postmaster, PidFile::of_socket] {
        let Some(file) = read(cluster)? else { continue };
        if file.is_ours(cluster) {
            end(&file, cluster)?;
        } else if file.is_taken() {
            tracing::info!(
                pid = file.pid.as_raw(), file = %file.path.display(),
                "removing a stale PostgreSQL lock file: another program has its process number now"
            );
            match fs::remove_file(&file.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(EmbeddedError::directory("remove", &file.path, error));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn end(file: &PidFile, cluster: &Path) -> Result<(), EmbeddedError> {
    for (signal, patience) in STEPS {
        if let Some(signal) = signal {
            tracing::warn!(pid = file.pid.as_raw(), %signal, "stopping the PostgreSQL server of an earlier run");
            // It fails if the server has just ended.
            let _ = kill(file.pid, signal);
        }
        if deadline::until(patience, || (!file.is_ours(cluster)).then_some(())).is_some() {
            return Ok(());
        }
    }
    Err(EmbeddedError::Unstoppable { pid: file.pid.as_raw(), cluster: cluster.to_owned() })
}
