//! Protection from other users of the machine: a umask that gives them no access to new files, and no core dumps, which
//! could contain tokens.
//!
//! PostgreSQL and git inherit both. The command that `supercargo with` runs gets the umask and the limit that this process
//! was started with.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};

use crate::postgres::url::has_password;

/// The umask and the core dump limit that this process was started with.
static BEFORE: OnceLock<(Mode, u64)> = OnceLock::new();

/// Sets both. Called before any file is created and any thread is started.
pub fn begin() {
    let mask = umask(Mode::S_IRWXG | Mode::S_IRWXO);
    let (soft, hard) = getrlimit(Resource::RLIMIT_CORE).unwrap_or((0, 0));
    // Only the soft limit, so that `restore_for` can raise it again. Lowering it cannot fail.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, hard);
    let _ = BEFORE.set((mask, soft));
}

/// Gives a command the umask and the limit that this process was started with.
#[expect(unsafe_code, reason = "sets umask and limit between fork and exec")]
pub fn restore_for(command: &mut Command) {
    let Some(&(mask, soft)) = BEFORE.get() else { return };
    // SAFETY: between fork and exec the closure only makes system calls and does not allocate.
    unsafe {
        command.pre_exec(move || {
            umask(mask);
            let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
            Ok(setrlimit(Resource::RLIMIT_CORE, soft, hard)?)
        });
    }
}

/// The mode of directories above the data directory.
pub fn usual_mode() -> u32 {
    0o777 & !BEFORE.get().map_or(0o022, |(mask, _)| mask.bits())
}

/// Logs a warning if every user of the machine can read a file with a secret.
pub fn warn_of_readers(file: &Path, what: &str) {
    use std::os::unix::fs::PermissionsExt;
    if std::fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o004 != 0) {
        let path = file.display();
        tracing::warn!("every user of this machine can read {what} in {path}: run `chmod 600 {path}`");
    }
}

/// Logs a warning about a password on the command line, which `ps` shows to every user of the machine.
pub fn warn_of_password(database_url: Option<&str>) {
    if database_url.is_some_and(has_password) && crate::config::is_on_command_line("--database-url") {
        tracing::warn!(
            "every user of this machine can read the password in --database-url with `ps`: set SUPERCARGO_DATABASE_URL \
             in the environment instead"
        );
    }
}
