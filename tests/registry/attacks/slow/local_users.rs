//! Other users of the same machine.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use diesel::{Connection, PgConnection};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;

use crate::support::cluster::Database;
use crate::support::event::wait_for;
use crate::support::http;
use crate::support::other_user::{NOBODY, STRANGER, as_user, is_root};
use crate::support::package::Package;
use crate::support::process::{Served, failed, succeeded, supercargo, wait_for_url};

/// A registry on its private PostgreSQL, started with the umask that most systems have.
struct Private {
    directory: tempfile::TempDir,
    arguments: Vec<&'static str>,
    child: Option<Child>,
    url: String,
}

impl Private {
    fn start(arguments: &[&'static str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o711)).unwrap();
        let mut private = Self { directory, arguments: arguments.to_vec(), child: None, url: String::new() };
        private.start_again();
        private
    }

    fn start_again(&mut self) {
        let mut command = with_usual_umask(supercargo());
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--publish-wait", "60s", "--data-dir"]);
        let mut child = command.arg(self.data_dir()).args(&self.arguments).stdout(Stdio::null()).spawn().unwrap();
        self.url = wait_for_url(&mut child, &self.data_dir());
        self.child = Some(child);
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn token(&self) -> String {
        fs::read_to_string(self.data_dir().join("admin-token")).unwrap().trim().to_owned()
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.stop();
    }
}

#[expect(unsafe_code, reason = "sets the umask between fork and exec")]
fn with_usual_umask(mut command: Command) -> Command {
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            umask(Mode::from_bits_truncate(0o022));
            Ok(())
        });
    }
    command
}

/// The directory and everything in it, links not followed.
fn everything_in(directory: &Path) -> Vec<PathBuf> {
    let (mut found, mut directories) = (vec![directory.to_owned()], vec![directory.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            // The server removes and makes files all the time.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found
}

/// What of these the user of this thread can do anything with.
fn reachable(paths: &[PathBuf]) -> Vec<PathBuf> {
    let can_reach = |path: &&PathBuf| {
        fs::read_dir(path).is_ok()
            || fs::File::open(path).is_ok()
            || OpenOptions::new().append(true).open(path).is_ok()
            || UnixStream::connect(path).is_ok()
            || fs::File::create_new(path.join("planted")).is_ok()
    };
    paths.iter().filter(can_reach).cloned().collect()
}

/// Those that are open to anybody but their owner, with their modes. Git's own objects are read-only.
fn open_to_others(paths: &[PathBuf]) -> Vec<String> {
    let modes = paths.iter().filter_map(|path| Some((path, fs::symlink_metadata(path).ok()?)));
    let open = modes.filter(|(_, found)| !found.is_symlink() && found.mode() & 0o077 != 0);
    open.map(|(path, found)| format!("{:o} {}", found.mode() & 0o7777, path.display())).collect()
}

#[test]
fn another_user_reads_locks_and_reaches_nothing_of_a_data_directory() {
    if !is_root() {
        return;
    }
    let registry = Private::start(&[]);
    http::publish(&registry.url, &registry.token(), &Package::new("secret", "1.0.0")).good();
    let paths = everything_in(&registry.data_dir());
    for part in ["lock", "admin-token", "url", "postgres/.s.PGSQL.5432", "index.git/HEAD", "postgres.log"] {
        assert!(paths.contains(&registry.data_dir().join(part)), "{part}");
    }
    assert!(paths.iter().any(|path| path.extension().is_some_and(|end| end == "crate")));
    assert_eq!(as_user(STRANGER, || reachable(&paths)), Vec::<PathBuf>::new());
    // The user who runs PostgreSQL passes through, and reaches nothing but the cluster.
    let account = fs::metadata(registry.data_dir().join("postgres")).unwrap().uid();
    let cluster = registry.data_dir().join("postgres");
    let others: Vec<_> = paths.iter().filter(|path| !path.starts_with(&cluster)).cloned().collect();
    let gid = fs::metadata(&cluster).unwrap().gid();
    assert_ne!(account, 0);
    assert_eq!(as_user(account, || reachable(&others)), Vec::<PathBuf>::new());
    // Its group may pass through the directory itself, and nothing else is open.
    let data_dir = fs::metadata(registry.data_dir()).unwrap();
    assert_eq!((data_dir.mode() & 0o7777, data_dir.gid()), (0o710, gid));
    assert_eq!(open_to_others(&paths[1..]), Vec::<String>::new());
}

#[test]
fn a_data_directory_that_was_open_is_closed_at_the_next_start_and_once() {
    let mut served = Served::start_with_log("info", &[]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    assert_eq!(open_to_others(&everything_in(&served.data_dir())), Vec::<String>::new());
    served.stop();
    // As a former version left it.
    for path in everything_in(&served.data_dir()) {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let said = |served: &Served| served.log().matches("removed other users' access to the data directory").count();
    let before = said(&served);
    served.start_again();
    assert_eq!(open_to_others(&everything_in(&served.data_dir())), Vec::<String>::new());
    assert_eq!(said(&served), before + 1, "{}", served.log());
    http::publish(&served.url, &token, &Package::new("foo", "1.1.0")).good();
    assert_eq!(open_to_others(&everything_in(&served.data_dir())), Vec::<String>::new());
    served.stop();
    served.start_again();
    assert_eq!(said(&served), before + 1, "{}", served.log());
}

#[test]
fn the_servers_own_account_cannot_log_in_to_the_private_database() {
    if !is_root() {
        return;
    }
    let mut registry = Private::start(&["--postgres-user", "nobody"]);
    let cluster = registry.data_dir().join("postgres");
    assert_eq!(fs::metadata(&cluster).unwrap().uid(), NOBODY);
    let log_in = |role: &str| {
        let url = format!("postgresql:///supercargo?host={}&port=5432&user={role}", cluster.display());
        PgConnection::establish(&url).err().map(|error| error.to_string())
    };
    let refused = |role| as_user(NOBODY, || log_in(role)).unwrap_or_else(|| panic!("{role} was let in"));
    assert!(refused("supercargo").contains("Peer authentication failed"), "{}", refused("supercargo"));
    for role in ["nobody", "postgres"] {
        assert!(refused(role).contains("pg_hba.conf rejects connection"), "{}", refused(role));
    }
    assert_eq!(log_in("supercargo"), None);
    registry.stop();
    // As a former version made it.
    fs::write(cluster.join("pg_hba.conf"), "local all all trust\n").unwrap();
    registry.start_again();
    assert!(refused("supercargo").contains("Peer authentication failed"), "{}", refused("supercargo"));
    assert_eq!(fs::read_to_string(cluster.join("pg_hba.conf.former")).unwrap(), "local all all trust\n");
    assert_eq!(log_in("supercargo"), None);
}

/// A process of another user that locks a file it can read.
fn locked_by_a_stranger(lock: &Path, marker: &Path) -> Child {
    let script = format!("echo locked > {}; exec sleep 600", marker.display());
    let mut command = Command::new("flock");
    command.arg(lock).args(["sh", "-c", &script]).uid(NOBODY).gid(NOBODY).process_group(0);
    let child = command.spawn().unwrap();
    wait_for("the lock", || fs::read_to_string(marker).ok().filter(|text| text == "locked\n"));
    child
}

#[test]
fn a_lock_that_another_user_holds_is_told_with_its_holder_and_is_the_last_one() {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o711)).unwrap();
    let (data_dir, public) = (directory.path().join("data"), directory.path().join("public"));
    for path in [&data_dir, &public] {
        fs::create_dir(path).unwrap();
    }
    chown(&public, Some(NOBODY), None).unwrap();
    // As a former version left it.
    fs::set_permissions(&data_dir, Permissions::from_mode(0o711)).unwrap();
    let lock = data_dir.join("lock");
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(&lock).unwrap();
    fs::set_permissions(&lock, Permissions::from_mode(0o644)).unwrap();
    // Somebody's number, which is not the holder's.
    fs::write(&lock, "1").unwrap();
    let mut stranger = locked_by_a_stranger(&lock, &public.join("marker"));
    let database = Database::fresh();
    let serve = || {
        let mut command = supercargo();
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--database-url", &database.url()]);
        command.arg("--data-dir").arg(&data_dir);
        command
    };
    let said = failed(serve().output().unwrap(), 1);
    nix::sys::signal::killpg(Pid::from_raw(stranger.id().cast_signed()), Signal::SIGKILL).unwrap();
    stranger.wait().unwrap();
    let expected = format!(
        "supercargo: process {} (flock) of the user nobody holds the lock DATA/lock of the data directory DATA: end that \
         process and start again; other users can no longer open the lock file\n",
        stranger.id()
    );
    // `flock` runs its command as a child, and both have the file; the kernel names the one that took the lock.
    assert_eq!(said.replace(data_dir.to_str().unwrap(), "DATA"), expected);
    assert!(as_user(NOBODY, || fs::File::open(&lock)).is_err());
    let mut child = serve().stdout(Stdio::null()).spawn().unwrap();
    wait_for_url(&mut child, &data_dir);
    assert_eq!(fs::metadata(&lock).unwrap().mode() & 0o777, 0o600);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_data_directory_of_another_user_or_with_something_of_one_is_refused() {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o711)).unwrap();
    let data_dir = directory.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    fs::set_permissions(&data_dir, Permissions::from_mode(0o777)).unwrap();
    chown(&data_dir, Some(STRANGER), None).unwrap();
    let serve = || {
        let mut command = supercargo();
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--data-dir"]).arg(&data_dir);
        command
    };
    let said = failed(serve().uid(NOBODY).gid(NOBODY).output().unwrap(), 1);
    assert_eq!(
        said.replace(data_dir.to_str().unwrap(), "DATA"),
        "supercargo: the data directory DATA belongs to the user 65530, but this process runs as nobody: run it as 65530, \
         or choose another directory with --data-dir\n"
    );
    chown(&data_dir, Some(0), None).unwrap();
    as_user(NOBODY, || std::os::unix::fs::symlink("/etc", data_dir.join("crates")).unwrap());
    let said = failed(serve().output().unwrap(), 1);
    assert_eq!(
        said.replace(data_dir.to_str().unwrap(), "DATA"),
        "supercargo: other users can write to the data directory DATA, and crates in it belongs to the user nobody: remove \
         it, or give it to root with chown, and start again\n"
    );
}

#[test]
fn a_registry_dumps_no_core_and_a_command_with_one_is_as_its_user_started_it() {
    let script = "umask; ulimit -S -c; grep Umask /proc/$SUPERCARGO_PID/status; \
                  grep 'Max core' /proc/$SUPERCARGO_PID/limits; touch made; stat -c %a made";
    let directory = tempfile::tempdir().unwrap();
    let mut command = with_usual_umask(supercargo());
    command.args(["with", "--", "sh", "-c", script]).current_dir(directory.path());
    let own_limit = Command::new("sh").args(["-c", "ulimit -S -c"]).output().unwrap();
    let own_limit = String::from_utf8(own_limit.stdout).unwrap();
    let said = succeeded(command.output().unwrap());
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!([lines[0], lines[1]], ["0022", own_limit.trim()]);
    assert_eq!(lines[2], "Umask:\t0077");
    assert_eq!(lines[3].split_whitespace().nth(4), Some("0"), "{said}");
    assert_eq!(lines[4], "644");
}

/// Gives everything in a directory to a user.
fn give_to(directory: &Path, uid: u32) {
    for path in everything_in(directory) {
        std::os::unix::fs::lchown(path, Some(uid), Some(uid)).unwrap();
    }
}

#[test]
fn root_makes_no_files_in_the_data_directory_of_another_user() {
    if !is_root() {
        return;
    }
    let mut served = Served::start(&[]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    served.stop();
    let backups = served.directory.path().join("backups");
    let backups = backups.to_str().unwrap();
    served.run("backup", &[backups]);
    give_to(&served.data_dir(), NOBODY);
    let expected = "supercargo: the data directory DATA belongs to the user nobody, and files that root makes in it could not \
                    be read by nobody: run this as nobody (sudo -u nobody supercargo ...)\n";
    let import = ["--owner", "ann", "sparse+http://127.0.0.1:9/index/", "bar"];
    let refused: [(&str, &[&str], i32); 6] = [
        ("serve", &["--listen", "127.0.0.1:0"], 1),
        ("worker", &[], 1),
        ("admin import", &import, 1),
        ("verify", &["--repair"], 2),
        ("restore", &[backups], 1),
        ("restore", &[backups, "--index-only"], 1),
    ];
    for (subcommand, arguments, code) in refused {
        let said = failed(served.command(subcommand).args(arguments).output().unwrap(), code);
        assert_eq!(said.replace(served.data_dir().to_str().unwrap(), "DATA"), expected, "{subcommand}");
    }
    served.run("verify", &[]);
    served.run("backup", &[backups]);
    served.run("admin user create", &["bob"]);
    served.run("jobs list", &[]);
    let of_root: Vec<_> = everything_in(&served.data_dir());
    let of_root: Vec<_> = of_root.iter().filter(|path| fs::symlink_metadata(path).unwrap().uid() == 0).collect();
    assert_eq!(of_root, Vec::<&PathBuf>::new());
    // Its own directory is root's again.
    give_to(&served.data_dir(), 0);
    served.start_again();
}
