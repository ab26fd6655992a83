//! What a terminal sees of this program: its own lines, and nothing that PostgreSQL or a C library writes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use diesel::connection::SimpleConnection;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::event::wait_until;
use crate::support::process::{Served, supercargo};

/// Asserts that a log has only lines of this program: each begins with a time.
fn assert_own(log: &str) {
    for line in log.lines() {
        assert!(line.starts_with("20") && line.contains('Z'), "{line:?} is not of this program:\n{log}");
    }
}

/// A warning of the server comes before Diesel can turn libpq's output off.
#[test]
fn a_warning_of_the_server_at_a_new_connection_is_in_the_log_only() {
    let mut served = Served::start_with_log("info", &[]);
    let collation = "UPDATE pg_database SET datcollversion = 'other' WHERE datname = current_database()";
    served.database.connect().batch_execute(collation).unwrap();
    let said = |level: &str| {
        let mut command = served.command("admin user list");
        let output = command.env("SUPERCARGO_LOG", level).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(said("warn"), "");
    let logged = said("info");
    assert!(logged.contains("INFO written by a library: WARNING:  database"), "{logged}");
    assert_own(&logged);
    served.kill();
    served.start_again();
    served.stop();
    assert!(served.log().contains("written by a library: WARNING:  database"), "{}", served.log());
    assert_own(&served.log());
}

/// The connection that waits for notifications gets the server's last message while no statement runs.
#[test]
fn the_last_message_of_a_session_that_the_server_ends_is_in_the_log_only() {
    let mut served = Served::start_with_log("info", &[]);
    wait_until("the listener", || sessions(&served, "LISTEN%") > 0);
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    served.database.connect().batch_execute(end).unwrap();
    wait_until("the loss", || served.log().contains("the LISTEN connection was lost"));
    served.stop();
    let log = served.log();
    assert!(log.contains("INFO written by a library: FATAL:  terminating connection due to administrator"), "{log}");
    assert_own(&log);
}

/// The number of sessions of the registry whose last statement is like this.
fn sessions(served: &Served, statement: &str) -> i64 {
    use diesel::prelude::*;
    use diesel::sql_types::{BigInt, Text};
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let query = "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND query LIKE $1";
    let counted = diesel::sql_query(query).bind::<Text, _>(statement);
    counted.get_result::<Count>(&mut served.database.connect()).unwrap().count
}

/// The number of the process in a file of PostgreSQL.
fn postmaster(data_dir: &Path) -> Pid {
    let file = std::fs::read_to_string(data_dir.join("postgres/postmaster.pid")).unwrap();
    Pid::from_raw(file.lines().next().unwrap().parse().unwrap())
}

#[test]
fn a_private_postgresql_that_stops_under_open_connections_writes_to_the_log_only() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let script = format!("echo $SUPERCARGO_DATA_DIR > {}; read line", place("told").display());
    let mut child = supercargo()
        .args(["with", "--", "sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(place("stderr")).unwrap())
        .spawn()
        .unwrap();
    let told = || std::fs::read_to_string(place("told")).ok().filter(|text| text.ends_with('\n'));
    wait_until("the command", || told().is_some());
    let data_dir = PathBuf::from(told().unwrap().trim());
    let stderr = || std::fs::read_to_string(place("stderr")).unwrap();
    kill(postmaster(&data_dir), Signal::SIGINT).unwrap();
    wait_until("the report", || stderr().contains("PostgreSQL exited unexpectedly"));
    wait_until("the loss", || stderr().contains("the LISTEN connection was lost"));
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(child.wait().unwrap().success(), "{}", stderr());
    // The report quotes the end of the server's log, each line of which has a time as well.
    for line in stderr().lines() {
        assert!(line.starts_with("20"), "{line:?} is not of this program:\n{}", stderr());
    }
}
