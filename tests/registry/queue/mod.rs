//! The queue with test kinds and real connections.

mod claiming;
mod failing;
mod limits;
mod looking;
mod ordering;
mod planning;
mod registering;
mod slow;
mod sweeping;
pub mod waking;

use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_query;
use serde::{Deserialize, Serialize};
use supercargo::queue::inspection::{self, JobView, Receipt, Selection};
use supercargo::queue::intervention::{self, Handled};
use supercargo::queue::registry::RegistryError;
use supercargo::queue::{
    Backoff, Batch, Completions, ConnectionSource, Duplicates, Enqueue, EnqueueError, Job, JobError, Lend, Member,
    Order, Outcome, Perform, Policy, Registry, Run, Runner, Settings, Wakeups, Workers,
};
use supercargo::queue::{claim, session, storage, sweep};

use crate::support::cluster::Database;
use crate::support::event::wait_until;

const POLICY: Policy = Policy {
    max_attempts: 3,
    backoff: Backoff { base: Duration::from_secs(3600), cap: Duration::from_secs(3600) },
    ..Policy::in_queue("test")
};

/// The channels between the jobs and the test.
#[derive(Default)]
struct World {
    ran: Mutex<Vec<String>>,
    /// A job named `wait` reports its start and continues after a message.
    gate: Option<Gate>,
}

/// The channels on which a job reports its start and receives the permission to continue.
type Gate = (Mutex<Sender<()>>, Mutex<Receiver<()>>);

/// Does what the name says and records it in the job's transaction.
fn act_out(name: &str, world: &World, run: &mut Run<'_>) -> Result<Outcome, JobError> {
    world.ran.lock().unwrap().push(name.to_owned());
    match name {
        "fail" => return Err(JobError::failed("it went wrong")),
        "fail with a text of no column" => {
            return Err(JobError::failed(format!("the remote said \0{}", "x".repeat(100_000))));
        }
        "outage" => return Err(JobError::outage("the remote is away")),
        "panic" => panic!("a {} message", "formatted"),
        "plain panic" => panic!("a plain message"),
        "panic with a number" => std::panic::panic_any(7),
        "panic in a transaction" => run.with_connection(|connection| {
            connection.transaction::<(), diesel::result::Error, _>(|connection| {
                sql_query("INSERT INTO effects VALUES ('half')").execute(connection)?;
                panic!("within")
            })
        })?,
        "bad sql" => drop(run.with_connection(|connection| sql_query("SELECT nonsense").execute(connection))?),
        "bad sql, and says nothing" => {
            drop(run.with_connection(|connection| sql_query("SELECT nonsense").execute(connection)))
        }
        "long sql" => drop(run.with_connection(|connection| sql_query("SELECT pg_sleep(60)").execute(connection))?),
        "wait" => {
            let (started, go_on) = world.gate.as_ref().unwrap();
            started.lock().unwrap().send(()).unwrap();
            // The other end is dropped when the test fails.
            let _ = go_on.lock().unwrap().recv();
        }
        _ => {}
    }
    if name == "bad sql, and says nothing" {
        return Ok(Outcome::default());
    }
    run.with_connection(|connection| {
        sql_query("INSERT INTO effects VALUES ($1)").bind::<diesel::sql_types::Text, _>(name).execute(connection)
    })?;
    Ok(Outcome { detail: Some(format!("did {name}")) })
}

/// Does what its name says.
#[derive(Serialize, Deserialize)]
struct Act(String);

impl Job for Act {
    const KIND: &'static str = "act";
    const POLICY: Policy = POLICY;

    fn key(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

impl Perform<Arc<World>> for Act {
    fn perform(self, world: &Arc<World>, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        act_out(&self.0, world, run)
    }
}

/// Like `Act`, with a time limit of 0.2 s.
#[derive(Serialize, Deserialize)]
struct Brief(String);

impl Job for Brief {
    const KIND: &'static str = "brief";
    const POLICY: Policy = Policy { time_limit: Duration::from_millis(200), ..POLICY };
}

impl Perform<Arc<World>> for Brief {
    fn perform(self, world: &Arc<World>, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        act_out(&self.0, world, run)
    }
}

/// Like `Act`, with one attempt.
#[derive(Serialize, Deserialize)]
struct Last(String);

impl Job for Last {
    const KIND: &'static str = "last";
    const POLICY: Policy = Policy { max_attempts: 1, ..Brief::POLICY };
}

impl Perform<Arc<World>> for Last {
    fn perform(self, world: &Arc<World>, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        act_out(&self.0, world, run)
    }
}

/// Like `Act`, in order of arrival within its key.
#[derive(Serialize, Deserialize)]
struct InOrder {
    key: String,
    name: String,
}

impl Job for InOrder {
    const KIND: &'static str = "in_order";
    const POLICY: Policy = Policy { order: Order::ByKey, ..POLICY };

    fn key(&self) -> Option<String> {
        Some(self.key.clone()).filter(|key| !key.is_empty())
    }
}

impl Perform<Arc<World>> for InOrder {
    fn perform(self, world: &Arc<World>, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        act_out(&self.name, world, run)
    }
}

/// Like `Act`, deduplicated by its name.
#[derive(Serialize, Deserialize)]
struct Once(String);

impl Job for Once {
    const KIND: &'static str = "once";
    const POLICY: Policy = Policy { duplicates: Duplicates::WakeTwin, ..POLICY };

    fn key(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

impl Perform<Arc<World>> for Once {
    fn perform(self, world: &Arc<World>, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        act_out(&self.0, world, run)
    }
}

/// Jobs that run together; `bad` fails on its own.
struct Together;

#[derive(Serialize, Deserialize)]
struct One(String);

impl Job for One {
    const KIND: &'static str = "one";
    const POLICY: Policy = POLICY;
}

impl Member<Arc<World>, Together> for One {
    fn into_member(self) -> String {
        self.0
    }
}

impl Batch<Arc<World>> for Together {
    type Member = String;
    const SIZE: usize = 3;

    fn perform(
        world: &Arc<World>,
        members: Vec<String>,
        _: &mut Run<'_>,
    ) -> Result<Vec<Result<Outcome, JobError>>, JobError> {
        world.ran.lock().unwrap().push(members.join("+"));
        let verdict =
            |member: String| if member == "bad" { Err(JobError::failed("bad")) } else { Ok(Outcome::default()) };
        Ok(members.into_iter().map(verdict).collect())
    }
}

/// Opens any number of connections to a URL.
struct Source(String);

struct Own(PgConnection);

impl ConnectionSource for Source {
    fn connect(&self) -> Result<Box<dyn Lend>, Box<dyn Error + Send + Sync>> {
        Ok(Box::new(Own(PgConnection::establish(&self.0)?)))
    }
}

impl Lend for Own {
    fn lend(&mut self, with: &mut dyn FnMut(&mut PgConnection)) {
        with(&mut self.0);
    }
}

fn registry(workers: Workers) -> Registry<Arc<World>> {
    let registry = Registry::default().job::<Act>().unwrap().job::<Brief>().unwrap().job::<InOrder>().unwrap();
    let registry = registry
        .job::<Last>()
        .unwrap()
        .job::<Once>()
        .unwrap()
        .batch::<Together>(|kinds| kinds.member::<One>())
        .unwrap();
    registry.workers("test", workers).unwrap()
}

fn workers(count: usize) -> Workers {
    Workers::PerProcess(NonZeroUsize::new(count).unwrap())
}

/// A queue in its own database, with a connection for the test.
struct Queue {
    database: Database,
    connection: PgConnection,
    world: Arc<World>,
    wakeups: Wakeups,
    settings: Settings,
}

impl Queue {
    fn new() -> Self {
        Self::in_world(World::default())
    }

    fn in_world(world: World) -> Self {
        let database = Database::fresh();
        let mut connection = database.connect();
        sql_query("CREATE TABLE effects (name text)").execute(&mut connection).unwrap();
        let settings = Settings { watch_every: Duration::from_millis(50), ..Settings::default() };
        Self { database, connection, world: Arc::new(world), wakeups: Wakeups::default(), settings }
    }

    /// With a gate for jobs named `wait`: a receiver of their starts and a sender that lets them continue.
    fn gated() -> (Self, Receiver<()>, Sender<()>) {
        let ((started, hear_started), (tell, go_on)) = (channel(), channel());
        let gate = Some((Mutex::new(started), Mutex::new(go_on)));
        (Self::in_world(World { gate, ..World::default() }), hear_started, tell)
    }

    /// One worker in every process.
    fn runner(&self) -> Runner<Arc<World>> {
        self.runner_with(workers(1))
    }

    fn runner_with(&self, workers: Workers) -> Runner<Arc<World>> {
        self.runner_at(&self.database.url(), workers)
    }

    fn runner_at(&self, url: &str, workers: Workers) -> Runner<Arc<World>> {
        let (world, source) = (Arc::clone(&self.world), Source(url.to_owned()));
        Runner::new(registry(workers), world, source, "tester", self.wakeups.clone(), Completions::default())
            .with_settings(self.settings)
    }

    fn enqueue(&mut self, job: &impl Job) -> i64 {
        Enqueue::new(job).requested_by("ann").insert(&mut self.connection).unwrap()
    }

    fn act(&mut self, name: &str) -> i64 {
        self.enqueue(&Act(name.to_owned()))
    }

    fn one(&mut self, name: &str) -> i64 {
        self.enqueue(&One(name.to_owned()))
    }

    fn in_order(&mut self, key: &str, name: &str) -> i64 {
        self.enqueue(&InOrder { key: key.to_owned(), name: name.to_owned() })
    }

    fn sql(&mut self, statement: &str) -> usize {
        sql_query(statement).execute(&mut self.connection).unwrap()
    }

    fn show(&mut self, job: i64) -> JobView {
        inspection::show(&mut self.connection, job).unwrap().unwrap()
    }

    fn state(&mut self, job: i64) -> String {
        self.show(job).state
    }

    fn receipts(&mut self, job: i64) -> Vec<Receipt> {
        inspection::receipts(&mut self.connection, job).unwrap()
    }

    /// How the attempts of a job ended.
    fn outcomes(&mut self, job: i64) -> Vec<String> {
        self.receipts(job).into_iter().map(|receipt| receipt.outcome).collect()
    }

    fn pending(&mut self) -> i64 {
        inspection::count(&mut self.connection).unwrap().0
    }

    fn make_due(&mut self) {
        self.sql("UPDATE jobs SET run_at = clock_timestamp()");
    }

    fn count(&mut self, query: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            count: i64,
        }
        sql_query(query).get_result::<Count>(&mut self.connection).unwrap().count
    }

    fn effects(&mut self) -> i64 {
        self.count("SELECT count(*) FROM effects")
    }

    /// Ends the sessions of all workers and gives their number.
    fn end_workers_sessions(&mut self) -> i64 {
        self.count(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name LIKE 'supercargo worker%'",
        )
    }

    fn ran(&self) -> Vec<String> {
        self.world.ran.lock().unwrap().clone()
    }
}
