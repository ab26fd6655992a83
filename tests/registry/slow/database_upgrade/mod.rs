//! `supercargo database upgrade`, with real servers of several major versions.

mod killed;
mod refusals;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use supercargo::postgres::embedded;

use crate::support::http;
use crate::support::package::Package;
use crate::support::postgresql::programs;
use crate::support::process::{failed, succeeded, supercargo, wait_for_url};

/// A registry with its embedded database.
struct Registry {
    directory: tempfile::TempDir,
    data_dir: PathBuf,
    child: Option<Child>,
    url: String,
}

impl Registry {
    /// A stopped registry of this version, with a crate of two versions, of which one is yanked.
    fn of(major: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        Self::at(directory, data_dir, major)
    }

    fn at(directory: tempfile::TempDir, data_dir: PathBuf, major: u32) -> Self {
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let mut registry = Self { directory, data_dir, child: None, url: String::new() };
        registry.start(major);
        registry.publish("1.0.0");
        registry.publish("1.1.0");
        registry.yank("1.0.0");
        registry.stop();
        registry
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = supercargo();
        command.args(subcommand.split(' ')).env("SUPERCARGO_LOG", "warn").arg("--data-dir").arg(&self.data_dir);
        command
    }

    /// A subcommand with the programs of a version.
    fn with(&self, major: u32, subcommand: &str) -> Command {
        let mut command = self.command(subcommand);
        command.arg("--postgres-bin-dir").arg(programs(major));
        command
    }

    /// `database upgrade` between two versions.
    fn upgrade(&self, old: u32, new: u32) -> Command {
        let mut command = self.with(new, "database upgrade");
        command.arg("--old-postgres-bin-dir").arg(programs(old));
        command
    }

    fn start(&mut self, major: u32) {
        let _ = fs::remove_file(self.data_dir.join("url"));
        let mut command = self.with(major, "serve");
        command.args(["--listen", "127.0.0.1:0", "--publish-wait", "60s"]).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        self.url = wait_for_url(&mut child, &self.data_dir);
        self.child = Some(child);
    }

    fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn token(&self) -> String {
        fs::read_to_string(self.data_dir.join("admin-token")).unwrap().trim().to_owned()
    }

    fn publish(&self, num: &str) {
        http::publish(&self.url, &self.token(), &Package::new("moved", num)).good();
    }

    fn yank(&self, num: &str) {
        http::delete_as(&format!("{}/api/v1/crates/moved/{num}/yank", self.url), &self.token()).good();
    }

    /// The versions in the index of the running registry, those that are yanked with a star.
    fn versions(&self) -> Vec<String> {
        let lines = http::index_lines(&self.url, "mo/ve/moved");
        let star = |line: &serde_json::Value| if line["yanked"] == true { "*" } else { "" };
        lines.iter().map(|line| format!("{}{}", line["vers"].as_str().unwrap(), star(line))).collect()
    }

    /// The names in the data directory that begin with `postgres.`, without the log, and the version of the database.
    fn state(&self) -> (u32, Vec<String>) {
        let entries = fs::read_dir(&self.data_dir).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut beside: Vec<_> = names.filter(|name| name.starts_with("postgres.") && name != "postgres.log").collect();
        beside.sort();
        (version_in(&self.data_dir.join("postgres")), beside)
    }

    /// Starts it with these programs, and looks at what it has; ends it again.
    fn has(&mut self, major: u32, versions: &[&str]) {
        self.start(major);
        assert_eq!(self.versions(), versions);
        self.stop();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM);
            child.wait().unwrap();
        }
    }
}

fn version_in(cluster: &Path) -> u32 {
    fs::read_to_string(cluster.join("PG_VERSION")).unwrap().trim().parse().unwrap()
}

/// A session with the cluster in this directory, which runs.
fn connect(data_dir: &Path) -> PgConnection {
    PgConnection::establish(&embedded::attach(data_dir).unwrap().expect("a running server")).unwrap()
}

#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = Text)]
    text: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

fn text(connection: &mut PgConnection, expression: &str) -> String {
    diesel::sql_query(format!("SELECT {expression} AS text")).get_result::<Value>(connection).unwrap().text
}

/// Upgrades a registry that has settings of its own, and uses it afterwards.
fn upgraded(old: u32, new: u32) {
    let mut registry = Registry::of(old);
    registry.start(old);
    connect(&registry.data_dir).batch_execute("ALTER SYSTEM SET work_mem = '9MB'").unwrap();
    connect(&registry.data_dir).batch_execute("ALTER DATABASE supercargo SET random_page_cost = 1.5").unwrap();
    registry.stop();

    let said = failed(registry.with(new, "serve").output().unwrap(), 1);
    assert!(said.contains("supercargo database upgrade --data-dir"), "{said}");
    let said = succeeded(registry.upgrade(old, new).output().unwrap());
    assert!(said.contains(&format!("upgraded from PostgreSQL {old}.")), "{said}");
    assert!(said.contains("verified row for row"), "{said}");
    assert_eq!(registry.state(), (new, vec![format!("postgres.{old}")]));
    assert_eq!(version_in(&registry.data_dir.join(format!("postgres.{old}"))), old);

    registry.start(new);
    assert_eq!(registry.versions(), ["1.0.0*", "1.1.0"]);
    registry.publish("1.2.0");
    registry.yank("1.1.0");
    assert_eq!(registry.versions(), ["1.0.0*", "1.1.0*", "1.2.0"]);
    let mut connection = connect(&registry.data_dir);
    assert_eq!(text(&mut connection, "current_setting('work_mem')"), "9MB");
    assert_eq!(text(&mut connection, "current_setting('random_page_cost')"), "1.5");
    // New rows get numbers that no old one has, and the planner knows the tables.
    let statistics = "SELECT count(*) AS number FROM pg_statistic s JOIN pg_class c ON c.oid = s.starelid WHERE c.relname = 'versions'";
    assert!(diesel::sql_query(statistics).get_result::<Number>(&mut connection).unwrap().number > 0);
    drop(connection);
    succeeded(registry.command("verify").output().unwrap());
    registry.stop();

    // Back, without what was published since.
    fs::rename(registry.data_dir.join("postgres"), registry.directory.path().join("new")).unwrap();
    fs::rename(registry.data_dir.join(format!("postgres.{old}")), registry.data_dir.join("postgres")).unwrap();
    registry.start(old);
    assert_eq!(text(&mut connect(&registry.data_dir), "(SELECT count(*)::text FROM versions)"), "2");
    registry.stop();
}

#[test]
fn a_registry_of_15_is_moved_to_17() {
    upgraded(15, 17);
}

#[test]
fn a_registry_of_the_oldest_version_is_moved_to_the_newest() {
    upgraded(13, 18);
}

/// As a `serve` leaves it that was killed at its first start.
#[test]
fn a_database_without_the_schema_is_moved_as_well() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let data_dir = directory.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    let options = embedded::Options {
        data_dir: data_dir.clone(),
        postgres_bin_dir: Some(programs(13)),
        os_user: None,
        throwaway: true,
    };
    embedded::Cluster::start(&options).unwrap().stop().unwrap();
    let mut registry = Registry { directory, data_dir, child: None, url: String::new() };
    let said = succeeded(registry.upgrade(13, 17).output().unwrap());
    assert!(said.contains("0 tables with 0 rows"), "{said}");
    registry.start(17);
    registry.publish("1.0.0");
    registry.stop();
}

#[test]
fn a_second_upgrade_keeps_what_the_first_one_kept() {
    let mut registry = Registry::of(13);
    succeeded(registry.upgrade(13, 17).output().unwrap());
    assert!(succeeded(registry.upgrade(13, 17).output().unwrap()).contains("is already one of PostgreSQL 17"));
    fs::rename(registry.data_dir.join("postgres"), registry.directory.path().join("new")).unwrap();
    Command::new("cp").arg("-a").args(["postgres.13", "postgres"]).current_dir(&registry.data_dir).status().unwrap();
    succeeded(registry.upgrade(13, 17).output().unwrap());
    assert_eq!(registry.state(), (17, vec!["postgres.13".to_owned(), "postgres.13.2".to_owned()]));
    registry.has(17, &["1.0.0*", "1.1.0"]);
}
