//! A worker process that is stopped in the middle of a job (SIGSTOP, like a frozen virtual machine) for longer than the time
//! limit of the job. Its own watch is stopped too, so the database enforces the limit.

use std::process::Child;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use supercargo::queue::{Enqueue, JobId, inspection};

use crate::cluster::Database;
use crate::driver::{self, TABLES};
use crate::kinds::{Brief, QUEUES};
use crate::worker::Orders;

/// Far longer than the time limit and the database's margin.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn loses_its_job() {
    let database = Database::fresh();
    let directory = tempfile::tempdir().unwrap();
    let mut connection = database.connect();
    connection.batch_execute(TABLES).unwrap();
    let start = |name: &str| {
        Worker(driver::start(&Orders {
            database: database.url(),
            directory: directory.path().to_owned(),
            name: name.to_owned(),
            workers: QUEUES.map(|_| 1),
            gap: crate::GAP,
            hold_skips_locked: false,
        }))
    };
    let sleeper = start("the sleeper");
    let (number, job) = stop_in_a_job(&sleeper, &mut connection);
    let other = start("the other");
    wait_for(&mut connection, job, "done");
    let receipts = inspection::receipts(&mut connection, job).unwrap();
    let ended: Vec<_> = receipts.iter().map(|one| (&*one.outcome, one.finished_by.as_deref().unwrap())).collect();
    assert_eq!(ended, [("lost", "the sleeper"), ("done", "the other")]);
    drop(other);
    sleeper.signal(Signal::SIGCONT);
    // It finds its session ended, connects again and continues.
    let next = Enqueue::new(&Brief(-1)).insert(&mut connection).unwrap();
    wait_for(&mut connection, next, "done");
    let receipts = inspection::receipts(&mut connection, next).unwrap();
    assert_eq!(receipts.last().unwrap().finished_by.as_deref(), Some("the sleeper"));
    assert_eq!(effects(&mut connection, number), 1);
    assert_eq!(inspection::receipts(&mut connection, job).unwrap().len(), 2);
}

/// Stops the worker while it runs a job. If the job is done first, tries another one.
fn stop_in_a_job(worker: &Worker, connection: &mut PgConnection) -> (i64, JobId) {
    for number in 1.. {
        let job = Enqueue::new(&Brief(number)).insert(connection).unwrap();
        wait_for(connection, job, "running");
        worker.signal(Signal::SIGSTOP);
        // Nothing happens any more when the process is stopped and its session waits for it.
        while !(is_stopped(worker) && waits_for_its_client(connection)) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        if state(connection, job) == "running" {
            return (number, job);
        }
        worker.signal(Signal::SIGCONT);
    }
    unreachable!("the range has no end")
}

/// Whether the process is stopped; a signal takes effect a moment after it was sent.
fn is_stopped(worker: &Worker) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", worker.0.id())).unwrap();
    stat.rsplit(") ").next().unwrap().starts_with('T')
}

/// Whether the session of the queue's only worker has no statement running.
fn waits_for_its_client(connection: &mut PgConnection) -> bool {
    let active = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
                  AND application_name LIKE 'supercargo worker%keyed'";
    sql_query(active).execute(connection).unwrap() == 0
}

/// Waits for the state. A wait for "running" also ends with "done", since a run takes only a tenth of a second.
fn wait_for(connection: &mut PgConnection, job: JobId, wanted: &str) {
    let until = Instant::now() + PATIENCE;
    while ![wanted, "done"].contains(&&*state(connection, job)) {
        assert!(Instant::now() < until, "job {job} is {} and not {wanted}", state(connection, job));
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn state(connection: &mut PgConnection, job: JobId) -> String {
    inspection::show(connection, job).unwrap().unwrap().state
}

fn effects(connection: &mut PgConnection, number: i64) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let query = sql_query("SELECT count(*) FROM effects WHERE id = $1").bind::<BigInt, _>(number);
    query.get_result::<Count>(connection).unwrap().count
}

/// Killed at the end, also if the test fails.
struct Worker(Child);

impl Worker {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().cast_signed()), signal).unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
