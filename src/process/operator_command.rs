//! Helpers of the commands that operators run, beside a running `serve` or without it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::admin;
use crate::config::StorageOptions;
use crate::database::access::audit::Actor;
use crate::package::RegistryUrls;
use crate::package::registry_urls::is_crates_io;
use crate::process::signals::Signals;
use crate::process::{CommandError, Storage, hardening};

/// Restores the default action of SIGPIPE, so that a command ends silently when its output is closed (`| head`).
#[expect(unsafe_code, reason = "restores the default action of a signal")]
pub fn end_with_the_pipe() -> Result<(), CommandError> {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: the default action runs no code of this program.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }
        .map(drop)
        .map_err(|error| CommandError::from(std::io::Error::from(error)))
}

/// Runs a command on the registry's database, whether the registry is being served or not.
pub fn on(
    options: &StorageOptions,
    command: impl FnOnce(&mut diesel::PgConnection) -> Result<(), admin::AdminError>,
) -> Result<(), CommandError> {
    let storage = Storage::attach_or_start(options)?;
    let done = storage.connect().and_then(|mut connection| Ok(command(&mut connection)?));
    storage.close()?;
    done
}

/// The operator, `account@host`, for the audit log and the job history.
pub fn operator() -> Actor {
    let uid = nix::unistd::getuid();
    let account = nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    let host = nix::unistd::gethostname().unwrap_or_default();
    Actor::operator(format!("{account}@{}", host.to_string_lossy()))
}

/// Reads the token of another registry from the file of an option.
pub fn read_token(option: &str, path: &Path) -> Result<String, CommandError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CommandError::while_doing(format!("{option}: cannot read {}", path.display()), error))?;
    hardening::warn_of_readers(path, "the token");
    match text.trim() {
        "" => Err(CommandError::new(format!("{option}: {} is empty: write the token into it", path.display()))),
        token => Ok(token.to_owned()),
    }
}

/// A flag that the first signal sets; the second signal ends the program.
pub fn stop_on_signal(signals: Signals) -> Result<Arc<AtomicBool>, CommandError> {
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    std::thread::Builder::new().name("signal".to_owned()).spawn(move || {
        if signals.wait().is_ok() {
            stop.store(true, Ordering::Relaxed);
            // Without this thread the second signal is ignored, and the process still ends after the run.
            let _ = signals.exit_at_the_next();
        }
    })?;
    Ok(stopped)
}

/// Adds the URLs of --index-alias.
pub fn with_aliases(urls: RegistryUrls, aliases: &[String]) -> Result<RegistryUrls, CommandError> {
    aliases.iter().try_fold(urls, |urls, url| {
        let urls = urls.with_index(url);
        if urls.is_own(url) {
            return Ok(urls);
        }
        let remedy = if is_crates_io(url) {
            "is crates.io: use --crates-io-dependencies of `supercargo admin import`"
        } else {
            "is not the URL of an index: write it as in registry-index of a Cargo.toml"
        };
        Err(CommandError::new(format!("--index-alias: {url} {remedy}")))
    })
}
