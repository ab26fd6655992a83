//! Clearing the way for a new server: the one an earlier owner left is seen off, and lock files that now name a
//! stranger are removed. PostgreSQL removes a stale lock file itself unless its number belongs to a living process of
//! the same user, which it takes for another server. The caller holds the data directory's lock, so that nobody else
//! starts a server here meanwhile; backends that survived are found by PostgreSQL through their shared memory, whose
//! key is derived from the directory and not from the removed file.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use super::pid_file::PidFile;
use super::{EmbeddedError, deadline};

/// What is done about a server that should end, and how long it then has for it. The first step only waits, because
/// the kernel told it already when its owner died.
const STEPS: [(Option<Signal>, Duration); 4] = [
    (None, Duration::from_secs(3)),
    (Some(Signal::SIGINT), Duration::from_secs(30)),
    (Some(Signal::SIGQUIT), Duration::from_secs(5)),
    (Some(Signal::SIGKILL), Duration::from_secs(5)),
];

/// Returns when no server runs in this cluster and no lock file keeps a new one from starting.
pub(super) fn see_off(cluster: &Path) -> Result<(), EmbeddedError> {
    for read in [PidFile::of_postmaster, PidFile::of_socket] {
        let Some(file) = read(cluster)? else { continue };
        if file.is_ours(cluster) {
            end(&file, cluster)?;
        } else if file.is_taken() {
            tracing::info!(pid = file.pid.as_raw(), file = %file.path.display(), "removing a stale PostgreSQL lock file whose process number now belongs to another program");
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
            tracing::warn!(pid = file.pid.as_raw(), %signal, "stopping a PostgreSQL server left by an earlier run");
            // It may have ended this moment, which is what is wanted.
            let _ = kill(file.pid, signal);
        }
        if deadline::until(patience, || (!file.is_ours(cluster)).then_some(())).is_some() {
            return Ok(());
        }
    }
    Err(EmbeddedError::Unstoppable { pid: file.pid.as_raw(), cluster: cluster.to_owned() })
}
