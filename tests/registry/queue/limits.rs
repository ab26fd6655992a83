//! Time limits: enforced by the runner and by the database, and the threads that hang.

use super::*;

#[test]
fn a_job_over_its_time_limit_is_cut_off_recorded_and_tried_again_while_others_go_on() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.enqueue(&Brief("wait".to_owned()));
    let running = queue.runner().start().unwrap();
    started.recv().unwrap();
    wait_until("the record", || queue.state(job) == "failing");
    let view = queue.show(job);
    assert_eq!(view.error.as_deref(), Some("cut off: the job ran longer than 200ms, the time limit of its kind"));
    assert_eq!((view.attempts, queue.outcomes(job)), (1, vec!["failed".to_owned()]));
    // Another thread has its place, although the first still hangs.
    let good = queue.act("good");
    wait_until("the next job", || queue.state(good) == "done");
    // When it returns it cannot finish the job, which is no longer its own.
    go_on.send(()).unwrap();
    queue.sql(&format!("UPDATE jobs SET payload = '\"better\"', run_at = clock_timestamp() WHERE id = {job}"));
    wait_until("the second attempt", || queue.state(job) == "done");
    running.stop();
    assert_eq!(queue.count("SELECT count(*) FROM effects WHERE name = 'wait'"), 0);
    assert_eq!(queue.outcomes(job), ["failed", "done"]);
}

#[test]
fn a_statement_that_does_not_end_is_cut_off_as_well() {
    let mut queue = Queue::new();
    let job = queue.enqueue(&Brief("long sql".to_owned()));
    let running = queue.runner().start().unwrap();
    wait_until("the record", || queue.state(job) == "failing");
    assert!(queue.show(job).error.unwrap().starts_with("cut off:"));
    running.stop();
}

#[test]
fn a_job_that_hangs_each_time_is_dead_at_its_limit() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.enqueue(&Brief("wait".to_owned()));
    let running = queue.runner().start().unwrap();
    for attempt in 1..=3 {
        started.recv().unwrap();
        wait_until("the record", || queue.receipts(job).len() == attempt);
        queue.make_due();
    }
    assert_eq!(queue.state(job), "dead");
    assert_eq!(queue.outcomes(job), ["failed", "failed", "dead"]);
    drop(go_on);
    running.stop();
}

/// Jobs that hang do not use up the threads of the process; when they return, so does the worker.
#[test]
fn the_number_of_hung_threads_is_limited() {
    let (mut queue, started, go_on) = Queue::gated();
    let jobs: Vec<i64> = (0..8).map(|_| queue.enqueue(&Brief("wait".to_owned()))).collect();
    let running = queue.runner().start().unwrap();
    for _ in 0..5 {
        started.recv().unwrap();
    }
    wait_until("five records", || queue.count("SELECT count(*) FROM jobs WHERE last_error IS NOT NULL") == 5);
    // No worker is left for the sixth: every place is used up.
    let threads = || {
        let names = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path().join("comm"));
        names.filter(|name| std::fs::read_to_string(name).is_ok_and(|name| name.starts_with("worker-test"))).count()
    };
    assert_eq!(threads(), 5);
    assert!(started.try_recv().is_err());
    drop(go_on);
    wait_until("the rest", || jobs[5..].iter().all(|&job| queue.state(job) == "done"));
    running.stop();
    wait_until("the last thread to have gone", || threads() == 0);
}

/// A process that was stopped (SIGSTOP, a frozen virtual machine) cannot enforce its time limits.
#[test]
fn the_database_ends_the_session_of_a_worker_that_fell_silent_and_another_does_its_job() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.enqueue(&Brief("wait".to_owned()));
    queue.settings.watch_every = Duration::from_secs(3600);
    // The run is limited by the time limit of its kind, not by that of a claim.
    queue.settings.database_timeout = Duration::from_secs(3600);
    let silent = queue.runner().start().unwrap();
    started.recv().unwrap();
    // Five seconds more than the kind's own limit.
    wait_until("the end of the session", || {
        queue.count("SELECT count(*) FROM pg_locks WHERE relation = 'jobs'::regclass AND mode = 'RowShareLock'") == 0
    });
    queue.sql("UPDATE jobs SET payload = '\"better\"'");
    queue.make_due();
    queue.settings.watch_every = Duration::from_millis(50);
    assert_eq!(queue.runner().drain().unwrap().done, [job]);
    assert_eq!(queue.outcomes(job), ["lost", "done"]);
    drop(go_on);
    silent.stop();
    assert_eq!(queue.count("SELECT count(*) FROM effects WHERE name = 'wait'"), 0);
    assert_eq!(queue.outcomes(job), ["lost", "done"]);
}

#[test]
fn stopping_waits_for_a_job_only_until_its_time_limit() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.enqueue(&Brief("wait".to_owned()));
    let running = queue.runner().start().unwrap();
    started.recv().unwrap();
    // Dropped like any other value, nothing is left running.
    drop(running);
    assert_eq!(queue.state(job), "failing");
    drop(go_on);
}

#[test]
fn a_job_can_read_its_remaining_time() {
    use std::sync::mpsc::Sender;

    #[derive(Serialize, Deserialize)]
    struct Look;
    impl Job for Look {
        const KIND: &'static str = "look";
        const POLICY: Policy = Policy { time_limit: Duration::from_secs(30), ..POLICY };
    }
    impl Perform<Mutex<Sender<Duration>>> for Look {
        fn perform(self, tell: &Mutex<Sender<Duration>>, run: &mut Run<'_>) -> Result<Outcome, JobError> {
            tell.lock().unwrap().send(run.time_left()).unwrap();
            Ok(Outcome::default())
        }
    }
    let mut queue = Queue::new();
    queue.enqueue(&Look);
    let (tell, told) = channel();
    let registry = Registry::default().job::<Look>().unwrap();
    let source = Source(queue.database.url());
    Runner::new(registry, Mutex::new(tell), source, "w", Wakeups::default(), Completions::default()).drain().unwrap();
    let left = told.recv().unwrap();
    assert!(left <= Duration::from_secs(30) && left > Duration::from_secs(20), "{left:?}");
}
