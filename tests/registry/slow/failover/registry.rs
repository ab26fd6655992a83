//! `serve` and a `worker` on a database with a standby.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::process::{succeeded, supercargo, wait_for_url};
use crate::support::standby::Pair;

pub struct Registry {
    directory: tempfile::TempDir,
    database_url: String,
    processes: Vec<Child>,
    pub url: String,
}

impl Registry {
    pub fn start(pair: &Pair, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut registry = Self { directory, database_url: pair.url(), processes: Vec::new(), url: String::new() };
        registry.serve(arguments);
        registry
    }

    pub fn serve(&mut self, arguments: &[&str]) {
        let _ = fs::remove_file(self.data_dir().join("url"));
        let mut command = self.command("serve");
        command.args(["--listen", "127.0.0.1:0", "--rate-limit", "none"]).args(arguments);
        let mut child = self.spawn(command);
        self.url = wait_for_url(&mut child, self.data_dir());
        self.processes.push(child);
    }

    pub fn start_worker(&mut self) {
        let child = self.spawn(self.command("worker"));
        self.processes.push(child);
    }

    fn spawn(&self, mut command: Command) -> Child {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file()).unwrap();
        command.stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    fn data_dir(&self) -> &Path {
        self.directory.path()
    }

    fn log_file(&self) -> std::path::PathBuf {
        self.data_dir().join("log")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap()
    }

    /// A subcommand on this registry.
    pub fn command(&self, subcommand: &str) -> Command {
        let mut command = supercargo();
        command.args(subcommand.split(' ')).env("SUPERCARGO_LOG", "info").arg("--data-dir").arg(self.data_dir());
        command.env("SUPERCARGO_DATABASE_URL", &self.database_url);
        command
    }

    /// Runs a subcommand to its end; asserts that it succeeded.
    pub fn run(&self, subcommand: &str, arguments: &[&str]) -> String {
        succeeded(self.command(subcommand).args(arguments).output().unwrap())
    }

    pub fn token(&self, user: &str) -> String {
        self.run("admin user create", &[user]);
        self.run("admin token create", &["--user", user]).trim().to_owned()
    }

    pub fn kill(&mut self) {
        for mut process in self.processes.drain(..) {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.kill();
    }
}
