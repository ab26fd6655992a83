//! The queue with a job of the example's own: letters that are delivered to each address in order.
//!
//! `cargo run --example queue` needs no setup: it starts an embedded PostgreSQL in a temporary directory.

use std::error::Error;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use diesel::{Connection, PgConnection};
use serde::{Deserialize, Serialize};
use supercargo::database::migrations;
use supercargo::postgres::embedded;
use supercargo::queue::{
    Backoff, Completions, ConnectionSource, Enqueue, Job, JobError, Lend, Order, Outcome, Perform, Policy, Registry,
    Run, Runner, Wakeups, inspection,
};

/// The data of a job, which is stored as JSON. `Job` adds its kind, policy and key.
#[derive(Serialize, Deserialize)]
struct Deliver {
    address: String,
    letter: String,
}

impl Job for Deliver {
    const KIND: &'static str = "deliver";
    const POLICY: Policy = Policy {
        order: Order::ByKey,
        max_attempts: 3,
        backoff: Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(1) },
        time_limit: Duration::from_secs(10),
        ..Policy::in_queue("letters")
    };

    fn key(&self) -> Option<String> {
        Some(self.address.clone())
    }
}

/// The environment that every job receives.
struct Post {
    delivered: Mutex<Sender<String>>,
}

impl Perform<Post> for Deliver {
    /// Idempotent, since the last attempt may have been killed at any point.
    fn perform(self, post: &Post, _: &mut Run<'_>) -> Result<Outcome, JobError> {
        if self.letter == "unreadable" {
            return Err(JobError::failed("the letter is unreadable"));
        }
        post.delivered.lock().map_err(|_| JobError::failed("another job panicked"))?.send(self.letter.clone())?;
        Ok(Outcome { detail: Some(format!("to {}", self.address)) })
    }
}

/// Opens connections for the queue.
struct Database(String);

impl ConnectionSource for Database {
    fn connect(&self) -> Result<Box<dyn Lend>, Box<dyn Error + Send + Sync>> {
        Ok(Box::new(Own(PgConnection::establish(&self.0)?)))
    }
}

struct Own(PgConnection);

impl Lend for Own {
    fn lend(&mut self, with: &mut dyn FnMut(&mut PgConnection)) {
        with(&mut self.0);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    // Started by root, PostgreSQL runs as another user, which must be able to enter the directory.
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    let data_dir = directory.path().to_owned();
    let options = embedded::Options { data_dir, postgres_bin_dir: None, os_user: None, throwaway: true };
    let cluster = embedded::Cluster::start(&options)?;
    let mut connection = PgConnection::establish(&cluster.url())?;
    migrations::migrate(&mut connection)?;

    // Enqueued in the caller's transaction: the jobs are pending when it commits.
    let letters = [("ann", "first"), ("ann", "unreadable"), ("ann", "last"), ("bob", "only")];
    let jobs = connection.transaction::<_, Box<dyn Error>, _>(|connection| {
        let enqueue = |(address, letter): (&str, &str)| {
            let job = Deliver { address: address.to_owned(), letter: letter.to_owned() };
            Ok(Enqueue::new(&job).requested_by("the example").insert(connection)?)
        };
        letters.map(enqueue).into_iter().collect::<Result<Vec<_>, Box<dyn Error>>>()
    })?;

    let (delivered, arrived) = channel();
    let registry = Registry::default().job::<Deliver>()?;
    let post = Post { delivered: Mutex::new(delivered) };
    let source = Database(cluster.url());
    let runner = Runner::new(registry, post, source, "example", Wakeups::default(), Completions::default());
    let running = runner.start()?;
    // `last` waits until the letter before it is dead, after three attempts.
    let letters = (0..3).map(|_| arrived.recv_timeout(Duration::from_secs(60))).collect::<Result<Vec<_>, _>>()?;
    running.stop();

    println!("delivered: {}", letters.join(", "));
    for job in jobs {
        for receipt in inspection::receipts(&mut connection, job)? {
            let result = receipt.error.or(receipt.detail).unwrap_or_default();
            println!("job {} attempt {}: {} ({result})", receipt.id, receipt.attempts, receipt.outcome);
        }
    }
    drop(connection);
    Ok(cluster.stop()?)
}
