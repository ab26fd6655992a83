//! Programs of PostgreSQL as children of this process: run by the chosen user, and never outliving us.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::account::Account;
use crate::subprocess;

/// A command for `program` as `account`, that gets `death_signal` when the thread that spawns it ends.
///
/// Its environment is empty but for the language of its messages, which are recognised: PostgreSQL would take
/// defaults from PG… variables, and has no business with the secrets that may stand in ours.
pub(super) fn command(program: &Path, account: Option<&Account>, death_signal: Signal) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
    if let Some(account) = account {
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    subprocess::die_with_this_process(&mut command, death_signal);
    command
}
