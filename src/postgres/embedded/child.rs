//! Programs of PostgreSQL as child processes of the chosen user, which end with this process.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::account::Account;
use crate::subprocess;

/// A command that runs `program` as `account` and gets `death_signal` when the thread that spawns it ends.
///
/// Its environment holds only the language of its messages, some of which are parsed. PostgreSQL would read defaults
/// from PG… variables, and must not get the secrets of this process's environment.
pub(super) fn command(program: &Path, account: Option<&Account>, death_signal: Signal) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
    if let Some(account) = account {
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    subprocess::die_with_this_process(&mut command, death_signal);
    command
}
