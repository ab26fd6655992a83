//! Anonymous requests while the database does not answer.

use std::io::Write;
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::http_forms::status;
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::process::{supercargo, wait_for_url};

/// As many as there are threads for blocking code, and some more.
const MANY: usize = 600;

/// A registry with a PostgreSQL of its own, which can be stopped like a program in a terminal.
struct Freezing {
    child: Child,
    url: String,
    _directory: tempfile::TempDir,
}

impl Freezing {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let data_dir = directory.path().join("data");
        let mut command = supercargo();
        command.args(["serve", "--listen", "127.0.0.1:0", "--max-connections", "4000", "--log", "error"]);
        let mut child = command.arg("--data-dir").arg(&data_dir).stdout(Stdio::null()).spawn().unwrap();
        let url = wait_for_url(&mut child, &data_dir);
        Self { child, url, _directory: directory }
    }

    /// Sends a signal to every process of the database.
    fn signal_database(&self, signal: Signal) {
        let mut left = vec![self.child.id()];
        while let Some(parent) = left.pop() {
            for (process, name) in children(parent) {
                left.push(process);
                if name.starts_with("postgres") {
                    // One that has ended meanwhile is not running either.
                    let _ = kill(Pid::from_raw(process.cast_signed()), signal);
                }
            }
        }
    }

    fn send(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        stream
    }

    fn status(&self, path: &str) -> u16 {
        status(&mut self.send(path))
    }

    /// Both protocols of the index.
    fn assert_index_is_served(&self) {
        assert_eq!(self.status("/index/config.json"), 200);
        assert_eq!(self.status("/index/no/th/nothing"), 404);
        assert_eq!(self.status("/git/index/info/refs?service=git-upload-pack"), 200);
        assert_eq!(self.status("/health/live"), 200);
    }
}

impl Drop for Freezing {
    fn drop(&mut self) {
        self.signal_database(Signal::SIGCONT);
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// The children of a process, with their names.
fn children(of: u32) -> Vec<(u32, String)> {
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let described = processes.filter_map(|process: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let parent: u32 = rest.split_whitespace().nth(1)?.parse().ok()?;
        (parent == of).then(|| (process, name.to_owned()))
    });
    described.collect()
}

#[test]
fn with_a_frozen_database_no_number_of_anonymous_requests_stops_the_index() {
    // The connections of this test.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let registry = Freezing::start();
    assert_eq!(registry.status("/metrics"), 200);
    registry.signal_database(Signal::SIGSTOP);

    let metrics: Vec<_> = (0..MANY).map(|_| registry.send("/metrics")).collect();
    registry.assert_index_is_served();
    // They are answered without the database.
    for mut stream in metrics {
        assert_eq!(status(&mut stream), 200);
    }
    wait_until("the outage in the metrics", || {
        http::get(&format!("{}/metrics", registry.url)).good().text().contains("supercargo_database_up 0\n")
    });

    let paths = ["/api/v1/crates", "/api/v1/crates/foo", "/api/v1/summary", "/health/ready"];
    let reads: Vec<_> = (0..MANY).map(|n| registry.send(paths[n % paths.len()])).collect();
    registry.assert_index_is_served();
    assert_eq!(registry.status("/metrics"), 200);
    drop(reads);

    registry.signal_database(Signal::SIGCONT);
    wait_until("the database in the metrics", || {
        http::get(&format!("{}/metrics", registry.url)).good().text().contains("supercargo_database_up 1\n")
    });
    wait_until("readiness", || registry.status("/health/ready") == 200);
}
