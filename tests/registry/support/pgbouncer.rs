//! A real PgBouncer before a PostgreSQL of its own.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use supercargo::postgres::embedded::{Cluster, Options};

use super::event::wait_until;

const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// The pooler and its server, which end with it.
pub struct PgBouncer {
    directory: tempfile::TempDir,
    pooler: Child,
    _cluster: Cluster,
}

impl PgBouncer {
    pub fn start(pool_mode: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        fs::set_permissions(place, PermissionsExt::from_mode(0o777)).unwrap();
        // Root's cluster closes its data directory to all but the server's user.
        let data_dir = place.join("data");
        fs::create_dir(&data_dir).unwrap();
        let cluster = Cluster::start(&Options {
            data_dir: data_dir.clone(),
            postgres_bin_dir: None,
            os_user: None,
            throwaway: true,
        })
        .unwrap();
        let files = data_dir.join("postgres");
        // The pooler does not run as root. It runs as the server's user, who may not connect unless this says so.
        fs::write(files.join("pg_hba.conf"), "local all all trust\n").unwrap();
        PgConnection::establish(&cluster.url()).unwrap().batch_execute("SELECT pg_reload_conf()").unwrap();
        let pooler = run(place, &files, pool_mode);
        let mut started = Self { directory, pooler, _cluster: cluster };
        wait_until("PgBouncer to listen", || {
            if let Some(status) = started.pooler.try_wait().unwrap() {
                panic!(
                    "PgBouncer: {status}: {}",
                    fs::read_to_string(started.directory.path().join("pgbouncer.log")).unwrap()
                );
            }
            started.socket().exists()
        });
        started
    }

    fn socket(&self) -> std::path::PathBuf {
        self.directory.path().join(".s.PGSQL.6432")
    }

    /// The database through the pooler.
    pub fn url(&self) -> String {
        format!("postgresql:///supercargo?host={}&port=6432&user=supercargo", self.directory.path().display())
    }
}

fn run(place: &Path, files: &Path, pool_mode: &str) -> Child {
    assert!(Path::new(PROGRAM).exists(), "{PROGRAM} is missing: run script/setup --test");
    let (server, place_name) = (files.display(), place.display());
    let config = format!(
        "[databases]\nsupercargo = host={server} port=5432 user=supercargo\n[pgbouncer]\nlisten_port = 6432\n\
         unix_socket_dir = {place_name}\nauth_type = any\npool_mode = {pool_mode}\ndefault_pool_size = 60\n"
    );
    fs::write(place.join("pgbouncer.ini"), config).unwrap();
    let owner = fs::metadata(files).unwrap();
    let log = File::create(place.join("pgbouncer.log")).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg(place.join("pgbouncer.ini")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    if nix::unistd::geteuid().is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command.spawn().unwrap()
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.pooler.kill();
        self.pooler.wait().unwrap();
    }
}
