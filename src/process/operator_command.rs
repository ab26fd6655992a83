//! Commands that operators run on a registry's database, beside `serve` or without it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::admin;
use crate::config::StorageOptions;
use crate::database::access::audit::Actor;
use crate::process::signals::Signals;
use crate::process::{CommandError, Storage, hardening};

/// A command whose answer nobody reads any more (`| head`) ends silently, as other programs do.
#[allow(unsafe_code)]
pub fn end_with_the_pipe() -> Result<(), CommandError> {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // Safety: the default action runs no code of ours.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }
        .map(drop)
        .map_err(|error| CommandError::from(std::io::Error::from(error)))
}

/// Runs an operator's command on the database of a registry, whether it is being served or not.
pub fn on(
    options: &StorageOptions,
    command: impl FnOnce(&mut diesel::PgConnection) -> Result<(), admin::AdminError>,
) -> Result<(), CommandError> {
    let storage = Storage::attach_or_start(options)?;
    let done = storage.connect().and_then(|mut connection| Ok(command(&mut connection)?));
    storage.close()?;
    done
}

/// The account on this machine, for the log.
pub fn operator() -> Actor {
    let uid = nix::unistd::getuid();
    let account = nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    let host = nix::unistd::gethostname().unwrap_or_default();
    Actor::operator(format!("{account}@{}", host.to_string_lossy()))
}

/// The token of another registry, from a file, so that no list of processes shows it.
pub fn read_token(path: &Path) -> Result<String, CommandError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CommandError::while_doing(format!("--token-file: {} can't be read", path.display()), error))?;
    hardening::warn_of_readers(path, "the token");
    match text.trim() {
        "" => Err(CommandError::new(format!("--token-file: {} is empty", path.display()))),
        token => Ok(token.to_owned()),
    }
}

/// The first signal stops the run where it can go on, the second one ends the program.
pub fn stop_on_signal(signals: Signals) -> Result<Arc<AtomicBool>, CommandError> {
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    std::thread::Builder::new().name("signal".to_owned()).spawn(move || {
        if signals.wait().is_ok() {
            stop.store(true, Ordering::Relaxed);
            // Without this thread the process is left to its end.
            let _ = signals.leave_at_the_next();
        }
    })?;
    Ok(stopped)
}
