//! One PostgreSQL for a whole test run, started by whoever needs it first.
//!
//! A test runner may start every test in a process of its own, so the cluster has to outlive them. It belongs to a
//! throw-away registry, run by `supercargo with` around a command that watches the test run and ends with it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use supercargo::database::migrations;
use supercargo::database::upkeep::backup::major_version;
use supercargo::postgres::embedded;

const PROGRAM: &str = env!("CARGO_BIN_EXE_supercargo");
const START: Duration = Duration::from_secs(60);

/// A database of its own, dropped at the end.
pub struct Database {
    name: String,
}

impl Database {
    /// A database with the registry's schema and nothing in it.
    pub fn fresh() -> Self {
        Self::create("TEMPLATE test_template")
    }

    /// A database without any table.
    pub fn empty() -> Self {
        Self::create("TEMPLATE template0")
    }

    fn create(how: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        administrate(&format!("CREATE DATABASE {name} {how}"));
        Self { name }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> String {
        url_of(&self.name)
    }

    pub fn connect(&self) -> PgConnection {
        PgConnection::establish(&self.url()).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        administrate(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// A connection to another database of the cluster, for what is done to one from outside.
pub fn administrator() -> PgConnection {
    PgConnection::establish(&url_of("postgres")).unwrap()
}

/// A migrated database with nothing in it, for a test that rolls back what it does. Other tests of the run had it before,
/// none has it at the same time: two transactions of one database wait for each other when both insert a user, a crate or
/// a team of the same name, and deadlock when they insert two of them in another order.
pub struct Lent {
    name: String,
    _lock: Flock<File>,
}

impl Lent {
    /// The first database that is free; a new one if all are lent.
    pub fn free() -> Self {
        let run = RunDirectory::of_this_run();
        ensure_running(&run);
        (0..).find_map(|number| Self::numbered(number, &run)).unwrap_or_else(|| panic!("every database is lent"))
    }

    /// The database with this number, created if it is not there; None while another test has it.
    fn numbered(number: u32, run: &RunDirectory) -> Option<Self> {
        let name = format!("test_lent_{number}");
        let file = OpenOptions::new().create(true).append(true).open(run.path.join(&name)).unwrap();
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, Errno::EWOULDBLOCK)) => return None,
            Err((_, error)) => panic!("cannot lock the file of {name}: {error}"),
        };
        // The file says that the database is complete.
        if lock.metadata().unwrap().len() == 0 {
            administrate(&format!("DROP DATABASE IF EXISTS {name}"));
            administrate(&format!("CREATE DATABASE {name} TEMPLATE test_template"));
            lock.write_all(b"created").unwrap();
        }
        Some(Self { name, _lock: lock })
    }

    pub fn url(&self) -> String {
        url_of(&self.name)
    }
}

fn administrate(statement: &str) {
    administrator().batch_execute(statement).unwrap();
}

/// The cluster's URL names its own database; this names another one.
fn url_of(database: &str) -> String {
    static URL: OnceLock<String> = OnceLock::new();
    let url = URL.get_or_init(|| ensure_running(&RunDirectory::of_this_run()));
    assert!(url.contains(":///supercargo?"), "{url}");
    url.replacen(":///supercargo?", &format!(":///{database}?"), 1)
}

/// Where the tests of one run meet.
struct RunDirectory {
    path: PathBuf,
    /// The process that lives as long as the run.
    owner: u32,
}

impl RunDirectory {
    fn of_this_run() -> Self {
        let (run, owner) = match std::env::var("NEXTEST_RUN_ID") {
            Ok(run) => (run, nix::unistd::getppid().as_raw().cast_unsigned()),
            Err(_) => (std::process::id().to_string(), std::process::id()),
        };
        let path = std::env::temp_dir().join(format!("supercargo-tests-{run}"));
        std::fs::create_dir_all(&path).unwrap();
        Self { path, owner }
    }
}

/// Starts the cluster unless another test of the run has; answers its URL.
fn ensure_running(run: &RunDirectory) -> String {
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(run.path.join("lock")).unwrap();
    let _locked = Flock::lock(lock, FlockArg::LockExclusive).unwrap();
    let ready = run.path.join("ready");
    if !ready.exists() {
        let data_dir = start(run);
        let url = embedded::attach(Path::new(&data_dir)).unwrap().expect("the cluster runs");
        prepare(&url);
        std::fs::write(&ready, data_dir).unwrap();
    }
    embedded::attach(Path::new(&std::fs::read_to_string(&ready).unwrap())).unwrap().expect("the cluster runs")
}

fn start(run: &RunDirectory) -> String {
    let told = run.path.join("data-dir");
    let watch = format!(
        "echo \"$SUPERCARGO_DATA_DIR\" > '{told}.new' && mv '{told}.new' '{told}'; \
         while kill -0 {owner} 2>/dev/null; do sleep 0.5; done; rm -rf '{run}'",
        told = told.display(),
        owner = run.owner,
        run = run.path.display(),
    );
    let log = std::fs::File::create(run.path.join("log")).unwrap();
    #[expect(clippy::zombie_processes, reason = "it outlives this process")]
    let mut role = Command::new(PROGRAM)
        .args(["with", "--", "sh", "-c", &watch])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let until = Instant::now() + START;
    loop {
        if let Ok(data_dir) = std::fs::read_to_string(&told) {
            return data_dir.trim().to_owned();
        }
        if let Some(status) = role.try_wait().unwrap() {
            panic!("{status}: {}", std::fs::read_to_string(run.path.join("log")).unwrap());
        }
        assert!(Instant::now() < until, "the test cluster did not start");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn prepare(url: &str) {
    let mut connection = PgConnection::establish(url).unwrap();
    // script/test-postgres says which server it wants to be tested.
    if let Ok(wanted) = std::env::var("TEST_POSTGRES_MAJOR") {
        assert_eq!(major_version(&mut connection).unwrap().to_string(), wanted, "the server's major version");
    }
    connection.batch_execute("CREATE DATABASE test_template").unwrap();
    let url = url.replacen(":///supercargo?", ":///test_template?", 1);
    migrations::migrate(&mut PgConnection::establish(&url).unwrap()).unwrap();
}

/// Otherwise two transactions that insert the same two names in another order would deadlock.
#[test]
fn two_registries_at_a_time_have_two_databases() {
    let (one, other) = (Lent::free(), Lent::free());
    assert_ne!(one.url(), other.url());
}
