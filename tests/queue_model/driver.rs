//! One run: starts workers, kills and stops them at random, enqueues and meddles meanwhile, and waits until no job is
//! pending.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::cluster::Database;
use crate::kinds::QUEUES;
use crate::meddling::{self, Asked};
use crate::verdict::{self, Verdict};
use crate::worker::{self, Orders};

const PROCESSES: usize = 4;
/// Far longer than a run takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Kills and stops at the usual scale. Without a limit, a slow machine would kill every worker before any job is done.
const BLOWS: u32 = 20;

/// What a run does.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// Multiplies the usual number of jobs.
    pub scale: u32,
    pub gap: Duration,
    pub hold_skips_locked: bool,
    /// Each queue has one worker in the installation, and the other processes stand by.
    pub one_in_all: bool,
}

impl Plan {
    pub fn of_seed(seed: u64) -> Self {
        let one_in_all = seed.is_multiple_of(2);
        Self { seed, scale: 1, gap: crate::GAP, hold_skips_locked: false, one_in_all }
    }

    /// The random numbers of one thread of the run.
    pub fn chance(&self, thread: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_mul(1000).wrapping_add(thread))
    }
}

/// What the driver did.
#[derive(Debug, Default)]
pub struct Deeds {
    /// Processes that the driver killed.
    pub kills: usize,
    /// Processes that ended in another way: by a poison job.
    pub deaths: usize,
    pub stops: usize,
    pub in_time: bool,
}

/// The tables of the model itself, beside those of the queue.
pub const TABLES: &str = "
    CREATE TABLE effects (id bigint NOT NULL);
    CREATE TABLE requested (key text PRIMARY KEY, requests bigint NOT NULL);
    CREATE TABLE seen (key text PRIMARY KEY, requests bigint NOT NULL);
    CREATE TABLE retried (id bigint NOT NULL, claimed_at timestamptz NOT NULL);
    CREATE INDEX ON jobs (((payload->>'n')::bigint));";

pub fn run(plan: &Plan) -> Verdict {
    let began = Instant::now();
    let database = Database::fresh();
    let directory = tempfile::tempdir().unwrap();
    let mut connection = database.connect();
    connection.batch_execute(TABLES).unwrap();
    let (asked, over) = (Asked::default(), AtomicBool::new(false));
    let deeds = std::thread::scope(|scope| {
        let enqueuers = [1, 2].map(|thread| {
            let (asked, mut connection) = (&asked, database.connect());
            scope.spawn(move || meddling::enqueue(plan, plan.chance(thread), asked, &mut connection))
        });
        for thread in [3, 4] {
            let (over, mut connection, mut operator) = (&over, database.connect(), database.connect());
            scope.spawn(move || meddling::meddle(plan.chance(thread), over, &mut connection, &mut operator));
        }
        let _over = AtTheEnd(&over);
        let mut workers = Workers::new(plan, &database, directory.path());
        let until = began + PATIENCE * plan.scale;
        while Instant::now() < until {
            workers.step();
            if enqueuers.iter().all(|enqueuer| enqueuer.is_finished()) && pending(&mut connection) == 0 {
                workers.deeds.in_time = true;
                break;
            }
        }
        std::mem::take(&mut workers.deeds)
    });
    verdict::of(plan, asked, &deeds, directory.path(), &mut connection, began)
}

/// Ends the other threads, also if this one fails.
struct AtTheEnd<'a>(&'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn pending(connection: &mut PgConnection) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    sql_query("SELECT count(*) FROM jobs").get_result::<Count>(connection).unwrap().count
}

/// Starts a worker process.
pub fn start(orders: &Orders) -> Child {
    // Receives the panics of jobs.
    let said: File = OpenOptions::new().append(true).create(true).open(orders.directory.join("said")).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .env(worker::VARIABLE, serde_json::to_string(orders).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .unwrap()
}

/// The worker processes.
struct Workers<'a> {
    plan: &'a Plan,
    database: &'a Database,
    directory: &'a Path,
    chance: StdRng,
    processes: Vec<Process>,
    started: usize,
    next_blow: Instant,
    blows: u32,
    deeds: Deeds,
}

struct Process {
    child: Child,
    /// The driver has killed it.
    killed: bool,
    /// It is stopped until then.
    stopped: Option<Instant>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl<'a> Workers<'a> {
    fn new(plan: &'a Plan, database: &'a Database, directory: &'a Path) -> Self {
        let mut workers = Self {
            plan,
            database,
            directory,
            chance: plan.chance(5),
            processes: Vec::new(),
            started: 0,
            next_blow: Instant::now() + Duration::from_millis(200),
            blows: 0,
            deeds: Deeds::default(),
        };
        for _ in 0..PROCESSES {
            let process = workers.start();
            workers.processes.push(process);
        }
        workers
    }

    fn start(&mut self) -> Process {
        self.started += 1;
        let orders = Orders {
            database: self.database.url(),
            directory: self.directory.to_owned(),
            name: format!("worker {}", self.started),
            workers: QUEUES.map(|_| if self.plan.one_in_all { 0 } else { self.chance.random_range(1..=2) }),
            gap: self.plan.gap,
            hold_skips_locked: self.plan.hold_skips_locked,
        };
        Process { child: start(&orders), killed: false, stopped: None }
    }

    /// Restarts dead processes, continues those that were stopped for long enough, and kills or stops one when it is time.
    fn step(&mut self) {
        let now = Instant::now();
        for place in 0..self.processes.len() {
            let process = &mut self.processes[place];
            if process.child.try_wait().unwrap().is_some() {
                if process.killed {
                    self.deeds.kills += 1
                } else {
                    self.deeds.deaths += 1
                }
                self.processes[place] = self.start();
            } else if process.stopped.is_some_and(|until| until <= now) {
                process.signal(Signal::SIGCONT);
                process.stopped = None;
            }
        }
        if self.next_blow <= now && self.blows < BLOWS * self.plan.scale {
            self.blows += 1;
            self.next_blow = now + Duration::from_millis(self.chance.random_range(50..350));
            let place = self.chance.random_range(0..self.processes.len());
            let process = &mut self.processes[place];
            if self.chance.random_bool(0.2) {
                process.signal(Signal::SIGSTOP);
                process.stopped = Some(now + Duration::from_millis(self.chance.random_range(50..700)));
                self.deeds.stops += 1;
            } else {
                process.signal(Signal::SIGKILL);
                process.killed = true;
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Process {
    fn signal(&self, signal: Signal) {
        // Until it is waited for, its process id is not reused.
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }
}
