//! The cluster with the real PostgreSQL. As root the server runs as another user, as anybody else as oneself; the
//! tests hold in both cases.

use std::error::Error;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, getpgid};
use tempfile::TempDir;

use super::pid_file::PidFile;
use super::*;

type TestResult = Result<(), Box<dyn Error>>;

/// Longer than anything here takes, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A data directory like the one `serve` makes: anybody may pass through, nobody else may look.
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

    /// The processes that work in this cluster, found the way `lsof` finds them.
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

#[derive(QueryableByName)]
struct Backend {
    #[diesel(sql_type = Integer)]
    pid: i32,
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

fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> Result<T, Box<dyn Error>> {
    deadline::until(PATIENCE, ask).ok_or_else(|| format!("never happened: {what}").into())
}

/// Another server than `previous`, once it accepts connections.
fn next_postmaster(data: &DataDir, previous: Pid) -> Result<Pid, Box<dyn Error>> {
    eventually("the server runs again", || {
        let next = data.postmaster().ok()??;
        let ready = next != previous && attach(&data.path).ok()?.is_some();
        ready.then_some(next)
    })
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
    // A client that stays doesn't hold up the stop.
    let _connection = PgConnection::establish(&cluster.url())?;
    cluster.stop()?;
    assert_eq!(data.processes()?, Vec::<String>::new());
    assert!(!data.cluster().join(".s.PGSQL.5432").exists());
    assert!(!data.cluster().join("postmaster.pid").exists());
    Ok(())
}

#[test]
fn a_dropped_cluster_is_stopped() -> TestResult {
    let data = DataDir::new()?;
    drop(data.start()?);
    assert_eq!(data.processes()?, Vec::<String>::new());
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
fn a_killed_server_is_started_again_with_its_data() -> TestResult {
    let data = DataDir::new()?;
    let cluster = data.start()?;
    write_note(&cluster.url(), "kept")?;
    let postmaster = data.postmaster()?.ok_or("no server")?;
    kill(postmaster, Signal::SIGKILL)?;
    next_postmaster(&data, postmaster)?;
    assert_eq!(read_notes(&cluster.url())?, ["kept"]);
    cluster.stop()?;
    Ok(())
}

/// Not a test of its own: the process that [`a_killed_owner_takes_the_server_down_and_the_next_start_has_the_data`]
/// kills. It is told the data directory on its standard input, and holds the cluster until that is closed.
#[test]
#[ignore = "is run by another test, as a process to be killed"]
fn an_owner_to_be_killed() -> TestResult {
    let mut path = String::new();
    std::io::stdin().read_line(&mut path)?;
    if path.is_empty() {
        return Ok(());
    }
    let cluster = Cluster::start(&Options {
        data_dir: PathBuf::from(path.trim_end()),
        postgres_bin_dir: None,
        os_user: None,
        throwaway: true,
    })?;
    println!("\nurl {}", cluster.url());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn run_an_owner(data: &DataDir) -> Result<(Child, String), Box<dyn Error>> {
    let mut owner = Command::new(std::env::current_exe()?)
        .args(["--exact", "database::embedded::tests::an_owner_to_be_killed", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = owner.stdin.as_mut().ok_or("no input")?;
    writeln!(input, "{}", data.path.display())?;
    let output = owner.stdout.take().ok_or("no output")?;
    for line in BufReader::new(output).lines() {
        if let Some(url) = line?.strip_prefix("url ") {
            return Ok((owner, url.to_owned()));
        }
    }
    Err("the owner started no cluster".into())
}

#[test]
fn a_killed_owner_takes_the_server_down_and_the_next_start_has_the_data() -> TestResult {
    let data = DataDir::new()?;
    let (mut owner, url) = run_an_owner(&data)?;
    write_note(&url, "kept")?;
    assert!(data.postmaster()?.is_some());
    owner.kill()?;
    owner.wait()?;
    eventually("the server ends", || data.processes().ok()?.is_empty().then_some(()))?;
    assert_eq!(read_notes(&data.start()?.url())?, ["kept"]);
    Ok(())
}

#[test]
fn a_start_right_after_the_owner_was_killed_waits_for_its_server() -> TestResult {
    let data = DataDir::new()?;
    let (mut owner, url) = run_an_owner(&data)?;
    write_note(&url, "kept")?;
    let postmaster = data.postmaster()?.ok_or("no server")?;
    // The server doesn't notice that its owner dies, and is still there when the next one comes.
    kill(postmaster, Signal::SIGSTOP)?;
    owner.kill()?;
    owner.wait()?;
    let next = std::thread::scope(|scope| {
        let next = scope.spawn(|| data.start());
        kill(postmaster, Signal::SIGCONT).map_err(|errno| errno.to_string())?;
        next.join().map_err(|_| "the start panicked".to_owned())?.map_err(|error| error.to_string())
    })?;
    assert_ne!(data.postmaster()?, Some(postmaster));
    assert_eq!(read_notes(&next.url())?, ["kept"]);
    Ok(())
}

#[test]
fn a_backend_that_outlives_the_killed_server_is_waited_for() -> TestResult {
    let data = DataDir::new()?;
    let (mut owner, url) = run_an_owner(&data)?;
    let mut connection = PgConnection::establish(&url)?;
    let backend: Backend = diesel::sql_query("SELECT pg_backend_pid() AS pid").get_result(&mut connection)?;
    let backend = Pid::from_raw(backend.pid);
    kill(backend, Signal::SIGSTOP)?;
    kill(data.postmaster()?.ok_or("no server")?, Signal::SIGKILL)?;
    owner.kill()?;
    owner.wait()?;
    let log = data.path.join("postgres.log");
    std::thread::scope(|scope| {
        let next = scope.spawn(|| data.start().map_err(|error| error.to_string()));
        let refused = eventually("PostgreSQL refuses to start beside the backend", || {
            let text = fs::read_to_string(&log).ok()?;
            text.contains("pre-existing shared memory block").then_some(())
        });
        kill(backend, Signal::SIGCONT)?;
        refused?;
        let next = next.join().map_err(|_| "the start panicked")??;
        PgConnection::establish(&next.url())?;
        Ok(())
    })
}

#[test]
fn a_ctrl_c_on_the_terminal_does_not_reach_the_server() -> TestResult {
    let data = DataDir::new()?;
    let _cluster = data.start()?;
    let postmaster = data.postmaster()?.ok_or("no server")?;
    assert_eq!(getpgid(Some(postmaster))?, postmaster);
    Ok(())
}

#[test]
fn another_cluster_s_server_with_the_recorded_process_number_is_left_alone() -> TestResult {
    let (data, other) = (DataDir::new()?, DataDir::new()?);
    data.start()?.stop()?;
    let other_cluster = other.start()?;
    fs::copy(other.cluster().join("postmaster.pid"), data.cluster().join("postmaster.pid"))?;
    assert_eq!(attach(&data.path)?, None);
    let others_server = other.postmaster()?;
    let cluster = data.start()?;
    PgConnection::establish(&cluster.url())?;
    PgConnection::establish(&other_cluster.url())?;
    assert_eq!(other.postmaster()?, others_server);
    Ok(())
}

#[test]
fn a_stranger_with_the_recorded_process_number_is_left_alone() -> TestResult {
    let data = DataDir::new()?;
    data.start()?.stop()?;
    // As the same user: PostgreSQL itself takes such a process for another server and refuses to start.
    let owner = creation::existing(&data.cluster())?.ok_or("no cluster")?.owner;
    let mut stranger = Command::new("cat");
    stranger.stdin(Stdio::piped()).stdout(Stdio::null()).current_dir(data.cluster());
    if Uid::effective().is_root() {
        std::os::unix::process::CommandExt::uid(&mut stranger, owner.as_raw());
    }
    let mut stranger = stranger.spawn()?;
    for (file, rest) in
        [("postmaster.pid", "\n/data\n1\n5432\n.\n\n1 1\nready\n"), (socket::LOCK_FILE, "\n/data\n1\n5432\n.\n")]
    {
        let path = data.cluster().join(file);
        fs::write(&path, format!("{}{rest}", stranger.id()))?;
        chown(&path, Some(owner.as_raw()), None)?;
    }
    assert_eq!(attach(&data.path)?, None);
    let cluster = data.start()?;
    PgConnection::establish(&cluster.url())?;
    assert_eq!(stranger.try_wait()?, None, "the stranger was ended");
    drop(stranger.stdin.take());
    assert!(stranger.wait()?.success());
    Ok(())
}

#[test]
fn what_an_interrupted_creation_left_is_replaced() -> TestResult {
    let data = DataDir::new()?;
    let unfinished = data.path.join("postgres.new");
    fs::create_dir_all(unfinished.join("base/1"))?;
    fs::write(unfinished.join("PG_VERSION"), "15\n")?;
    let cluster = data.start()?;
    PgConnection::establish(&cluster.url())?;
    assert!(!unfinished.exists());
    Ok(())
}

#[test]
fn a_data_directory_of_two_hundred_characters_works() -> TestResult {
    let data = DataDir::below(&format!("{}/{}", "a".repeat(100), "b".repeat(100)))?;
    let cluster = data.start()?;
    write_note(&cluster.url(), "far away")?;
    let url = attach(&data.path)?.ok_or("the running cluster is not found")?;
    assert_eq!(read_notes(&url)?, ["far away"]);
    assert!(UnixStream::connect(data.cluster().join(".s.PGSQL.5432")).is_err(), "the path isn't long enough");
    Ok(())
}

#[test]
fn a_path_that_libpq_would_take_apart_works() -> TestResult {
    let data = DataDir::below("a,b c&d=é%20")?;
    let cluster = data.start()?;
    PgConnection::establish(&cluster.url())?;
    Ok(())
}

#[test]
fn a_cluster_of_another_major_version_is_refused_with_the_way_out() -> TestResult {
    let data = DataDir::new()?;
    data.start()?.stop()?;
    fs::write(data.cluster().join("PG_VERSION"), "9\n")?;
    let error = data.start().err().ok_or("it started")?;
    let EmbeddedError::OtherMajorVersion { wanted, found, found_in, .. } = &error else {
        return Err(error.into());
    };
    assert_eq!(*wanted, 9);
    let text = error
        .to_string()
        .replace(&fs::canonicalize(data.cluster())?.display().to_string(), "DIR")
        .replace(&found_in.display().to_string(), "BIN")
        .replace(&format!("PostgreSQL {found}"), "PostgreSQL NN")
        .replace(" --no-data-checksums", "");
    insta::assert_snapshot!(text, @r"
    the database in DIR was made by PostgreSQL 9, but only PostgreSQL NN is installed (in BIN). Either install the version it was made by: apt-get install postgresql-9. Or upgrade it, with both versions installed and supercargo stopped:
    1. mkdir -m 700 DIR.upgraded && chown --reference=DIR DIR.upgraded
    2. as the user who owns DIR, in a directory that user may write to, such as /tmp:
       BIN/initdb -U supercargo -E UTF8 --locale=C --auth-local=trust --auth-host=reject -D DIR.upgraded
       BIN/pg_upgrade -U supercargo -b /usr/lib/postgresql/9/bin -B BIN -d DIR -D DIR.upgraded
    3. mv DIR DIR.9 && mv DIR.upgraded DIR
    ");
    Ok(())
}

#[test]
fn missing_programs_are_named_with_the_package_that_has_them() -> TestResult {
    let data = DataDir::new()?;
    let empty = tempfile::tempdir()?;
    let error = Cluster::start(&Options { postgres_bin_dir: Some(empty.path().to_owned()), ..data.options() })
        .err()
        .ok_or("it started")?;
    let text = error.to_string().replace(&empty.path().display().to_string(), "EMPTY");
    insta::assert_snapshot!(text, @"found no PostgreSQL server programs (initdb and postgres) in EMPTY; install them: apt-get install postgresql. Or use a database server of your own with --database-url");
    assert_eq!(fs::read_dir(&data.path)?.count(), 0);
    Ok(())
}

#[test]
fn a_directory_in_use_for_something_else_is_not_touched() -> TestResult {
    let data = DataDir::new()?;
    fs::create_dir(data.cluster())?;
    fs::write(data.cluster().join("thesis.tex"), "")?;
    let error = data.start().err().ok_or("it started")?;
    assert!(matches!(error, EmbeddedError::NotACluster { .. }), "{error}");
    assert!(data.cluster().join("thesis.tex").exists());
    Ok(())
}

#[test]
fn a_data_directory_that_nothing_can_be_made_in_is_refused() -> TestResult {
    let data = DataDir::new()?;
    if Uid::effective().is_root() {
        // Root may write anywhere, but must find a way in for the user who runs the server.
        let above = data.path.parent().ok_or("no parent")?;
        fs::set_permissions(above, Permissions::from_mode(0o700))?;
        let error = data.start().err().ok_or("it started")?;
        let EmbeddedError::ClosedDirectory { directory, user, .. } = &error else {
            return Err(error.into());
        };
        assert_eq!(directory, &fs::canonicalize(above)?);
        assert!(error.to_string().contains(&format!("closed to the user {user}")), "{error}");
    } else {
        fs::set_permissions(&data.path, Permissions::from_mode(0o500))?;
        let error = data.start().err().ok_or("it started")?;
        assert!(matches!(error, EmbeddedError::Directory { action: "create", .. }), "{error}");
    }
    assert_eq!(fs::read_dir(&data.path)?.count(), 0);
    Ok(())
}

#[test]
fn a_user_who_does_not_exist_is_refused_by_root() -> TestResult {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let data = DataDir::new()?;
    for (name, problem) in [("no-such-user", "there is no such user"), ("root", "refuses to run as root")] {
        let options = Options { os_user: Some(name.to_owned()), ..data.options() };
        let error = Cluster::start(&options).err().ok_or("it started")?;
        assert!(error.to_string().contains(problem), "{error}");
    }
    Ok(())
}

#[test]
fn a_server_that_does_not_start_is_reported_with_its_own_words() -> TestResult {
    let data = DataDir::new()?;
    data.start()?.stop()?;
    let control = data.cluster().join("global/pg_control");
    fs::write(&control, vec![0; fs::metadata(&control)?.len().try_into()?])?;
    let error = data.start().err().ok_or("it started")?;
    let EmbeddedError::Exited { tail, .. } = &error else {
        return Err(error.into());
    };
    assert!(tail.contains("FATAL"), "{error}");
    assert_eq!(data.processes()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_missing_data_directory_is_named() -> TestResult {
    let error = attach(Path::new("/nonexistent/registry")).err().ok_or("it attached")?;
    insta::assert_snapshot!(error, @"cannot open /nonexistent/registry: No such file or directory (os error 2); supercargo needs a data directory that it can read and write: run it as the directory's owner, or choose another directory with --data-dir");
    Ok(())
}
