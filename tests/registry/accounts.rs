//! The account that runs `serve`: one without a name, as in a container that is given a number, and one without a home.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::support::other_user::{STRANGER, is_root};
use crate::support::process::{PROGRAM, failed, succeeded};

/// The program with an empty environment as a user whose number has no name. Root becomes that user; others have the
/// number in a user namespace, where their own files are that user's.
fn as_a_stranger() -> Command {
    let mut command = if is_root() {
        let mut command = Command::new(PROGRAM);
        command.uid(STRANGER).gid(STRANGER);
        command
    } else {
        let number = STRANGER.to_string();
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-user", &number, "--map-group", &number]).arg(PROGRAM);
        command
    };
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command
}

/// A directory that belongs to that user.
fn directory_of_a_stranger() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    give_to_a_stranger(directory.path());
    directory
}

fn give_to_a_stranger(directory: &Path) {
    if is_root() {
        succeeded(
            Command::new("chown").args(["-R", &format!("{STRANGER}:{STRANGER}")]).arg(directory).output().unwrap(),
        );
    }
}

#[test]
fn a_user_without_a_name_is_told_what_postgresql_needs_and_leaves_nothing() {
    let directory = directory_of_a_stranger();
    let data_dir = directory.path().join("data");
    let mut command = as_a_stranger();
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--data-dir"]).arg(&data_dir);
    insta::assert_snapshot!(failed(command.output().unwrap(), 1), @"supercargo: the user ID 65530 has no name in /etc/passwd, without which PostgreSQL cannot create a database: run supercargo as a user with a name, add one (echo 'supercargo:x:65530:65530::/nonexistent:/usr/sbin/nologin' >> /etc/passwd, as root or in the container image), or use a database server of your own with --database-url");
    let left: Vec<_> = std::fs::read_dir(&data_dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
}

#[test]
fn without_a_home_the_data_directory_must_be_named() {
    let directory = directory_of_a_stranger();
    for (arguments, code) in [(&["serve"][..], 1), (&["admin", "user", "list"], 1), (&["verify"], 2)] {
        let said = failed(as_a_stranger().args(arguments).current_dir(directory.path()).output().unwrap(), code);
        assert_eq!(
            said,
            "supercargo: there is no default data directory, because neither HOME nor XDG_DATA_HOME is set: name a directory \
             with --data-dir, or set one of them\n"
        );
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    // What needs no data directory needs no home.
    succeeded(as_a_stranger().args(["config", "check"]).current_dir(directory.path()).output().unwrap());
    let shown = succeeded(as_a_stranger().args(["config", "show"]).current_dir(directory.path()).output().unwrap());
    let row = shown.lines().find(|line| line.starts_with("data-dir ")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["data-dir", "-", "default"]);
}

/// Tests that start several processes. The inner loop leaves them out.
mod slow {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Stdio;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;
    use crate::support::http;
    use crate::support::other_user::NOBODY;
    use crate::support::package::Package;
    use crate::support::process::{supercargo, wait_for_url};

    #[test]
    fn a_database_that_exists_is_served_by_a_user_without_a_name() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let data_dir = directory.path().join("data");
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--log", "error", "--publish-wait", "60s", "--data-dir"];
        let mut first = supercargo();
        first.args(arguments).arg(&data_dir);
        if is_root() {
            first.uid(NOBODY).gid(NOBODY);
        }
        let mut child = first.stdout(Stdio::null()).spawn().unwrap();
        wait_for_url(&mut child, &data_dir);
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert!(child.wait().unwrap().success());
        give_to_a_stranger(&data_dir);
        let mut child = as_a_stranger().args(arguments).arg(&data_dir).stdout(Stdio::null()).spawn().unwrap();
        let url = wait_for_url(&mut child, &data_dir);
        let token = std::fs::read_to_string(data_dir.join("admin-token")).unwrap();
        let reply = http::publish(&url, token.trim(), &Package::new("foo", "1.0.0"));
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert!(child.wait().unwrap().success());
        reply.good();
    }
}
