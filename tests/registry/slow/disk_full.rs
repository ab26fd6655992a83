//! Full disks: publishers and operators are told, nothing is half done, and all goes on when there is space again.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::cargo::Cargo;
use crate::support::cluster::Database;
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{failed, succeeded, supercargo, wait_for_url};
use crate::support::small_disk::{SmallDisk, in_namespace};

/// What a publisher reads.
const TOLD: &str = "storage is full on the server; nothing was changed. Ask the registry's operator to free some space, then \
                    try again";

/// A registry whose data directory is on a small disk, and a directory that is not.
struct Registry {
    disk: SmallDisk,
    elsewhere: tempfile::TempDir,
    arguments: Vec<String>,
    child: Child,
    url: String,
}

impl Registry {
    /// `arguments` may name ELSEWHERE.
    fn start(kib: u64, arguments: &[&str]) -> Self {
        let (disk, elsewhere) = (SmallDisk::of_kib(kib), tempfile::tempdir().unwrap());
        fs::set_permissions(elsewhere.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let place = elsewhere.path().to_str().unwrap();
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.replace("ELSEWHERE", place)).collect();
        let data_dir = disk.path().join("data");
        let mut command = supercargo();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data_dir).args(&arguments);
        let log = File::create(elsewhere.path().join("log")).unwrap();
        let mut child = command.env("SUPERCARGO_LOG", "warn").stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let url = wait_for_url(&mut child, &data_dir);
        Self { disk, elsewhere, arguments, child, url }
    }

    fn data_dir(&self) -> PathBuf {
        self.disk.path().join("data")
    }

    fn token(&self) -> String {
        fs::read_to_string(self.data_dir().join("admin-token")).unwrap().trim().to_owned()
    }

    fn publish(&self, package: &Package) -> http::Reply {
        http::publish(&self.url, &self.token(), package)
    }

    /// The log's lines about a full disk.
    fn logged(&self) -> Vec<String> {
        let log = fs::read_to_string(self.elsewhere.path().join("log")).unwrap();
        log.lines().filter(|line| line.contains("storage is full")).map(str::to_owned).collect()
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = supercargo();
        command.args(subcommand.split(' ')).args(["--log", "error", "--data-dir"]).arg(self.data_dir());
        let mut arguments = self.arguments.iter();
        while let Some(argument) = arguments.next() {
            let is_taken =
                argument == "--database-url" || argument == "--crate-store" && !subcommand.starts_with("admin");
            if is_taken {
                command.arg(argument).args(arguments.next());
            }
        }
        command
    }

    /// What the monitor says about the disk: severity and summary.
    fn monitored(&self) -> (String, String) {
        let output = self.command("monitor").args(["--disk-limit", "100", "--json"]).output().unwrap();
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = said["checks"].as_array().unwrap().iter().find(|check| check["check"] == "disk_full").unwrap();
        let text = |field: &str| found[field].as_str().unwrap().replace(self.disk.path().to_str().unwrap(), "DISK");
        (text("severity"), text("summary"))
    }

    /// Asserts that a crate is nowhere: not in the index, the database or the crate store.
    fn assert_nothing_of(&self, name: &str) {
        assert_eq!(http::index_lines(&self.url, &format!("{}/{}/{name}", &name[..2], &name[2..4])).len(), 0);
        assert_eq!(http::get(&format!("{}/api/v1/crates/{name}", self.url)).status, 404);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}

/// With a README that fills some pages of the database, and that does not compress.
fn with_long_readme(name: &str, version: &str) -> Package {
    let mut number = 1_u64;
    let mut text = String::new();
    while text.len() < 100_000 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{:x} ", number >> 8));
    }
    let package = Package::new(name, version).manifest("readme = \"README.md\"\n").file("README.md", text.as_bytes());
    package.metadata("readme", text.into()).metadata("readme_file", "README.md".into())
}

#[test]
fn a_publish_to_a_full_disk_is_refused_with_the_reason_and_accepted_when_there_is_space() {
    in_namespace(
        "slow::disk_full::a_publish_to_a_full_disk_is_refused_with_the_reason_and_accepted_when_there_is_space",
        || {
            let registry = Registry::start(220 << 10, &["--publish-wait", "60s"]);
            let cargo = Cargo::new(&format!("sparse+{}/index/", registry.url), &registry.token());
            cargo.library("full", "1.0.0", "", "");
            assert_eq!(registry.monitored(), ("ok".to_owned(), "there is space for publishes".to_owned()));
            registry.disk.fill();
            for _ in 0..3 {
                let said = cargo.bad("full", &["publish", "--registry", "supercargo", "--no-verify", "--allow-dirty"]);
                assert!(said.contains(&format!("(status 503 Service Unavailable): {TOLD}")), "{said}");
            }
            let reply = registry.publish(&Package::new("full", "1.0.0"));
            assert_eq!((reply.status, reply.retry_after), (503, Some(60)));
            registry.assert_nothing_of("full");
            assert_eq!(files_in(&registry.data_dir().join("crates")), Vec::<PathBuf>::new());
            // One line a minute, which names the directory.
            let logged = registry.logged();
            assert_eq!(logged.len(), 1, "{logged:#?}");
            let directory = registry.data_dir().join("crates");
            let line = format!("storage is full: free some space in {}; work", directory.display());
            assert!(logged[0].contains(" ERROR ") && logged[0].contains(&line), "{}", logged[0]);
            let (severity, summary) = registry.monitored();
            assert_eq!(severity, "critical");
            assert_eq!(summary, "storage is full: DISK/data has 0 bytes left, and changes are refused");
            registry.disk.empty();
            cargo.publish("full");
            assert_eq!(http::index_lines(&registry.url, "fu/ll/full").len(), 1);
            assert_eq!(registry.monitored().0, "ok");
            succeeded(registry.command("verify").output().unwrap());
        },
    );
}

#[test]
fn a_database_without_space_is_reported_as_a_full_disk() {
    in_namespace("slow::disk_full::a_database_without_space_is_reported_as_a_full_disk", || {
        let registry = Registry::start(220 << 10, &["--publish-wait", "60s", "--crate-store", "ELSEWHERE/crates"]);
        registry.publish(&with_long_readme("first", "1.0.0")).good();
        registry.disk.fill();
        // PostgreSQL finds no space at all, and then half of a page, for which it has another message.
        for half_a_page in [0, 4096] {
            registry.disk.give_back(half_a_page);
            let reply = registry.publish(&with_long_readme("full", "1.0.0"));
            assert_eq!(reply.status, 503, "{}", reply.text());
            assert_eq!(reply.json()["errors"][0]["detail"], TOLD);
        }
        registry.assert_nothing_of("full");
        assert_eq!(files_in(&registry.elsewhere.path().join("crates")).len(), 1);
        let logged = registry.logged();
        assert_eq!(logged.len(), 1, "{logged:#?}");
        let line = format!("storage is full: free some space in {}; work", registry.data_dir().display());
        assert!(logged[0].contains(" ERROR ") && logged[0].contains(&line), "{}", logged[0]);
        registry.disk.empty();
        registry.publish(&with_long_readme("full", "1.0.0")).good();
        succeeded(registry.command("verify").output().unwrap());
    });
}

#[test]
fn an_index_without_space_delays_what_was_accepted_and_the_operator_is_told() {
    in_namespace("slow::disk_full::an_index_without_space_delays_what_was_accepted_and_the_operator_is_told", || {
        let database = Database::fresh();
        let arguments =
            ["--database-url", &database.url(), "--crate-store", "ELSEWHERE/crates", "--publish-wait", "0s"];
        let registry = Registry::start(8 << 10, &arguments);
        succeeded(registry.command("admin user create").arg("ann").output().unwrap());
        let token = succeeded(registry.command("admin token create").args(["--user", "ann"]).output().unwrap());
        registry.disk.fill();
        let reply = http::publish(&registry.url, token.trim(), &Package::new("full", "1.0.0")).good();
        assert!(reply.advice()[0].contains("is accepted and queued"), "{:?}", reply.advice());
        wait_until("the operator's line", || !registry.logged().is_empty());
        let line = format!("storage is full: free some space in {}; work", registry.data_dir().display());
        assert!(registry.logged()[0].contains(&line), "{:?}", registry.logged());
        assert_eq!(registry.monitored().0, "critical");
        assert_eq!(http::index_lines(&registry.url, "fu/ll/full").len(), 0);
        registry.disk.empty();
        wait_until("the index", || http::index_lines(&registry.url, "fu/ll/full").len() == 1);
        assert_eq!(registry.logged().len(), 1);
        succeeded(registry.command("verify").output().unwrap());
    });
}

#[test]
fn a_first_start_on_a_full_disk_has_the_reason_first() {
    in_namespace("slow::disk_full::a_first_start_on_a_full_disk_has_the_reason_first", || {
        // For nothing, for a part of what initdb writes, and for nearly all of a registry.
        for mib in [1, 8, 30, 40] {
            let disk = SmallDisk::of_kib(mib << 10);
            let data_dir = disk.path().join("data");
            let mut command = supercargo();
            command.args(["serve", "--listen", "127.0.0.1:0", "--log", "off", "--data-dir"]).arg(&data_dir);
            let said = failed(command.output().unwrap(), 1).replace(data_dir.to_str().unwrap(), "DIR");
            println!("{mib} MiB: {said}");
            assert!(said.starts_with("supercargo: no space is left for DIR"), "{mib} MiB: {said}");
            assert!(said.contains(": free some space on its disk"), "{mib} MiB: {said}");
            assert!(!data_dir.join("postgres.new").exists(), "{mib} MiB");
        }
    });
}
