//! A real `supercargo serve`, which can be killed and started again.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use supercargo::database::catalog::{analyses, descriptions};

use super::cluster::Database;
use super::event::wait_until;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_supercargo");
const PATIENCE: Duration = Duration::from_secs(60);

/// The program with an environment that says nothing about registries.
pub fn supercargo() -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("SUPERCARGO_") || name.starts_with("OTEL_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
}

fn command_on(database_url: &str, data_dir: &Path, subcommand: &str) -> Command {
    let mut command = supercargo();
    command.args(subcommand.split(' ')).env("SUPERCARGO_LOG", "warn");
    command.args(["--database-url", database_url, "--data-dir"]).arg(data_dir);
    command
}

/// A registry in a directory of its own, with a database of its own on the cluster of the test run.
pub struct Served {
    pub directory: tempfile::TempDir,
    pub database: Database,
    arguments: Vec<String>,
    /// What is logged; into a file if it is asked for.
    log: Option<String>,
    /// Fail points are armed by a file, whose place [`Served::fail_point`] is.
    has_fail_points: bool,
    processes: Vec<Child>,
    /// The file with the authorities that it trusts; the system's if there is none.
    authorities: Option<PathBuf>,
    /// Variables of its environment.
    variables: Vec<(String, String)>,
    pub url: String,
}

impl Served {
    /// Starts `serve` with more arguments, and waits until it answers.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_logging(None, arguments)
    }

    /// The same with a log of this level, which [`Served::log`] reads.
    pub fn start_with_log(level: &str, arguments: &[&str]) -> Self {
        Self::start_logging(Some(level.to_owned()), arguments)
    }

    /// What was logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// The same, in which fail points can be armed while it runs.
    pub fn start_with_fail_points(level: &str, arguments: &[&str]) -> Self {
        Self::start_as(Some(level.to_owned()), true, arguments)
    }

    /// Whoever passes the point that this file names removes the file, and acts.
    /// Arms one fail point: an action at a place, once.
    pub fn arm(&self, point: &str) {
        let unfinished = self.fail_point().with_extension("new");
        std::fs::write(&unfinished, point).unwrap();
        std::fs::rename(unfinished, self.fail_point()).unwrap();
    }

    /// Waits until the armed fail point has fired.
    pub fn wait_until_passed(&self) {
        wait_until("the fail point", || !self.fail_point().exists());
    }

    pub fn fail_point(&self) -> PathBuf {
        self.directory.path().join("fail-point")
    }

    /// Whether `serve` (the first process) has ended.
    pub fn has_ended(&mut self) -> bool {
        self.processes[0].try_wait().unwrap().is_some()
    }

    /// The same, with a log of this level from the next start on.
    pub fn logging(mut self, level: &str) -> Self {
        self.log = Some(level.to_owned());
        self
    }

    fn start_logging(log: Option<String>, arguments: &[&str]) -> Self {
        Self::start_as(log, false, arguments)
    }

    fn start_as(log: Option<String>, has_fail_points: bool, arguments: &[&str]) -> Self {
        let mut served = Self::not_started(log, has_fail_points, arguments);
        served.start_again();
        served
    }

    /// What a registry needs, and nothing running.
    pub fn stopped() -> Self {
        Self::not_started(None, false, &[])
    }

    /// The same, with a database in which there is nothing, not even the schema.
    pub fn nothing(arguments: &[&str]) -> Self {
        let mut served = Self::not_started(None, false, arguments);
        served.database = Database::empty();
        served
    }

    fn not_started(log: Option<String>, has_fail_points: bool, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self {
            directory,
            database: Database::fresh(),
            arguments,
            log,
            has_fail_points,
            processes: Vec::new(),
            authorities: None,
            variables: Vec::new(),
            url: String::new(),
        }
    }

    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Starts `serve` after it ended.
    pub fn start_again(&mut self) {
        // A killed process leaves its URL; the next one writes another.
        let _ = std::fs::remove_file(self.data_dir().join("url"));
        let mut command = self.command("serve");
        command.args(&self.arguments);
        if !self.arguments.iter().any(|argument| argument == "--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        if !self.arguments.iter().any(|argument| argument == "--publish-wait") {
            // What a test publishes is in the index when it is answered, on the slowest machine.
            command.args(["--publish-wait", "60s"]);
        }
        if let Some(level) = &self.log {
            let log = OpenOptions::new().create(true).append(true).open(self.directory.path().join("log"));
            command.env("SUPERCARGO_LOG", level).stderr(log.unwrap());
        }
        command.envs(self.authorities.iter().map(|file| ("SSL_CERT_FILE", file)));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if self.has_fail_points {
            command.env("SUPERCARGO_FAIL_POINTS", format!("@{}", self.fail_point().display()));
        }
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        self.url = wait_for_url(&mut child, &self.data_dir());
        self.processes.push(child);
    }

    /// Starts `serve` after it died by itself.
    pub fn start_again_after_death(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Starts a `worker` beside it.
    pub fn start_worker(&mut self) -> u32 {
        self.start_worker_with(&[])
    }

    pub fn start_worker_with(&mut self, arguments: &[&str]) -> u32 {
        let child = self.command("worker").args(arguments).stdout(Stdio::null()).spawn().unwrap();
        let id = child.id();
        self.processes.push(child);
        id
    }

    /// Starts a `worker` as on another machine: with a data directory of its own.
    pub fn start_worker_elsewhere(&mut self, name: &str, arguments: &[&str]) -> u32 {
        let mut command = self.command_in(&self.directory.path().join(name), "worker");
        let child = command.args(arguments).stdout(Stdio::null()).spawn().unwrap();
        let id = child.id();
        self.processes.push(child);
        id
    }

    /// Starts a further `serve` of the same registry, as on another machine: with a data directory of its own, which
    /// may be what a killed one left. Answers its URL.
    pub fn start_elsewhere(&mut self, name: &str, arguments: &[&str]) -> String {
        self.start_elsewhere_with(name, &self.database.url(), arguments)
    }

    /// The same, with another way to the database.
    pub fn start_elsewhere_with(&mut self, name: &str, database_url: &str, arguments: &[&str]) -> String {
        let _ = std::fs::remove_file(self.directory.path().join(name).join("url"));
        let mut command = command_on(database_url, &self.directory.path().join(name), "serve");
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        wait_for_url(&mut child, &self.directory.path().join(name));
        // The public URL, which it writes down, is one for all machines.
        let address = listening_address(child.id()).expect("it listens");
        self.processes.push(child);
        format!("http://{address}")
    }

    /// Ends one process without a word, by its number in the order of their starts.
    pub fn kill_one(&mut self, place: usize) {
        let mut process = self.processes.remove(place);
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// A subcommand on this registry, as on another machine.
    pub fn command_in(&self, data_dir: &Path, subcommand: &str) -> Command {
        command_on(&self.database.url(), data_dir, subcommand)
    }

    /// A subcommand on this registry.
    pub fn command(&self, subcommand: &str) -> Command {
        self.command_in(&self.data_dir(), subcommand)
    }

    /// Runs a subcommand to its end; asserts that it succeeded.
    pub fn run(&self, subcommand: &str, arguments: &[&str]) -> String {
        let output = self.command(subcommand).args(arguments).output().unwrap();
        succeeded(output)
    }

    /// Waits until the crates are described that jobs have changed so far.
    pub fn wait_until_described(&self) {
        let mut connection = self.database.connect();
        wait_until("the descriptions", || descriptions::count_pending(&mut connection).unwrap() == 0);
    }

    /// Waits until the crate files are analysed that were published so far.
    pub fn wait_until_analysed(&self) {
        let mut connection = self.database.connect();
        wait_until("the analyses", || !analyses::any_left(&mut connection).unwrap());
    }

    /// A token of a user, who is created if need be.
    pub fn token(&self, user: &str) -> String {
        self.command("admin user create").arg(user).output().unwrap();
        self.run("admin token create", &["--user", user]).trim().to_owned()
    }

    /// Sends a signal to `serve` (the first process).
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.processes[0].id().cast_signed()), signal).unwrap();
    }

    /// Trusts the authorities in a file, and no others, from the next start on.
    pub fn trust(&mut self, authorities: &Path) {
        self.authorities = Some(authorities.to_owned());
    }

    /// Adds variables to its environment, from the next start on.
    pub fn set_variables(&mut self, variables: &[(&str, &str)]) {
        let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        self.variables.extend(variables);
    }

    /// The clients that are connected to `serve` (the first process), as the kernel knows it.
    pub fn count_clients(&self) -> usize {
        let port = self.address().rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
        let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", self.process_id())).unwrap();
        let columns = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let is_client = |columns: &[&str]| columns[3] == "01" && columns[1].ends_with(&format!(":{port:04X}"));
        columns.filter(|columns| is_client(columns)).count()
    }

    /// Other arguments for the next start.
    pub fn set_arguments(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    }

    /// Where `serve` (the first process) listens, as the kernel knows it: its public URL may be another.
    pub fn address(&self) -> String {
        let Some(port) = self.url.strip_prefix("http://127.0.0.1:") else {
            return listening_address(self.processes[0].id()).expect("it listens");
        };
        format!("127.0.0.1:{port}")
    }

    /// The number of `serve` (the first process).
    pub fn process_id(&self) -> u32 {
        self.processes[0].id()
    }

    /// Waits until `serve` (the first process) ends by itself.
    pub fn wait_for_status(&mut self) -> std::process::ExitStatus {
        self.processes.remove(0).wait().unwrap()
    }

    /// The same, and asserts that it went well.
    pub fn wait(&mut self) {
        let status = self.wait_for_status();
        assert!(status.success(), "{status}");
    }

    /// Kills every process without a word and waits until they are gone.
    pub fn kill(&mut self) {
        for mut process in self.processes.drain(..) {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Ends every process with SIGTERM; asserts that each says it went well.
    pub fn stop(&mut self) {
        for mut process in self.processes.drain(..) {
            kill(Pid::from_raw(process.id().cast_signed()), Signal::SIGTERM).unwrap();
            let status = process.wait().unwrap();
            assert!(status.success(), "{status}");
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The address a process listens on, from the kernel's tables; None if it does not.
pub fn listening_address(process: u32) -> Option<String> {
    listening_addresses(process).into_iter().next()
}

/// All of them.
pub fn listening_addresses(process: u32) -> Vec<String> {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap();
    let listening = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|columns| columns.len() > 9 && columns[3] == "0A" && sockets.iter().any(|socket| socket == columns[9]));
    let ports = listening.map(|columns| u16::from_str_radix(columns[1].rsplit(':').next().unwrap(), 16).unwrap());
    ports.map(|port| format!("127.0.0.1:{port}")).collect()
}

/// Waits until a serving process says where it is.
pub fn wait_for_url(child: &mut Child, data_dir: &Path) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Ok(url) = std::fs::read_to_string(data_dir.join("url")) {
            return url.trim().to_owned();
        }
        if let Some(status) = child.try_wait().unwrap() {
            panic!("serve ended before it served: {status}");
        }
        assert!(Instant::now() < until, "serve did not start");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Standard output of a command that succeeded.
pub fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error of a command that failed with this exit code.
pub fn failed(output: Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    stderr
}
