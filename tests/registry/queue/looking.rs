//! What a worker sends, and when it looks for jobs.

use diesel::connection::InstrumentationEvent;

use super::*;

/// The statements of all connections.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

/// Opens connections that record their statements.
struct Recorded(String, Recorder);

impl ConnectionSource for Recorded {
    fn connect(&self) -> Result<Box<dyn Lend>, Box<dyn Error + Send + Sync>> {
        let mut connection = PgConnection::establish(&self.0)?;
        let recorder = self.1.clone();
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::FinishQuery { query, .. } = event {
                recorder.0.lock().unwrap().push(query.to_string());
            }
        });
        Ok(Box::new(Own(connection)))
    }
}

impl Recorder {
    /// The first two words of each statement since the session was prepared and has the queue's lock.
    fn starts(&self) -> Vec<String> {
        let recorded = self.0.lock().unwrap();
        let is_preparation =
            |statement: &String| statement.contains("pg_backend_pid") || statement.contains("pg_try_advisory_lock");
        let after = recorded.iter().rposition(is_preparation).map_or(0, |at| at + 1);
        let start = |statement: &String| statement.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        recorded[after..].iter().map(start).collect()
    }

    fn looks(&self) -> usize {
        self.starts().iter().filter(|start| *start == "WITH due").count()
    }
}

impl Queue {
    /// A runner that does not poll: it finds what a wake-up tells it, or nothing.
    fn runner_without_poll(&self, workers: Workers, recorder: &Recorder) -> Runner<Arc<World>> {
        let source = Recorded(self.database.url(), recorder.clone());
        let settings = Settings { poll: Duration::from_secs(3600), ..self.settings };
        let world = Arc::clone(&self.world);
        Runner::new(registry(workers), world, source, "tester", self.wakeups.clone(), Completions::default())
            .with_settings(settings)
    }
}

#[test]
fn a_worker_sends_five_statements_of_its_own_for_a_job_and_looks_once_for_each_wake_up() {
    let mut queue = Queue::new();
    let recorder = Recorder::default();
    let running = queue.runner_without_poll(Workers::OneInAll, &recorder).start().unwrap();
    wait_until("the first look", || recorder.looks() == 1);
    for name in ["one", "other"] {
        let job = queue.act(name);
        queue.wakeups.wake("test");
        wait_until("the job", || queue.state(job) == "done");
    }
    running.stop();
    let job = ["WITH due", "BEGIN", "SELECT coalesce(array_agg(id),", "INSERT INTO", "WITH done", "COMMIT"];
    let expected: Vec<_> = ["WITH due"].into_iter().chain(job).chain(job).collect();
    assert_eq!(recorder.starts(), expected);
}

#[test]
fn a_job_that_is_enqueued_while_another_runs_is_found_by_its_wake_up() {
    let (mut queue, started, go_on) = Queue::gated();
    let first = queue.act("wait");
    let recorder = Recorder::default();
    let running = queue.runner_without_poll(Workers::OneInAll, &recorder).start().unwrap();
    started.recv().unwrap();
    let next = queue.act("next");
    queue.wakeups.wake("test");
    go_on.send(()).unwrap();
    wait_until("both jobs", || queue.pending() == 0);
    assert_eq!([first, next].map(|job| queue.state(job)), ["done", "done"]);
    running.stop();
}

/// Without a wake-up and without a poll.
#[test]
fn a_worker_goes_on_while_due_jobs_are_left() {
    for workers in [workers(1), Workers::OneInAll] {
        let mut queue = Queue::new();
        // More than a batch.
        for _ in 0..7 {
            queue.one("x");
        }
        // Of another batch, behind and before.
        queue.act("x");
        queue.one("x");
        // A suspect, and one that is buried.
        let (suspect, dead) = (queue.act("suspect"), queue.act("dead"));
        queue.sql(&format!("UPDATE jobs SET attempts = 2 WHERE id = {suspect}"));
        queue.sql(&format!("UPDATE jobs SET attempts = 3 WHERE id = {dead}"));
        // Those of one key wait for each other.
        for _ in 0..3 {
            queue.in_order("key", "x");
        }
        // A success makes it due.
        let waiting = queue.act("waits for a success");
        queue.sql(&format!(
            "UPDATE jobs SET awaits_recovery = true, run_at = clock_timestamp() + interval '1 hour' WHERE id = {waiting}"
        ));
        let running = queue.runner_without_poll(workers, &Recorder::default()).start().unwrap();
        wait_until("all jobs", || queue.pending() == 0);
        assert_eq!(queue.state(dead), "dead");
        running.stop();
    }
}

/// In one statement. What is not fresh, or of another batch, keeps its place and its numbers.
#[test]
fn a_touch_counts_the_starts_of_the_first_batch_and_changes_no_other_row() {
    let mut queue = Queue::new();
    let names = ["a", "suspect", "b", "lost", "c"];
    let jobs: Vec<i64> = names.iter().map(|name| queue.one(name)).collect();
    let other = queue.act("x");
    queue.sql("UPDATE jobs SET attempts = 2 WHERE payload = '\"suspect\"'");
    queue.sql("UPDATE jobs SET attempts = 1, claimed_at = now(), claimed_by = 'gone' WHERE payload = '\"lost\"'");
    let kinds = registry(workers(1)).claimable_kinds("test");
    let touch = |queue: &mut Queue| {
        let gap = Duration::from_secs(60);
        let touched = claim::touch_batch(&mut queue.connection, "test", &kinds, "w", gap).unwrap();
        let jobs: Vec<_> = touched.jobs.iter().map(|job| (job.id, job.attempts, job.claim_no, job.lost)).collect();
        (jobs, touched.needs_care, touched.more)
    };
    // Three rows are looked at: the suspect is one of them.
    assert_eq!(touch(&mut queue), (vec![(jobs[0], 1, 1, false), (jobs[2], 1, 1, false)], false, true));
    // Now the suspect is first.
    assert_eq!(touch(&mut queue), (vec![], true, true));
    queue.sql("UPDATE jobs SET run_at = run_at + interval '1 hour' WHERE payload = '\"suspect\"'");
    assert_eq!(touch(&mut queue), (vec![(jobs[3], 2, 1, true), (jobs[4], 1, 1, false)], false, true));
    assert_eq!(queue.outcomes(jobs[3]), ["lost"]);
    assert_eq!(touch(&mut queue), (vec![(other, 1, 1, false)], false, false));
    assert_eq!(touch(&mut queue), (vec![], false, false));
    let receipts = queue.receipts(jobs[3]);
    assert_eq!((receipts[0].finished_by.as_deref(), receipts[0].attempts), (Some("gone"), 1));
    assert_eq!(queue.count("SELECT sum(claim_no)::bigint AS count FROM jobs"), 5);
}
