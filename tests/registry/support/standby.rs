//! Two PostgreSQL servers: a primary, and a standby that streams from it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel::{PgConnection, sql_query};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};

use super::event::wait_until;
use super::postgresql::programs;

/// The password of the registry's role.
pub const PASSWORD: &str = "s3cr3t-pass";
/// The version of Debian's package.
const MAJOR: u32 = 15;
/// The name of the standby in `synchronous_standby_names`.
const STANDBY: &str = "standby";

/// Whether a commit waits for the standby.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    Synchronous,
    Asynchronous,
}

/// The two servers, which end with it.
pub struct Pair {
    pub primary: Server,
    pub standby: Server,
    replication: Replication,
    _directory: tempfile::TempDir,
}

/// A server on a port of its own.
pub struct Server {
    files: PathBuf,
    port: u16,
    user: Option<User>,
}

impl Pair {
    /// A primary with an empty database, and its standby.
    pub fn start(replication: Replication) -> Self {
        let directory = tempfile::Builder::new().prefix("pair-").tempdir().unwrap();
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let [primary, standby] = ["first", "second"].map(|name| Server::place(&directory.path().join(name)));
        primary.initialise();
        primary.start();
        primary.run(&format!("CREATE ROLE registry LOGIN PASSWORD '{PASSWORD}'"));
        primary.run("CREATE DATABASE registry OWNER registry");
        standby.copy(&primary);
        standby.start();
        let pair = Self { primary, standby, replication, _directory: directory };
        pair.wait_until_streaming();
        pair
    }

    /// Kills the primary, promotes the standby, and makes the killed one the new standby.
    pub fn fail_over(&mut self) {
        self.primary.kill();
        self.standby.run("ALTER SYSTEM RESET synchronous_standby_names");
        self.promote();
        std::mem::swap(&mut self.primary, &mut self.standby);
        self.standby.empty();
        self.standby.copy(&self.primary);
        self.standby.start();
        self.wait_until_streaming();
    }

    fn wait_until_streaming(&self) {
        if self.replication == Replication::Synchronous {
            self.primary.run(&format!("ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'"));
            self.primary.run("SELECT pg_reload_conf()");
        }
        let state = match self.replication {
            Replication::Synchronous => "sync",
            Replication::Asynchronous => "async",
        };
        let query = format!("SELECT FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '{state}'");
        wait_until("the standby to stream", || self.primary.has(&query));
    }

    /// What `--database-url` gets: both servers.
    pub fn url(&self) -> String {
        let (one, other) = (self.primary.port, self.standby.port);
        format!("postgresql://registry:{PASSWORD}@127.0.0.1:{one},127.0.0.1:{other}/registry")
    }

    /// Promotes the standby, which then waits for no other standby.
    pub fn promote(&self) {
        let promoted = self.standby.program("pg_ctl").args(["promote", "-w", "-D"]).arg(&self.standby.files).output();
        let promoted = promoted.unwrap();
        assert!(promoted.status.success(), "{}", String::from_utf8_lossy(&promoted.stderr));
    }

    /// Ends the replication: what is committed from now on the standby does not get.
    pub fn cut_off_the_standby(&self) {
        #[derive(QueryableByName)]
        struct Position {
            #[diesel(sql_type = BigInt)]
            bytes: i64,
        }
        let mut primary = self.primary.connect();
        let position = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint AS bytes";
        let Position { bytes } = sql_query(position).get_result(&mut primary).unwrap();
        let replayed = format!("SELECT WHERE pg_last_wal_replay_lsn() - '0/0'::pg_lsn >= {bytes}");
        wait_until("the standby to replay", || self.standby.has(&replayed));
        self.standby.run("ALTER SYSTEM SET primary_conninfo = ''");
        self.standby.run("SELECT pg_reload_conf()");
        wait_until("the end of the replication", || !self.primary.has("SELECT FROM pg_stat_replication"));
    }
}

impl Server {
    /// A server without files.
    fn place(files: &Path) -> Self {
        // PostgreSQL refuses to run as root.
        let user = nix::unistd::geteuid().is_root().then(|| {
            let named = |name| User::from_name(name).unwrap();
            named("postgres").or_else(|| named("nobody")).expect("a user for PostgreSQL")
        });
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { files: files.to_owned(), port, user };
        server.create_directory();
        server
    }

    fn create_directory(&self) {
        fs::create_dir(&self.files).unwrap();
        fs::set_permissions(&self.files, PermissionsExt::from_mode(0o700)).unwrap();
        if let Some(user) = &self.user {
            chown(&self.files, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
    }

    /// Removes the files.
    fn empty(&self) {
        fs::remove_dir_all(&self.files).unwrap();
        self.create_directory();
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(programs(MAJOR).join(name));
        command.current_dir("/").stdin(Stdio::null());
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    fn initialise(&self) {
        let mut initdb = self.program("initdb");
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "-D"]).arg(&self.files);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let more = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n";
        let file = self.files.join("postgresql.conf");
        fs::write(&file, fs::read_to_string(&file).unwrap() + more).unwrap();
        let by_password = "host registry registry 127.0.0.1/32 scram-sha-256\n";
        let file = self.files.join("pg_hba.conf");
        fs::write(&file, format!("{by_password}{}", fs::read_to_string(&file).unwrap())).unwrap();
    }

    fn copy(&self, of: &Self) {
        let mut copy = self.program("pg_basebackup");
        let primary = format!("host=127.0.0.1 port={} user=postgres application_name={STANDBY}", of.port);
        copy.args(["-R", "-C", "-S", STANDBY, "-c", "fast", "--no-sync", "-d", &primary, "-D"]).arg(&self.files);
        let made = copy.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// Starts the server on the files that it has.
    pub fn start(&self) {
        let log = self.files.join("log");
        let mut start = self.program("pg_ctl");
        start.args(["start", "-w", "-o", &format!("-p {}", self.port), "-l"]).arg(&log).arg("-D").arg(&self.files);
        // The server inherits its output.
        let status = start.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{}", fs::read_to_string(log).unwrap_or_default());
    }

    /// Kills the server and every process of it without a word.
    pub fn kill(&self) {
        let Ok(text) = fs::read_to_string(self.files.join("postmaster.pid")) else { return };
        let postmaster: i32 = text.lines().next().unwrap().parse().unwrap();
        // One that is gone already is what is wanted.
        let stop = |process: i32, signal| kill(Pid::from_raw(process), signal).unwrap_or_default();
        // It must not start others meanwhile.
        stop(postmaster, Signal::SIGSTOP);
        let listed = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap_or_default();
        let children: Vec<i32> = listed.split_whitespace().map(|child| child.parse().unwrap()).collect();
        for process in children.into_iter().chain([postmaster]) {
            stop(process, Signal::SIGKILL);
        }
        // One that nobody has waited for yet keeps its number, and counts as running for the next start.
        let is_gone = || {
            let stat = fs::read_to_string(format!("/proc/{postmaster}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        wait_until("the server's end", is_gone);
        fs::remove_file(self.files.join("postmaster.pid")).unwrap();
    }

    /// The registry's database at this server alone.
    pub fn url(&self) -> String {
        format!("postgresql://registry:{PASSWORD}@127.0.0.1:{}/registry", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// A session of the superuser.
    fn connect(&self) -> PgConnection {
        PgConnection::establish(&format!("postgresql://postgres@127.0.0.1:{}/postgres", self.port)).unwrap()
    }

    pub fn run(&self, statement: &str) {
        self.connect().batch_execute(statement).unwrap();
    }

    /// Whether a query has a row.
    pub fn has(&self, query: &str) -> bool {
        #[derive(QueryableByName)]
        struct Found {
            #[diesel(sql_type = Bool)]
            found: bool,
        }
        let found: Found =
            sql_query(format!("SELECT EXISTS ({query}) AS found")).get_result(&mut self.connect()).unwrap();
        found.found
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
