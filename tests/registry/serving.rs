//! `supercargo serve`: starting, stopping, and what it says when it can't.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use diesel::connection::SimpleConnection;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use supercargo::postgres::embedded;

use crate::support::cluster::Database;
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed, succeeded, supercargo, wait_for_url};

/// A registry on its embedded default.
struct Embedded {
    directory: tempfile::TempDir,
    child: Option<Child>,
    url: String,
}

impl Embedded {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o711)).unwrap();
        Self { directory, child: None, url: String::new() }
    }

    fn data_dir(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = supercargo();
        command.args(subcommand.split(' ')).env("SUPERCARGO_LOG", "warn").arg("--data-dir").arg(self.data_dir());
        command
    }

    fn start(&mut self) {
        let _ = std::fs::remove_file(self.data_dir().join("url"));
        let mut child = self
            .command("serve")
            .args(["--listen", "127.0.0.1:0", "--publish-wait", "60s"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.url = wait_for_url(&mut child, &self.data_dir());
        self.child = Some(child);
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.data_dir().join("admin-token")).unwrap().trim().to_owned()
    }

    fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        terminate(&child);
        assert!(child.wait().unwrap().success());
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            terminate(&child);
            child.wait().unwrap();
        }
    }
}

fn terminate(child: &Child) {
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
}

// protocol: 2, 7
#[test]
fn config_json_follows_the_public_url_and_a_restart_with_the_same_changes_nothing() {
    let mut served = Served::start(&["--public-url", "https://crates.example/registry/"]);
    let config = |served: &Served| http::get(&format!("{}/index/config.json", local(served))).json();
    assert_eq!(config(&served)["api"], "https://crates.example/registry");
    assert_eq!(config(&served)["dl"], "https://crates.example/registry/api/v1/crates");
    let commits = |served: &Served| {
        let log =
            Command::new("git").args(["log", "--format=%s"]).current_dir(served.data_dir().join("index.git")).output();
        String::from_utf8(log.unwrap().stdout).unwrap()
    };
    assert_eq!(commits(&served), "Initialise the index\n");
    served.stop();
    served.start_again();
    assert_eq!(commits(&served), "Initialise the index\n");
    served.stop();
    served.set_arguments(&["--public-url", "https://other.example"]);
    served.start_again();
    assert_eq!(config(&served)["api"], "https://other.example");
    assert_eq!(commits(&served), "Update config.json\nInitialise the index\n");
}

#[test]
fn the_log_of_a_start_says_what_runs_where() {
    let served =
        Served::start_with_log("info", &["--public-url", "https://crates.example", "--metrics-listen", "127.0.0.1:0"]);
    wait_until("the line of the start", || served.log().contains(" serving "));
    let log = served.log();
    let started = log.lines().find(|line| line.contains("started supercargo")).unwrap();
    let [listen, metrics] = ["listen=127.0.0.1:", "metrics_listen=127.0.0.1:"];
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    for part in [&version, listen, metrics, &format!("data_dir={}", served.data_dir().display()), "database=\"postgres"]
    {
        assert!(started.contains(part), "{part}: {started}");
    }
    let serving = "serving url=\"https://crates.example\" index=\"sparse+https://crates.example/index/\"";
    assert!(log.contains(serving), "{log}");
}

/// The address it listens on, whatever it is called.
fn local(served: &Served) -> String {
    format!("http://{}", served.address())
}

#[test]
fn what_a_killed_writer_left_does_not_stop_the_next_start() {
    let mut served = Served::start(&[]);
    served.kill();
    std::fs::write(served.data_dir().join("index.git/refs/heads/main.lock"), "").unwrap();
    // On another port, so that config.json is to be written.
    served.start_again();
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    assert_eq!(http::index_lines(&served.url, "3/f/foo").len(), 1);
}

/// A publish of which the server has read the half when it is told to stop.
#[test]
fn a_publish_in_flight_is_finished_before_the_end() {
    let mut served = Served::start(&[]);
    let token = served.token("ann");
    let body = Package::new("foo", "1.0.0").body();
    let mut stream = TcpStream::connect(served.address()).unwrap();
    let head = format!(
        "PUT /api/v1/crates/new HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // It is asked for when the handler begins to read, and not before.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body[..body.len() / 2]).unwrap();
    served.signal(Signal::SIGTERM);
    // It has heard the signal when it takes its address back.
    wait_until("the word to be heard", || !served.data_dir().join("url").exists());
    stream.write_all(&body[body.len() / 2..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    served.wait();
    served.start_again();
    assert_eq!(http::index_lines(&served.url, "3/f/foo").len(), 1);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut served = Served::start(&[]);
    let mut stream = TcpStream::connect(served.address()).unwrap();
    // A request that would keep it for as long as its grace allows.
    stream.write_all(b"PUT /api/v1/crates/new HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n").unwrap();
    served.signal(Signal::SIGTERM);
    wait_until("the word to be heard", || !served.data_dir().join("url").exists());
    served.signal(Signal::SIGTERM);
    assert_eq!(served.wait_for_status().code(), Some(128 + 15));
}

// rule: 2
// protocol: 54
#[test]
fn a_request_that_is_refused_early_is_heard_out_so_that_the_client_reads_why() {
    let served = Served::start(&["--max-crate-size", "1000"]);
    let token = served.token("ann");
    // Far more than fits into the sockets' buffers.
    let body = vec![b'x'; 30_000_000];
    for token in [token.as_str(), "sct_unknown"] {
        let mut stream = TcpStream::connect(served.address()).unwrap();
        let head = format!(
            "PUT /api/v1/crates/new HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let expected = if token == "sct_unknown" { "HTTP/1.1 403 Forbidden" } else { "HTTP/1.1 413 Payload Too Large" };
        assert!(answer.starts_with(expected), "{answer}");
        assert!(answer.contains("{\"errors\":[{\"detail\":\""), "{answer}");
        if token != "sct_unknown" {
            assert!(
                answer.contains("the request has 30000000 bytes, above the limit of 1000 for the crate file"),
                "{answer}"
            );
        }
    }
}

/// Curl, and so cargo, asks before it sends much.
// rule: 2
// protocol: 51, 93
#[test]
fn a_client_that_asks_before_it_sends_is_told_to_go_on_or_why_not() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    let body = Package::new("foo", "1.0.0").body();
    let ask = |length: usize| {
        let mut stream = TcpStream::connect(served.address()).unwrap();
        let head = format!(
            "PUT /api/v1/crates/new HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: {length}\r\n\
             Expect: 100-continue\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let mut stream = ask(body.len());
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");

    let mut answer = String::new();
    ask(1_000_000_000).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large"), "{answer}");
}

/// What a failed `serve` says, paths and ports replaced.
fn refusal(output: Output, directory: &Path) -> String {
    let said = failed(output, 1).replace(directory.to_str().unwrap(), "DIR");
    said.lines().filter(|line| !line.contains("WARN")).collect::<Vec<_>>().join("\n")
}

fn serve(data_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = supercargo();
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--data-dir"]).arg(data_dir).args(arguments);
    command.output().unwrap()
}

#[test]
fn what_stands_in_the_way_is_said_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let data_dir = directory.path().join("data");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = supercargo();
    let output = command.args(["serve", "--listen", &address, "--data-dir"]).arg(&data_dir).output().unwrap();
    insta::assert_snapshot!(refusal(output, directory.path()).replace(&address, "ADDRESS"), @"supercargo: cannot listen on ADDRESS (another program uses this port; choose another with --listen): Address already in use (os error 98)");

    let empty = directory.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let said = refusal(serve(&data_dir, &["--postgres-bin-dir", empty.to_str().unwrap()]), directory.path());
    assert!(said.contains("DIR/empty") && said.contains("apt-get install postgresql"), "{said}");

    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    insta::assert_snapshot!(refusal(serve(&file.join("data"), &[]), directory.path()), @"supercargo: cannot use the data directory DIR/file/data (choose another with --data-dir): File exists (os error 17)");

    let url = "postgresql://me:secret@127.0.0.1:9/registry?connect_timeout=2";
    let said = refusal(serve(&data_dir, &["--database-url", url]), directory.path());
    assert!(said.starts_with("supercargo: cannot reach the database at postgresql://127.0.0.1:9/registry:"), "{said}");
    assert!(!said.contains("secret"), "{said}");

    let git = refusal(
        serve(&data_dir, &["--database-url", &Database::fresh().url(), "--git", "no-such-git"]),
        directory.path(),
    );
    insta::assert_snapshot!(git, @"supercargo: cannot run no-such-git: install git (Debian: apt-get install git): No such file or directory (os error 2)");
}

#[test]
fn a_data_directory_has_one_serve_and_a_database_no_older_program() {
    let mut served = Served::start(&[]);
    let path = served.data_dir();
    let said = refusal(serve(&path, &["--database-url", &served.database.url()]), &path);
    let holder = std::fs::read_to_string(path.join("lock")).unwrap();
    assert_eq!(
        said,
        format!(
            "supercargo: the data directory DIR is in use by process {holder} (supercargo): stop it first, or choose another with --data-dir"
        )
    );
    served.stop();
    served
        .database
        .connect()
        .batch_execute(
            "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000');
             UPDATE schema_compatibility SET oldest = '29990101000000'",
        )
        .unwrap();
    insta::assert_snapshot!(refusal(serve(&path, &["--database-url", &served.database.url()]), &path), @"supercargo: the database has the migration 29990101000000, which is incompatible with this version of supercargo: start the version that applied it, or a later one");
}

#[test]
fn a_worker_alone_says_what_it_needs() {
    let directory = tempfile::tempdir().unwrap();
    let output = supercargo().args(["worker", "--data-dir"]).arg(directory.path()).output().unwrap();
    insta::assert_snapshot!(refusal(output, directory.path()), @"supercargo: no database is running in DIR: start `supercargo serve` on this data directory first, or set --database-url");
}

#[test]
fn wrong_arguments_are_exit_code_2() {
    for arguments in [
        &["serve", "--listen", "nowhere"][..],
        &["serve", "--publish-wait", "5"],
        &["serve", "--public-url", "crates.example"],
        &["nonsense"],
        &[],
    ] {
        failed(supercargo().args(arguments).output().unwrap(), 2);
    }
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn the_embedded_default_needs_nothing_and_leaves_nothing_running() {
        let mut registry = Embedded::new();
        registry.start();
        let token_file = registry.data_dir().join("admin-token");
        assert_eq!(std::fs::metadata(&token_file).unwrap().permissions().mode() & 0o777, 0o600);
        let token = registry.token();
        http::publish(&registry.url, &token, &Package::new("foo", "1.0.0")).good();
        assert_eq!(
            http::get_as(&format!("{}/api/v1/crates/foo/owners", registry.url), &token).json()["users"][0]["login"],
            "admin"
        );
        let log = succeeded(registry.command("admin audit").arg("--json").output().unwrap());
        let log: serde_json::Value = serde_json::from_str(&log).unwrap();
        let told: Vec<_> = log.as_array().unwrap().iter().map(|entry| (&entry["actor"], &entry["action"])).collect();
        let [admin, first] = ["admin", "the first start"].map(serde_json::Value::from);
        let [publish, token_create, user_create] =
            ["publish", "token-create", "user-create"].map(serde_json::Value::from);
        assert_eq!(told, [(&admin, &publish), (&first, &token_create), (&first, &user_create)]);
        registry.stop();
        assert!(!registry.data_dir().join("url").exists());
        assert_eq!(embedded::attach(&registry.data_dir()).unwrap(), None);
        registry.start();
        assert_eq!(http::index_lines(&registry.url, "3/f/foo").len(), 1);
        // The token of the first start goes on, and no other was made.
        assert_eq!(registry.token(), token);
        http::publish(&registry.url, &token, &Package::new("foo", "1.1.0")).good();
    }

    #[test]
    fn the_log_of_the_first_start_says_where_the_admins_token_is_and_not_what_it_is() {
        let mut registry = Embedded::new();
        let start = |registry: &mut Embedded, name: &str| {
            let log = registry.directory.path().join(name);
            let mut command = registry.command("serve");
            command.args(["--listen", "127.0.0.1:0"]).env_remove("SUPERCARGO_LOG").stdout(Stdio::null());
            let mut child =
                command.args(["--log", "info"]).stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
            registry.url = wait_for_url(&mut child, &registry.data_dir());
            registry.child = Some(child);
            registry.stop();
            std::fs::read_to_string(log).unwrap()
        };
        let first = start(&mut registry, "first");
        let file = registry.data_dir().join("admin-token");
        let line = format!("created the user admin, whose token is in this file token_file={}", file.display());
        assert!(first.contains(&line) && first.contains(" database=\"embedded\""), "{first}");
        assert!(!first.contains(&registry.token()), "{first}");
        let second = start(&mut registry, "second");
        assert!(second.contains("started supercargo") && !second.contains("token_file"), "{second}");
    }

    #[test]
    fn operators_work_beside_a_running_registry_and_without_one() {
        let mut registry = Embedded::new();
        registry.start();
        let create = |registry: &Embedded, name: &str| {
            let said = succeeded(registry.command("admin user create").arg(name).output().unwrap());
            assert_eq!(
                said,
                format!("created the user {name}; create a token with `supercargo admin token create --user {name}`\n")
            );
        };
        create(&registry, "ann");
        registry.stop();
        create(&registry, "bob");
        assert_eq!(embedded::attach(&registry.data_dir()).unwrap(), None);
        let token = succeeded(registry.command("admin token create").args(["--user", "bob"]).output().unwrap());
        assert_eq!(token.lines().count(), 1);
        registry.start();
        http::publish(&registry.url, token.trim(), &Package::new("foo", "1.0.0")).good();
    }
}
