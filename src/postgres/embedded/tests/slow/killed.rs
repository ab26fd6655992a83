//! Starts after the server or its owner was killed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use diesel::sql_types::Integer;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Uid;

use super::super::*;

/// Longer than any step of these tests on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(QueryableByName)]
struct Backend {
    #[diesel(sql_type = Integer)]
    pid: i32,
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

/// Not a test: the process that other tests run as the owner of the cluster, and kill. It reads the data directory from
/// its standard input, and runs the cluster until that is closed.
#[test]
#[ignore = "the process that the tests of this file start and kill: `cargo nextest run --profile full embedded::tests::slow::killed`"]
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
        .args(["--exact", "postgres::embedded::tests::slow::killed::an_owner_to_be_killed", "--ignored", "--nocapture"])
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
fn a_server_that_an_earlier_owner_left_running_is_replaced() -> TestResult {
    let data = DataDir::new()?;
    let (mut owner, url) = run_an_owner(&data)?;
    write_note(&url, "kept")?;
    let left = data.postmaster()?.ok_or("no server")?;
    // It is alive, so the kernel sends no signal to its server, and cannot start another server.
    kill(Pid::from_raw(owner.id().cast_signed()), Signal::SIGSTOP)?;
    let next = data.start();
    owner.kill()?;
    owner.wait()?;
    let next = next?;
    assert_ne!(data.postmaster()?, Some(left));
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
    let owner = existing::find(&data.cluster())?.ok_or("no cluster")?.owner;
    let mut stranger = Command::new("cat");
    stranger.stdin(Stdio::piped()).stdout(Stdio::null()).current_dir(data.cluster());
    if Uid::effective().is_root() {
        // Of its group as well, or it could not pass through the data directory.
        stranger.uid(owner.as_raw()).gid(fs::metadata(data.cluster())?.gid());
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
