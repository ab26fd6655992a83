//! The sweep: repairs and the retention of the history.

use std::collections::BTreeMap;

use supercargo::queue::sweep::Swept;

use super::*;

impl Queue {
    fn sweep(&mut self) -> Swept {
        let registry = registry(workers(1));
        sweep::sweep(&mut self.connection, &|kind| registry.policy_of(kind), &self.settings).unwrap()
    }

    /// A job whose worker was killed in its last attempt.
    fn killed_each_time(&mut self) -> i64 {
        let job = self.act("never");
        self.sql(&format!(
            "UPDATE jobs SET attempts = 3, claim_no = 3, claimed_at = clock_timestamp(), claimed_by = 'gone',
                    last_error = 'no space left', last_failed_at = clock_timestamp() - interval '1 hour'
             WHERE id = {job}"
        ));
        job
    }
}

#[test]
fn healthy_rows_are_skipped_and_a_page_is_never_read_twice() {
    let mut queue = Queue::new();
    queue.settings.sweep_page = 2;
    queue.act("healthy");
    let first = queue.killed_each_time();
    // More healthy rows than a page, and one behind a delay.
    for _ in 0..5 {
        queue.act("healthy");
    }
    Enqueue::new(&Act("later".to_owned())).after(Duration::from_secs(60)).insert(&mut queue.connection).unwrap();
    let second = queue.killed_each_time();
    let swept = queue.sweep();
    assert_eq!((swept.seen, &swept.buried[..]), (9, &[first, second][..]));
    assert_eq!(swept, Swept { seen: 9, buried: vec![first, second], ..Swept::default() });
    let dead = queue.show(first);
    assert_eq!(
        (dead.state.as_str(), dead.error.as_deref()),
        (
            "dead",
            Some(
                "started 3 times without a result: the process was killed each time; the last recorded error: no space left"
            )
        )
    );
    assert_eq!(queue.pending(), 7);
    assert_eq!(queue.sweep(), Swept { seen: 7, ..Swept::default() });
}

#[test]
fn a_job_in_its_last_attempt_is_left_alone() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.act("wait");
    queue.sql("UPDATE jobs SET attempts = 2");
    std::thread::scope(|scope| {
        let runner = queue.runner();
        let running = scope.spawn(move || runner.drain().unwrap());
        started.recv().unwrap();
        assert_eq!(queue.sweep(), Swept { seen: 1, ..Swept::default() });
        // Also after its gap: the row is locked.
        let mut holder = queue.database.connect();
        assert!(
            sql_query("UPDATE jobs SET run_at = clock_timestamp() WHERE id IN (SELECT id FROM jobs FOR UPDATE NOWAIT)")
                .execute(&mut holder)
                .is_err()
        );
        drop(go_on);
        assert_eq!(running.join().unwrap().done, [job]);
    });
    // Between touch and hold the row is not locked, and the gap keeps the sweep away.
    let job = queue.act("x");
    queue.sql("UPDATE jobs SET attempts = 2");
    claim::touch(&mut queue.connection, &[job], "w", Duration::from_secs(60)).unwrap();
    assert_eq!(queue.sweep(), Swept { seen: 1, ..Swept::default() });
}

#[test]
fn an_error_in_one_row_is_recorded_and_the_rest_is_swept() {
    let mut queue = Queue::new();
    queue.settings.sweep_page = 2;
    let jobs: Vec<i64> = (0..5).map(|_| queue.killed_each_time()).collect();
    queue.sql(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.id = {} THEN RAISE 'a broken row'; END IF; RETURN NEW; END $$",
        jobs[2]
    ));
    queue.sql("CREATE TRIGGER refuse BEFORE INSERT ON dead_jobs FOR EACH ROW EXECUTE FUNCTION refuse()");
    let swept = queue.sweep();
    assert_eq!(swept.buried, [jobs[0], jobs[1], jobs[3], jobs[4]]);
    assert_eq!(swept.failed, [(jobs[2], "a broken row".to_owned())]);
    assert_eq!(queue.pending(), 1);
}

#[test]
fn the_session_of_a_worker_that_runs_far_too_long_is_ended() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.enqueue(&Brief("wait".to_owned()));
    // Its own process enforces no limit.
    queue.settings.watch_every = Duration::from_secs(3600);
    let hung = queue.runner().start().unwrap();
    started.recv().unwrap();
    wait_until("its time limit", || {
        queue.count("SELECT count(*) FROM jobs WHERE claimed_at < clock_timestamp() - interval '0.3 s'") == 1
    });
    assert_eq!(queue.sweep().terminated, Vec::<i64>::new(), "not before the sweep's patience is over");
    queue.settings.sweep_patience = Duration::ZERO;
    assert_eq!(queue.sweep().terminated, [job]);
    wait_until("the row to be free", || queue.state(job) != "running");
    // A row that is not locked comes due on its own.
    assert_eq!(queue.sweep().terminated, Vec::<i64>::new());
    queue.sql("UPDATE jobs SET payload = '\"better\"'");
    queue.make_due();
    assert_eq!(queue.runner().drain().unwrap().done, [job]);
    drop(go_on);
    hung.stop();
}

#[test]
fn a_job_that_hangs_in_its_last_attempt_is_ended_and_then_dead() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.enqueue(&Last("wait".to_owned()));
    queue.settings.watch_every = Duration::from_secs(3600);
    queue.settings.sweep_patience = Duration::ZERO;
    // Its due time is over while it runs.
    queue.settings.gap = Duration::from_millis(50);
    let hung = queue.runner().start().unwrap();
    started.recv().unwrap();
    wait_until("its time limit", || {
        queue.count("SELECT count(*) FROM jobs WHERE claimed_at < clock_timestamp() - interval '0.3 s'") == 1
    });
    assert_eq!(queue.sweep().terminated, [job]);
    // By the worker that connected again or by the sweep.
    wait_until("its burial", || queue.sweep().seen == 0);
    assert_eq!((queue.state(job).as_str(), queue.outcomes(job)), ("dead", vec!["dead".to_owned()]));
    drop(go_on);
    hung.stop();
}

#[test]
fn a_row_that_an_operator_has_locked_is_reported_and_left_alone() {
    let mut queue = Queue::new();
    let job = queue.act("x");
    queue.sql("UPDATE jobs SET claimed_at = clock_timestamp() - interval '95 seconds'");
    let mut operator = queue.database.connect();
    sql_query("SET application_name = 'psql'").execute(&mut operator).unwrap();
    sql_query("BEGIN").execute(&mut operator).unwrap();
    sql_query("SELECT FROM jobs FOR NO KEY UPDATE").execute(&mut operator).unwrap();
    let swept = queue.sweep();
    assert!(swept.terminated.is_empty());
    assert_eq!(swept.held_by_others.len(), 1);
    assert!(
        swept.held_by_others[0].0 == job && swept.held_by_others[0].1.starts_with("\"psql\" (session "),
        "{swept:?}"
    );
    sql_query("COMMIT").execute(&mut operator).unwrap();
}

#[test]
fn unknown_kinds_are_counted_and_left_alone() {
    let mut queue = Queue::new();
    queue.sql("INSERT INTO jobs (queue, kind, payload) SELECT 'test', 'of tomorrow', '{}' FROM generate_series(1, 3)");
    queue.act("known");
    let unknown = BTreeMap::from([("of tomorrow".to_owned(), 3)]);
    assert_eq!(queue.sweep(), Swept { seen: 4, unknown, ..Swept::default() });
    assert_eq!(queue.pending(), 4);
}

#[test]
fn a_turn_that_was_lost_with_a_row_removed_by_hand_is_passed_on() {
    let mut queue = Queue::new();
    let [first, second, third] = ["1", "2", "3"].map(|name| queue.in_order("a", name));
    queue.sql(&format!("DELETE FROM jobs WHERE id = {first}"));
    assert!(queue.runner().drain().unwrap().done.is_empty());
    assert_eq!(queue.sweep(), Swept { seen: 2, turns_passed: vec![second], ..Swept::default() });
    assert_eq!(queue.runner().drain().unwrap().done, [second, third]);
}

#[test]
fn receipts_are_kept_for_the_retention() {
    let mut queue = Queue::new();
    let (old, young) = (queue.act("old"), queue.act("young"));
    queue.runner().drain().unwrap();
    queue.sql(&format!("UPDATE job_history SET finished_at = clock_timestamp() - interval '31 days' WHERE id = {old}"));
    // More than one statement removes.
    queue.sql(
        "INSERT INTO job_history (id, queue, kind, created_at, finished_at, attempts, outcome)
         SELECT 9, 'test', 'act', now(), now() - interval '40 days', 1, 'done' FROM generate_series(1, 2500)",
    );
    // The oldest come first: they were written first.
    queue.sql("UPDATE job_history SET finished_at = finished_at - interval '1 year' WHERE id = 9");
    queue.sql(&format!("DELETE FROM job_history WHERE id = {young}"));
    let young = queue.act("young");
    queue.runner().drain().unwrap();
    let retention = std::mem::replace(&mut queue.settings.history_retention, Duration::MAX);
    assert_eq!(queue.sweep().pruned, 0, "for ever");
    queue.settings.history_retention = retention;
    assert_eq!(queue.sweep().pruned, 2501);
    assert_eq!(queue.outcomes(young), ["done"]);
    assert!(queue.receipts(old).is_empty());
}

#[test]
fn one_process_sweeps_and_another_takes_over_when_it_ends() {
    let mut queue = Queue::new();
    queue.settings.sweep_every = Duration::from_millis(100);
    let running = [queue.runner().start().unwrap(), queue.runner().start().unwrap()];
    let sweepers = |queue: &mut Queue| {
        queue.count(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted
             AND datname = current_database() AND application_name LIKE 'supercargo sweep%'",
        )
    };
    wait_until("a sweeper", || sweepers(&mut queue) == 1);
    for one in running {
        let buried = queue.killed_each_time();
        // Not due for workers, which would bury it themselves.
        queue.sql(&format!("UPDATE jobs SET queue = 'elsewhere' WHERE id = {buried}"));
        wait_until("the sweep", || queue.state(buried) == "dead");
        // The death is visible a moment before the lock of the job's key is released.
        wait_until("one sweeper alone", || sweepers(&mut queue) == 1);
        one.stop();
    }
    wait_until("the last sweeper's session to end", || sweepers(&mut queue) == 0);
}
