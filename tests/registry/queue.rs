//! The queue with kinds of the tests' own and real connections: claims, fences, failures, wake-ups.

use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_query;
use serde::{Deserialize, Serialize};
use supercargo::queue::inspection::{self, JobView, Selection};
use supercargo::queue::intervention::{self, Handled};
use supercargo::queue::listener::Listener;
use supercargo::queue::registry::RegistryError;
use supercargo::queue::storage;
use supercargo::queue::{
    Backoff, Batch, Completions, ConnectionSource, Enqueue, Job, JobError, Lend, Member, Outcome, Perform, Policy,
    Registry, Run, Runner, Wakeups, Workers,
};

use crate::support::cluster::Database;
use crate::support::event::wait_until;

const POLICY: Policy = Policy {
    max_attempts: 3,
    backoff: Backoff { base: Duration::from_secs(3600), cap: Duration::from_secs(3600) },
    ..Policy::in_queue("test")
};

/// What the jobs tell the test, and what the test tells them.
#[derive(Default)]
struct World {
    ran: Mutex<Vec<String>>,
    /// A job named `wait` says that it has started, and goes on when it is told.
    gate: Option<Gate>,
}

/// Where a job says that it has started, and hears that it may go on.
type Gate = (Mutex<Sender<()>>, Mutex<Receiver<()>>);

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
        world.ran.lock().unwrap().push(self.0.clone());
        match &*self.0 {
            "fail" => return Err(JobError::own("it went wrong")),
            "outage" => return Err(JobError::shared("the remote is away")),
            "panic" => panic!("a {} message", "formatted"),
            "panic in a transaction" => run.with_connection(|connection| {
                connection.transaction::<(), diesel::result::Error, _>(|connection| {
                    sql_query("INSERT INTO effects VALUES ('half')").execute(connection)?;
                    panic!("within")
                })
            })?,
            "bad sql" => drop(run.with_connection(|connection| sql_query("SELECT nonsense").execute(connection))?),
            "wait" => {
                let (started, go_on) = world.gate.as_ref().unwrap();
                started.lock().unwrap().send(()).unwrap();
                go_on.lock().unwrap().recv().unwrap();
            }
            _ => {}
        }
        run.with_connection(|connection| {
            sql_query("INSERT INTO effects VALUES ($1)").bind::<diesel::sql_types::Text, _>(&self.0).execute(connection)
        })?;
        Ok(Outcome { detail: Some(format!("did {}", self.0)) })
    }
}

/// Jobs that run together; `bad` fails alone.
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
        let verdict = |member: String| if member == "bad" { Err(JobError::own("bad")) } else { Ok(Outcome::default()) };
        Ok(members.into_iter().map(verdict).collect())
    }
}

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

/// A queue of its own, seen from outside by one more connection.
struct Queue {
    database: Database,
    connection: PgConnection,
    world: Arc<World>,
    wakeups: Wakeups,
}

impl Queue {
    fn new() -> Self {
        Self::in_world(World::default())
    }

    fn in_world(world: World) -> Self {
        let database = Database::fresh();
        let mut connection = database.connect();
        sql_query("CREATE TABLE effects (name text)").execute(&mut connection).unwrap();
        Self { database, connection, world: Arc::new(world), wakeups: Wakeups::default() }
    }

    /// With a gate for jobs named `wait`: what they say, and how they are told to go on.
    fn gated() -> (Self, Receiver<()>, Sender<()>) {
        let ((started, hear_started), (tell, go_on)) = (channel(), channel());
        let gate = Some((Mutex::new(started), Mutex::new(go_on)));
        (Self::in_world(World { gate, ..World::default() }), hear_started, tell)
    }

    fn runner(&self) -> Runner<Arc<World>> {
        self.runner_with(Workers::PerProcess(NonZeroUsize::MIN))
    }

    fn runner_with(&self, workers: Workers) -> Runner<Arc<World>> {
        let registry = Registry::default()
            .job::<Act>()
            .unwrap()
            .batch::<Together>(|kinds| kinds.member::<One>())
            .unwrap()
            .workers("test", workers)
            .unwrap();
        Runner::new(
            registry,
            Arc::clone(&self.world),
            Source(self.database.url()),
            "tester",
            self.wakeups.clone(),
            Completions::default(),
        )
    }

    fn act(&mut self, name: &str) -> i64 {
        Enqueue::new(&Act(name.to_owned())).requested_by("ann").insert(&mut self.connection).unwrap()
    }

    fn one(&mut self, name: &str) -> i64 {
        Enqueue::new(&One(name.to_owned())).insert(&mut self.connection).unwrap()
    }

    fn sql(&mut self, statement: &str) -> usize {
        sql_query(statement).execute(&mut self.connection).unwrap()
    }

    fn show(&mut self, job: i64) -> JobView {
        inspection::show(&mut self.connection, job).unwrap().unwrap()
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

    fn ran(&self) -> Vec<String> {
        self.world.ran.lock().unwrap().clone()
    }
}

#[test]
fn a_start_is_on_record_before_anything_is_done() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.act("wait");
    std::thread::scope(|scope| {
        // Dropped when the test fails, so that the job ends and the test with it.
        let go_on = go_on;
        let runner = queue.runner();
        let running = scope.spawn(move || runner.drain().unwrap());
        started.recv().unwrap();
        let seen = inspection::show(&mut queue.connection, job).unwrap().unwrap();
        assert_eq!((seen.attempts, seen.worker.as_deref()), (1, Some("tester")));
        assert!(seen.run_at.unwrap() > seen.started_at.unwrap() + Duration::from_secs(2), "the gap");
        go_on.send(()).unwrap();
        assert_eq!(running.join().unwrap().done, [job]);
    });
}

#[test]
fn a_held_row_is_not_run_by_another_worker_however_due_it_looks() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.act("wait");
    std::thread::scope(|scope| {
        // Dropped when the test fails, so that the job ends and the test with it.
        let go_on = go_on;
        let runner = queue.runner();
        let running = scope.spawn(move || runner.drain().unwrap());
        started.recv().unwrap();
        // Its lock keeps even this statement out; another worker passes the row over.
        assert!(queue.runner().drain().unwrap().done.is_empty());
        assert_eq!(intervention::retry(&mut queue.connection, job, "op").unwrap(), Handled::Running);
        assert_eq!(intervention::discard(&mut queue.connection, job, "me", "why").unwrap(), Handled::Running);
        go_on.send(()).unwrap();
        assert_eq!(running.join().unwrap().done, [job]);
    });
    assert_eq!(queue.ran(), ["wait"]);
}

#[test]
fn a_worker_whose_session_ends_neither_finishes_nor_fails_its_job_and_another_does_it() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.act("wait");
    std::thread::scope(|scope| {
        // Dropped when the test fails, so that the job ends and the test with it.
        let go_on = go_on;
        let runner = queue.runner();
        let losing = scope.spawn(move || runner.drain());
        started.recv().unwrap();
        queue.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        wait_until("the row to be free", || {
            sql_query(
                "UPDATE jobs SET run_at = clock_timestamp() WHERE id IN (SELECT id FROM jobs FOR UPDATE SKIP LOCKED)",
            )
            .execute(&mut queue.connection)
            .unwrap()
                == 1
        });
        let runner = queue.runner();
        let winning = scope.spawn(move || runner.drain().unwrap());
        started.recv().unwrap();
        go_on.send(()).unwrap();
        go_on.send(()).unwrap();
        assert!(losing.join().unwrap().is_err());
        assert_eq!(winning.join().unwrap().done, [job]);
    });
    assert_eq!(queue.show(job).attempts, 2);
    assert_eq!(queue.effects(), 1);
}

#[test]
fn a_holder_whose_claim_was_taken_over_can_write_nothing() {
    let mut queue = Queue::new();
    let job = queue.act("x");
    queue.sql("UPDATE jobs SET claim_no = 2");
    assert!(storage::hold(&mut queue.connection, &[(job, 1)], None).unwrap().is_empty());
    assert_eq!(storage::fail(&mut queue.connection, job, 1, "stale", Duration::ZERO).unwrap(), 0);
    assert_eq!(storage::give_back(&mut queue.connection, job, 1, "stale", Duration::ZERO).unwrap(), 0);
    assert_eq!(storage::bury(&mut queue.connection, job, 1, "stale").unwrap(), 0);
    assert!(storage::finish(&mut queue.connection, &[(job, 1, None)], "stale").unwrap().is_empty());
    assert_eq!((queue.show(job).state.as_str(), queue.show(job).error), ("waiting", None));
    assert_eq!(storage::hold(&mut queue.connection, &[(job, 2)], None).unwrap(), [job]);
}

#[test]
fn a_batch_takes_what_is_fresh_and_of_its_group_up_to_its_size() {
    let mut queue = Queue::new();
    for name in ["a", "b"] {
        queue.one(name);
    }
    queue.act("x");
    for name in ["c", "bad", "d"] {
        queue.one(name);
    }
    let later =
        Enqueue::new(&One("later".to_owned())).after(Duration::from_secs(60)).insert(&mut queue.connection).unwrap();
    let drained = queue.runner().drain().unwrap();
    assert_eq!((drained.done.len(), drained.failed.len()), (5, 1));
    let mut ran = queue.ran();
    assert!(ran.contains(&"x".to_owned()));
    ran.retain(|names| names != "x");
    assert_eq!(ran.join("|").replace('+', "|"), "a|b|c|bad|d", "{ran:?}");
    assert!(ran.iter().all(|names| names.split('+').count() <= 3));
    assert_eq!(queue.show(later).state, "delayed");
}

#[test]
fn a_suspect_runs_alone() {
    let mut queue = Queue::new();
    for name in ["a", "suspect", "b"] {
        queue.one(name);
    }
    queue.sql("UPDATE jobs SET attempts = 2 WHERE payload = '\"suspect\"'");
    queue.runner().drain().unwrap();
    assert_eq!(queue.ran(), ["a+b", "suspect"]);
}

#[test]
fn higher_priority_runs_first() {
    let mut queue = Queue::new();
    queue.act("second");
    let first = queue.act("first");
    queue.sql(&format!("UPDATE jobs SET priority = 5 WHERE id = {first}"));
    queue.runner().drain().unwrap();
    assert_eq!(queue.ran(), ["first", "second"]);
}

#[test]
fn a_failure_keeps_its_text_and_waits_and_stops_nobody() {
    for (name, text) in [
        ("fail", "it went wrong"),
        ("panic", "the job panicked: a formatted message"),
        ("panic in a transaction", "the job panicked: within"),
        ("bad sql", "column \"nonsense\" does not exist"),
    ] {
        let mut queue = Queue::new();
        let (job, good) = (queue.act(name), queue.act("good"));
        let drained = queue.runner().drain().unwrap();
        assert_eq!(drained.done, [good], "{name}");
        let failed = queue.show(job);
        assert_eq!((failed.state.as_str(), failed.attempts, failed.error.as_deref()), ("failing", 1, Some(text)));
        let wait = (failed.run_at.unwrap() - chrono::Utc::now()).num_minutes();
        assert!((40..=80).contains(&wait), "an hour, a fifth more or less: {wait}");
        // Whatever it had written is gone.
        assert_eq!(queue.effects(), 1, "{name}");
    }
}

#[test]
fn a_job_at_its_limit_is_dead_and_can_be_retried_or_discarded() {
    let mut queue = Queue::new();
    let job = queue.act("fail");
    for attempt in 1..=3 {
        assert_eq!(queue.show(job).state, if attempt == 1 { "waiting" } else { "failing" });
        queue.make_due();
        queue.runner().drain().unwrap();
    }
    let dead = queue.show(job);
    assert_eq!((dead.state.as_str(), dead.attempts, dead.error.as_deref()), ("dead", 3, Some("it went wrong")));
    assert_eq!(inspection::count(&mut queue.connection).unwrap(), (0, 1));
    assert_eq!(intervention::retry(&mut queue.connection, job, "op").unwrap(), Handled::Dead);
    assert_eq!(queue.show(job).attempts, 0);
    assert_eq!(intervention::discard(&mut queue.connection, job, "op", "no use").unwrap(), Handled::Waiting);
    let done = queue.show(job);
    assert_eq!(
        (done.state.as_str(), done.detail.as_deref(), done.worker.as_deref()),
        ("discarded", Some("no use"), Some("op"))
    );
    assert_eq!(intervention::retry(&mut queue.connection, job, "op").unwrap(), Handled::Unknown);
    assert_eq!(intervention::discard(&mut queue.connection, 4711, "op", "").unwrap(), Handled::Unknown);
}

#[test]
fn a_job_that_kills_its_process_each_time_is_buried_before_it_is_started_again() {
    let mut queue = Queue::new();
    let job = queue.act("never");
    queue.sql("UPDATE jobs SET attempts = 3, claim_no = 3");
    queue.runner().drain().unwrap();
    assert!(queue.ran().is_empty());
    let dead = queue.show(job);
    assert_eq!(dead.state, "dead");
    assert!(dead.error.unwrap().starts_with("started 3 times and not heard of again"));
}

#[test]
fn a_shared_failure_costs_no_attempt_and_the_first_success_wakes_all_that_wait() {
    let mut queue = Queue::new();
    let waiting = [queue.act("outage"), queue.act("outage")];
    queue.runner().drain().unwrap();
    for job in waiting {
        let view = queue.show(job);
        assert_eq!((view.attempts, view.error.as_deref()), (0, Some("the remote is away")));
        assert!(view.run_at.unwrap() > chrono::Utc::now() + Duration::from_secs(2));
    }
    queue.sql("UPDATE jobs SET payload = '\"better\"'");
    queue.act("good");
    queue.runner().drain().unwrap();
    assert_eq!(queue.ran()[2..], ["good", "better", "better"]);
}

#[test]
fn an_unknown_kind_and_an_unreadable_payload_block_nobody() {
    let mut queue = Queue::new();
    queue.sql("INSERT INTO jobs (queue, kind, payload) VALUES ('test', 'of tomorrow', '{}'), ('test', 'one', '{}')");
    let good = queue.one("good");
    let drained = queue.runner().drain().unwrap();
    assert_eq!(drained.done, [good]);
    assert!(drained.failed[0].1.starts_with("the payload of this one job can't be read"), "{:?}", drained.failed);
    let unknown = inspection::list(&mut queue.connection, Selection::Owed, 10).unwrap();
    let unknown = unknown.iter().find(|job| job.kind == "of tomorrow").unwrap();
    assert_eq!((unknown.state.as_str(), unknown.attempts), ("waiting", 0));
}

#[test]
fn what_was_done_is_told_in_the_history() {
    let mut queue = Queue::new();
    let job = queue.act("x");
    queue.runner().drain().unwrap();
    let done = queue.show(job);
    assert_eq!((done.state.as_str(), done.detail.as_deref()), ("done", Some("did x")));
    assert_eq!((done.requested_by.as_deref(), done.attempts), (Some("ann"), 1));
}

#[test]
fn a_job_is_owed_when_its_transaction_commits_and_not_before() {
    let mut queue = Queue::new();
    let mut other = queue.database.connect();
    let rolled_back = other.transaction::<(), diesel::result::Error, _>(|connection| {
        Enqueue::new(&Act("x".to_owned())).insert(connection).unwrap();
        Err(diesel::result::Error::RollbackTransaction)
    });
    assert!(rolled_back.is_err());
    assert_eq!(inspection::count(&mut queue.connection).unwrap(), (0, 0));
}

#[test]
fn notifications_wake_another_process_and_tell_it_what_is_done_also_after_their_connection_was_lost() {
    let mut queue = Queue::new();
    let (wakeups, completions) = (Wakeups::default(), Completions::default());
    let listening = wakeups.ticket();
    let _listener = Listener::start(&queue.database.url(), &["test"], wakeups.clone(), completions.clone()).unwrap();
    // It wakes everybody once when it listens.
    assert_woken(&wakeups, listening);
    for round in 0..2 {
        let before = wakeups.ticket();
        let job = queue.act("x");
        assert_woken(&wakeups, before);
        let (tell, told) = channel();
        let _registration = completions.register(job, move || tell.send(()).unwrap());
        queue.runner().drain().unwrap();
        told.recv_timeout(Duration::from_secs(60)).unwrap();
        if round == 0 {
            let before = wakeups.ticket();
            let ended = queue.count(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'",
            );
            assert_eq!(ended, 1);
            assert_woken(&wakeups, before);
        }
    }
}

/// A wait that ends with its time is a wait in vain.
fn assert_woken(wakeups: &Wakeups, ticket: supercargo::queue::wakeup::Ticket) {
    let begin = std::time::Instant::now();
    wakeups.wait(ticket, Duration::from_secs(60));
    assert!(begin.elapsed() < Duration::from_secs(60), "nobody was woken");
}

#[test]
fn a_success_elsewhere_does_not_make_a_claimed_row_due() {
    let mut queue = Queue::new();
    let job = queue.act("x");
    queue.sql("UPDATE jobs SET awaits_recovery = true");
    storage::touch(&mut queue.connection, &[job], "w", Duration::from_secs(60)).unwrap();
    assert_eq!(storage::recover(&mut queue.connection, "test").unwrap(), 0);
    assert_eq!(queue.show(job).state, "delayed");
}

#[test]
fn one_worker_leads_a_queue_and_the_next_takes_over_when_it_ends() {
    let (mut queue, started, go_on) = Queue::gated();
    let start = |queue: &Queue| queue.runner_with(Workers::OneInAll).start().unwrap();
    let (first, second) = (start(&queue), start(&queue));
    queue.act("wait");
    queue.wakeups.wake();
    started.recv().unwrap();
    queue.act("wait");
    queue.wakeups.wake();
    let leading = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(queue.count(leading), 1);
    // The leader's session ends in the middle of its job.
    queue.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    started.recv().unwrap();
    for _ in 0..4 {
        go_on.send(()).unwrap();
    }
    wait_until("both jobs", || inspection::count(&mut queue.connection).unwrap().0 == 0);
    assert_eq!(queue.effects(), 2);
    first.stop();
    second.stop();
}

#[test]
fn a_worker_told_to_stop_finishes_its_batch() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.act("wait");
    let running = queue.runner().start().unwrap();
    started.recv().unwrap();
    let next = queue.act("next");
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| running.stop());
        go_on.send(()).unwrap();
        stopping.join().unwrap();
    });
    assert_eq!(queue.show(job).state, "done");
    // It may have been taken before the word came; either way it is whole.
    assert!(matches!(&*queue.show(next).state, "waiting" | "done"));
}

#[test]
fn an_idle_worker_finds_by_itself_what_nobody_told_it_of() {
    let mut queue = Queue::new();
    let running = queue.runner().start().unwrap();
    // It has looked once and found nothing.
    wait_until("an idle worker", || {
        queue.count("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'supercargo worker tester%' AND state = 'idle' AND query LIKE '%COMMIT%'") > 0
    });
    queue.act("untold");
    wait_until("the job", || inspection::count(&mut queue.connection).unwrap().0 == 0);
    running.stop();
}

#[test]
fn a_wrong_registry_is_refused_with_what_to_change() {
    let twice = Registry::<Arc<World>>::default().job::<Act>().unwrap().job::<Act>().err().unwrap();
    assert_eq!(twice, RegistryError::KindTwice("act"));
    assert_eq!(twice.to_string(), "the job kind \"act\" is registered twice: give one of the two another KIND");
    let empty = Registry::<Arc<World>>::default().batch::<Together>(|kinds| kinds).err().unwrap();
    assert_eq!(empty, RegistryError::EmptyBatch);
}
