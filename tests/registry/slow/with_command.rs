//! `supercargo with`: a registry around a command, and nothing left of it.

use std::collections::HashMap;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::support::event::{wait_for, wait_until};
use crate::support::process::{failed, succeeded, supercargo};

/// Runs a shell script with a registry, asserts its exit code and returns its output.
fn script(options: &[&str], script: &str, code: i32) -> String {
    let output = supercargo().arg("with").args(options).args(["--", "sh", "-c", script]).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_data_directory_with_something_in_it_is_not_thrown_away() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("crates");
    std::fs::write(&kept, "kept").unwrap();
    let serve = ["serve", "--throwaway", "--listen", "127.0.0.1:0", "--data-dir"];
    let refused = failed(supercargo().args(serve).arg(directory.path()).output().unwrap(), 1);
    assert!(refused.contains("is not empty (it contains crates): choose an empty directory"), "{refused}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "kept");
}

#[test]
fn the_command_gets_the_variables_in_the_help() {
    let variables: HashMap<String, String> = script(&["--user", "bob", "--user", "ci-bot.2"], "env", 0)
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let url = &variables["SUPERCARGO_URL"];
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    assert_eq!(variables["SUPERCARGO_SPARSE_INDEX"], format!("sparse+{url}/index/"));
    assert_eq!(variables["SUPERCARGO_GIT_INDEX"], format!("{url}/git/index"));
    assert_eq!(variables["CARGO_REGISTRIES_SUPERCARGO_INDEX"], variables["SUPERCARGO_SPARSE_INDEX"]);
    assert_eq!(variables["CARGO_REGISTRIES_SUPERCARGO_TOKEN"], variables["SUPERCARGO_TOKEN"]);
    for token in ["SUPERCARGO_TOKEN", "SUPERCARGO_TOKEN_BOB", "SUPERCARGO_TOKEN_CI_BOT_2"] {
        assert!(variables[token].starts_with("sct_"), "{token}");
    }
    let help = succeeded(supercargo().args(["with", "--help"]).output().unwrap());
    for name in variables.keys().filter(|name| name.contains("SUPERCARGO") && !name.starts_with("SUPERCARGO_TOKEN_")) {
        assert!(help.contains(name.as_str()), "{name} is not in the help");
    }
    // It was all gone when the command had ended.
    assert!(!PathBuf::from(&variables["SUPERCARGO_DATA_DIR"]).exists());
    assert!(!alive(&variables["SUPERCARGO_PID"]));
}

#[test]
fn a_private_registry_is_made_by_the_environment_and_cargo_gets_in() {
    let home = tempfile::tempdir().unwrap();
    let search = "cargo search --registry supercargo anything && ! env -u CARGO_REGISTRIES_SUPERCARGO_TOKEN \
                  cargo search --registry supercargo anything";
    let mut command = supercargo();
    command.args(["with", "--", "sh", "-c", search]).current_dir(home.path());
    let output = command.env("CARGO_HOME", home.path()).env("SUPERCARGO_AUTH_REQUIRED", "true").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    succeeded(output);
    assert!(said.contains("no token found for `supercargo`"), "{said}");
}

#[test]
fn the_exit_status_is_the_commands() {
    script(&[], "exit 0", 0);
    script(&[], "exit 3", 3);
    script(&[], "kill -KILL $$", 128 + 9);
    let output = supercargo().args(["with", "--user", "a-b", "--user", "A_b", "--", "true"]).output().unwrap();
    insta::assert_snapshot!(failed(output, 1), @r#"supercargo: the tokens of "a-b" and "A_b" would both be in SUPERCARGO_TOKEN_A_B: choose names that differ by more than case and punctuation"#);
    let output = supercargo().args(["with", "--", "no-such-command"]).output().unwrap();
    insta::assert_snapshot!(failed(output, 1), @"supercargo: cannot run the command no-such-command: No such file or directory (os error 2)");
    failed(supercargo().arg("with").output().unwrap(), 2);
    failed(supercargo().args(["with", "--"]).output().unwrap(), 2);
}

#[test]
fn the_users_tokens_are_their_own() {
    let said = script(
        &["--user", "bob"],
        "curl -s -o /dev/null -w '%{http_code} ' -H \"Authorization: $SUPERCARGO_TOKEN_BOB\" $SUPERCARGO_URL/api/v1/me; \
         curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: sct_no' $SUPERCARGO_URL/api/v1/me",
        0,
    );
    assert_eq!(said, "200 403");
}

/// A command that says where the registry is and then waits.
fn waiting() -> (Child, Left) {
    let directory = tempfile::tempdir().unwrap();
    let told = directory.path().join("told");
    // No other program before the last one: a shell that is interrupted while it waits for a program that has ended just
    // then takes the signal for that one's.
    let script = format!("echo $SUPERCARGO_PID $SUPERCARGO_DATA_DIR > {}; sleep 600", told.display());
    let child = supercargo()
        .args(["with", "--", "sh", "-c", &script])
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let whole = |text: &String| text.ends_with('\n');
    let text = wait_for("the command", || std::fs::read_to_string(&told).ok().filter(whole));
    let (pid, data_dir) = text.trim().split_once(' ').unwrap();
    (child, Left { pid: pid.to_owned(), data_dir: data_dir.into() })
}

struct Left {
    pid: String,
    data_dir: PathBuf,
}

impl Left {
    fn assert_gone(&self) {
        wait_until("the registry to end", || !alive(&self.pid));
        wait_until("its directory to go", || !self.data_dir.exists());
        wait_until("its database to end", || !has_process_in(&self.data_dir));
    }
}

fn alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Whether some process names the directory in its arguments or works in it.
fn has_process_in(directory: &std::path::Path) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.into_iter().any(|process| {
        let works_in = std::fs::read_link(process.path().join("cwd"));
        works_in.is_ok_and(|works_in| works_in.to_string_lossy().starts_with(&*directory.to_string_lossy()))
    })
}

fn group(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

#[test]
fn nothing_is_left_when_it_is_terminated() {
    let (mut child, left) = waiting();
    kill(group(&child), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    assert!(!left.data_dir.exists());
    left.assert_gone();
}

/// As a terminal does it: the signal goes to every process of the group.
#[test]
fn nothing_is_left_when_it_is_interrupted() {
    let (mut child, left) = waiting();
    killpg(group(&child), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 2));
    left.assert_gone();
}

#[test]
fn nothing_is_left_when_it_is_killed() {
    let (mut child, left) = waiting();
    child.kill().unwrap();
    child.wait().unwrap();
    left.assert_gone();
}

#[test]
fn the_command_can_be_signalled_like_any_other() {
    // Without a shell in between, which may set its own.
    let output = supercargo().args(["with", "--", "grep", "SigBlk", "/proc/self/status"]).output().unwrap();
    assert_eq!(succeeded(output), "SigBlk:\t0000000000000000\n");
}

#[test]
fn two_at_once_are_two_registries() {
    let publish = "curl -s $SUPERCARGO_URL/index/config.json";
    let both: Vec<_> = std::thread::scope(|scope| {
        let running = [(); 2].map(|()| scope.spawn(|| script(&[], publish, 0)));
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_ne!(both[0], both[1]);
}

#[test]
fn a_database_of_the_surroundings_is_not_touched() {
    let output = Command::new(env!("CARGO_BIN_EXE_supercargo"))
        .args(["with", "--", "true"])
        .env("DATABASE_URL", "postgresql://nowhere.invalid/x")
        .env("SUPERCARGO_DATABASE_URL", "postgresql://nowhere.invalid/x")
        .env("SUPERCARGO_PUBLIC_URL", "https://elsewhere.example")
        .env("SUPERCARGO_LISTEN", "203.0.113.1:1")
        // libpq prefers this address to the directory of the embedded PostgreSQL's socket. Nothing listens there.
        .env("PGHOSTADDR", "127.0.0.9")
        .output()
        .unwrap();
    succeeded(output);
}

#[test]
fn the_registry_and_the_command_get_no_configuration_of_another_registry() {
    let output = Command::new(env!("CARGO_BIN_EXE_supercargo"))
        .args(["with", "--", "sh", "-c", "env; $0 admin user list; $0 config show", env!("CARGO_BIN_EXE_supercargo")])
        .env("DATABASE_URL", "postgresql://nowhere.invalid/x")
        .env("SUPERCARGO_CONFIG", "/no/such/file")
        .env("SUPERCARGO_METRICS_LISTEN", "nowhere")
        .env("SUPERCARGO_MAX_FEATURES", "7")
        .output()
        .unwrap();
    let said = succeeded(output);
    for another in ["SUPERCARGO_CONFIG=", "SUPERCARGO_METRICS_LISTEN="] {
        assert!(!said.contains(another), "{said}");
    }
    // The command may use a database, and reads the rules of packages; its registry is the temporary one.
    assert!(said.contains("\nDATABASE_URL=postgresql://nowhere.invalid/x\n"), "{said}");
    assert!(said.contains("\nSUPERCARGO_MAX_FEATURES=7\n"), "{said}");
    assert!(said.lines().any(|line| line.split_whitespace().eq(["1", "admin", "admin", "active"])), "{said}");
    assert!(said.contains("/supercargo.toml\n"), "{said}");
}
