//! The queue alone, with jobs of one's own: letters that are delivered in order to each address.
//!
//! `cargo run --example queue` needs no set-up: it starts a PostgreSQL of its own in a temporary directory.

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

/// A job is data that can be written as JSON. What it is about and how it is treated stands beside it.
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

/// What jobs are given besides their own data.
struct Post {
    delivered: Mutex<Sender<String>>,
}

impl Perform<Post> for Deliver {
    /// May be repeated from any point at which the last attempt was killed.
    fn perform(self, post: &Post, _: &mut Run<'_>) -> Result<Outcome, JobError> {
        if self.letter == "unreadable" {
            return Err(JobError::failed("nobody can read this"));
        }
        post.delivered.lock().map_err(|_| JobError::failed("the post is closed"))?.send(self.letter.clone())?;
        Ok(Outcome { detail: Some(format!("to {}", self.address)) })
    }
}

/// How the queue gets its connections.
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
    // Started by root, PostgreSQL runs as another user, who has to get through.
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    let data_dir = directory.path().to_owned();
    let options = embedded::Options { data_dir, postgres_bin_dir: None, os_user: None, throwaway: true };
    let cluster = embedded::Cluster::start(&options)?;
    let mut connection = PgConnection::establish(&cluster.url())?;
    migrations::migrate(&mut connection)?;

    // Asked for in a transaction of the caller's: owed when it commits, together with whatever else it does.
    let letters = [("ann", "first"), ("ann", "unreadable"), ("ann", "last"), ("bob", "only")];
    let jobs = connection.transaction::<_, Box<dyn Error>, _>(|connection| {
        let ask = |(address, letter): (&str, &str)| {
            let job = Deliver { address: address.to_owned(), letter: letter.to_owned() };
            Ok(Enqueue::new(&job).requested_by("the example").insert(connection)?)
        };
        letters.map(ask).into_iter().collect::<Result<Vec<_>, Box<dyn Error>>>()
    })?;

    let (delivered, arrived) = channel();
    let registry = Registry::default().job::<Deliver>()?;
    let post = Post { delivered: Mutex::new(delivered) };
    let source = Database(cluster.url());
    let runner = Runner::new(registry, post, source, "example", Wakeups::default(), Completions::default());
    let running = runner.start()?;
    // `last` waits until its predecessor is dead: after three attempts, which are not overtaken.
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
