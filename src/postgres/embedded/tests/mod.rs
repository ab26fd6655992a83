//! The cluster with the real PostgreSQL. For root the server runs as another user, otherwise as the same user; the
//! tests pass in both cases.

mod slow;

use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use diesel::prelude::*;
use diesel::sql_types::Text;
use nix::unistd::{Pid, getpgid};
use tempfile::TempDir;

use super::pid_file::PidFile;
use super::*;

type TestResult = Result<(), Box<dyn Error>>;

/// A data directory that others can pass through but not list.
struct DataDir {
    _above: TempDir,
    path: PathBuf,
}

impl DataDir {
    fn new() -> Result<DataDir, Box<dyn Error>> {
        DataDir::below("data")
    }

    fn below(relative: &str) -> Result<DataDir, Box<dyn Error>> {
        let above = tempfile::tempdir()?;
        fs::set_permissions(above.path(), Permissions::from_mode(0o711))?;
        let path = above.path().join(relative);
        fs::DirBuilder::new().recursive(true).mode(0o711).create(&path)?;
        Ok(DataDir { _above: above, path })
    }

    fn options(&self) -> Options {
        Options { data_dir: self.path.clone(), postgres_bin_dir: None, os_user: None, throwaway: true }
    }

    fn start(&self) -> Result<Cluster, EmbeddedError> {
        Cluster::start(&self.options())
    }

    fn cluster(&self) -> PathBuf {
        self.path.join("postgres")
    }

    fn postmaster(&self) -> Result<Option<Pid>, EmbeddedError> {
        let file = PidFile::of_postmaster(&self.cluster())?;
        Ok(file.filter(|file| file.is_ours(&self.cluster())).map(|file| file.pid))
    }

    /// The processes whose working directory is this cluster.
    fn processes(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let cluster = fs::canonicalize(self.cluster())?;
        let mut found = Vec::new();
        for process in fs::read_dir("/proc")?.flatten() {
            if fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == cluster) {
                found.push(fs::read_to_string(process.path().join("comm"))?);
            }
        }
        Ok(found)
    }
}

#[derive(QueryableByName)]
struct Note {
    #[diesel(sql_type = Text)]
    text: String,
}

fn write_note(url: &str, text: &str) -> TestResult {
    let mut connection = PgConnection::establish(url)?;
    diesel::sql_query("CREATE TABLE IF NOT EXISTS notes (text text NOT NULL)").execute(&mut connection)?;
    diesel::sql_query("INSERT INTO notes VALUES ($1)").bind::<Text, _>(text).execute(&mut connection)?;
    Ok(())
}

fn read_notes(url: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut connection = PgConnection::establish(url)?;
    let notes: Vec<Note> = diesel::sql_query("SELECT text FROM notes ORDER BY text").load(&mut connection)?;
    Ok(notes.into_iter().map(|note| note.text).collect())
}

#[test]
fn data_is_kept_over_a_restart() -> TestResult {
    let data = DataDir::new()?;
    let cluster = data.start()?;
    write_note(&cluster.url(), "kept")?;
    cluster.stop()?;
    assert_eq!(read_notes(&data.start()?.url())?, ["kept"]);
    Ok(())
}

#[test]
fn a_durable_cluster_flushes_and_listens_on_no_network() -> TestResult {
    let data = DataDir::new()?;
    let cluster = Cluster::start(&Options { throwaway: false, ..data.options() })?;
    let mut connection = PgConnection::establish(&cluster.url())?;
    let mut show = |name: &str| -> Result<String, Box<dyn Error>> {
        let query = format!("SELECT current_setting('{name}') AS text");
        Ok(diesel::sql_query(query).get_result::<Note>(&mut connection)?.text)
    };
    for name in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(show(name)?, "on", "{name}");
    }
    assert_eq!(show("listen_addresses")?, "");
    assert_eq!(show("server_encoding")?, "UTF8");
    Ok(())
}

#[test]
fn only_its_owner_may_enter_the_socket_s_directory() -> TestResult {
    let data = DataDir::new()?;
    let _cluster = data.start()?;
    assert_eq!(fs::metadata(data.cluster())?.permissions().mode() & 0o7777, 0o700);
    let hosts = fs::read_to_string(data.cluster().join("pg_hba.conf"))?;
    let open_hosts: Vec<&str> =
        hosts.lines().filter(|line| line.starts_with("host") && !line.ends_with("reject")).collect();
    assert_eq!(open_hosts, Vec::<&str>::new());
    Ok(())
}

#[test]
fn a_stop_leaves_no_process_and_no_socket() -> TestResult {
    let data = DataDir::new()?;
    let cluster = data.start()?;
    assert!(!data.processes()?.is_empty());
    assert!(data.cluster().join(".s.PGSQL.5432").exists());
    // A connected client does not delay the stop.
    let _connection = PgConnection::establish(&cluster.url())?;
    cluster.stop()?;
    assert_eq!(data.processes()?, Vec::<String>::new());
    assert!(!data.cluster().join(".s.PGSQL.5432").exists());
    assert!(!data.cluster().join("postmaster.pid").exists());
    Ok(())
}

#[test]
fn another_process_attaches_while_the_server_runs_and_only_then() -> TestResult {
    let data = DataDir::new()?;
    assert_eq!(attach(&data.path)?, None);
    let cluster = data.start()?;
    write_note(&cluster.url(), "seen")?;
    let url = attach(&data.path)?.ok_or("the running cluster is not found")?;
    assert_eq!(read_notes(&url)?, ["seen"]);
    cluster.stop()?;
    assert_eq!(attach(&data.path)?, None);
    Ok(())
}

#[test]
fn a_ctrl_c_on_the_terminal_does_not_reach_the_server() -> TestResult {
    let data = DataDir::new()?;
    let _cluster = data.start()?;
    let postmaster = data.postmaster()?.ok_or("no server")?;
    assert_eq!(getpgid(Some(postmaster))?, postmaster);
    Ok(())
}
