//! Programs of PostgreSQL as children of this process: run by the chosen user, and never outliving us.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};

use super::account::Account;

/// A command for `program` as `account`, that gets `death_signal` when the thread that spawns it ends.
///
/// Its environment is empty but for the language of its messages, which are recognised: PostgreSQL would take
/// defaults from PG… variables, and has no business with the secrets that may stand in ours.
pub(super) fn command(program: &Path, account: Option<&Account>, death_signal: Signal) -> Command {
    let owner = getpid();
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
    if let Some(account) = account {
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    // SAFETY: between fork and exec the closure only makes the system calls prctl and getppid and allocates nothing.
    // It runs after the change of user, which would clear the signal.
    unsafe {
        command.pre_exec(move || die_with(owner, death_signal));
    }
    command
}

/// Asks for the signal, and refuses to go on when the owner died before it was asked for.
fn die_with(owner: Pid, signal: Signal) -> io::Result<()> {
    set_pdeathsig(signal)?;
    if getppid() == owner { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
}
