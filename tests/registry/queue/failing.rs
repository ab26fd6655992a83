//! Failures: their records, backoff, and dead jobs.

use super::*;

#[test]
fn a_failure_is_recorded_with_a_backoff_and_blocks_no_other_job() {
    for (name, text) in [
        ("fail", "it went wrong"),
        ("panic", "the job panicked: a formatted message"),
        ("plain panic", "the job panicked: a plain message"),
        ("panic with a number", "the job panicked: with a payload that is not text"),
        (
            "bad sql, and says nothing",
            "current transaction is aborted, commands ignored until end of transaction block",
        ),
        ("panic in a transaction", "the job panicked: within"),
        ("bad sql", "column \"nonsense\" does not exist"),
    ] {
        // The only worker of a queue undoes a job in another way.
        for workers in [workers(1), Workers::OneInAll] {
            let mut queue = Queue::new();
            let (job, good) = (queue.act(name), queue.act("good"));
            let running = queue.runner_with(workers).start().unwrap();
            wait_until("both to end", || [job, good].map(|job| queue.state(job)) == ["failing", "done"]);
            running.stop();
            let failed = queue.show(job);
            assert_eq!((failed.state.as_str(), failed.attempts, failed.error.as_deref()), ("failing", 1, Some(text)));
            let wait = (failed.run_at.unwrap() - chrono::Utc::now()).num_minutes();
            assert!((40..=80).contains(&wait), "an hour, a fifth more or less: {wait}");
            assert_eq!(queue.outcomes(job), ["failed"]);
            assert_eq!(queue.receipts(job)[0].error.as_deref(), Some(text));
            // Its writes are rolled back.
            assert_eq!(queue.effects(), 1, "{name}");
        }
    }
}

/// The output of a remote or a program may contain characters that no column can hold, and have any length.
#[test]
fn a_failure_with_any_text_is_recorded() {
    let mut queue = Queue::new();
    let job = queue.act("fail with a text of no column");
    queue.runner().drain().unwrap();
    let failed = queue.show(job);
    assert_eq!((failed.state.as_str(), failed.attempts), ("failing", 1));
    let error = failed.error.unwrap();
    assert!(error.starts_with("the remote said \u{fffd}xxx") && error.ends_with("x…"), "{}", &error[..40]);
    assert_eq!(error.chars().count(), 16 * 1024 + 1);
    assert_eq!(queue.outcomes(job), ["failed"]);
}

/// The second one waits for the row, and finds a job that is pending again.
#[test]
fn a_dead_job_that_is_retried_twice_at_once_is_retried_once() {
    let mut queue = Queue::new();
    let job = queue.act("fail");
    for _ in 0..3 {
        queue.make_due();
        queue.runner().drain().unwrap();
    }
    let (mut first, mut second) = (queue.database.connect(), queue.database.connect());
    std::thread::scope(|scope| {
        let retried = first.transaction::<_, diesel::result::Error, _>(|connection| {
            assert_eq!(intervention::retry(connection, job, "one")?, Handled::Dead);
            let retried = scope.spawn(move || intervention::retry(&mut second, job, "other").unwrap());
            wait_until("the second retry to wait", || {
                queue.count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0") == 1
            });
            Ok(retried)
        });
        assert_eq!(retried.unwrap().join().unwrap(), Handled::Waiting);
    });
    // Who retries all dead jobs may come to it later still.
    assert!(!intervention::retry_dead(&mut queue.connection, job, "third").unwrap());
    assert_eq!(queue.count("SELECT count(*) FROM job_history WHERE outcome = 'retried'"), 1);
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

/// Like a process that is killed each time: the session ends silently.
#[test]
fn a_job_that_ends_its_session_each_time_is_started_up_to_its_limit_and_then_dead() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.act("wait");
    for attempt in 1..=3 {
        std::thread::scope(|scope| {
            let runner = queue.runner_with(workers(1));
            let dying = scope.spawn(move || runner.drain().is_err());
            started.recv().unwrap();
            assert_eq!(queue.show(job).attempts, attempt);
            queue.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            );
            go_on.send(()).unwrap();
            assert!(dying.join().unwrap());
        });
        queue.make_due();
    }
    queue.runner().drain().unwrap();
    assert_eq!(queue.ran().len(), 3);
    let dead = queue.show(job);
    assert_eq!(dead.state, "dead");
    assert_eq!(dead.error.as_deref(), Some("started 3 times without a result: the process was killed each time"));
    assert_eq!(queue.outcomes(job), ["lost", "lost", "dead"]);
    assert_eq!(queue.effects(), 0);
}

#[test]
fn backoff_grows_is_spread_and_stops_no_claim_at_any_count() {
    #[derive(Serialize, Deserialize)]
    struct Stubborn;
    impl Job for Stubborn {
        const KIND: &'static str = "stubborn";
        const POLICY: Policy = Policy {
            max_attempts: u32::MAX,
            backoff: Backoff { base: Duration::from_secs(100), cap: Duration::from_secs(1000) },
            ..POLICY
        };
    }
    impl Perform<Arc<World>> for Stubborn {
        fn perform(self, _: &Arc<World>, _: &mut Run<'_>) -> Result<Outcome, JobError> {
            Err(JobError::failed("no"))
        }
    }
    let mut queue = Queue::new();
    let registry = || registry(workers(1)).job::<Stubborn>().unwrap();
    let jobs: Vec<i64> = (0..5).map(|_| queue.enqueue(&Stubborn)).collect();
    let mut waits = std::collections::BTreeSet::new();
    for (before, wait) in [(0, 100), (1, 200), (2, 400), (40, 1000), (i32::MAX - 1, 1000)] {
        queue.sql(&format!("UPDATE jobs SET attempts = {before}, run_at = clock_timestamp()"));
        let (world, source) = (Arc::clone(&queue.world), Source(queue.database.url()));
        let good = queue.act("good");
        let runner = Runner::new(registry(), world, source, "w", Wakeups::default(), Completions::default());
        let drained = runner.drain().unwrap();
        assert_eq!((&drained.done[..], drained.failed.len()), (&[good][..], 5));
        for &job in &jobs {
            let view = queue.show(job);
            let waits_for = (view.run_at.unwrap() - queue.receipts(job).last().unwrap().finished_at).num_seconds();
            assert!((wait * 79 / 100..=wait * 121 / 100).contains(&waits_for), "{before}: {waits_for}");
            waits.insert(waits_for * 1000 / wait);
        }
    }
    assert!(waits.len() > 5, "they are spread: {waits:?}");
}

#[test]
fn an_outage_costs_no_attempt_and_the_first_success_makes_all_waiting_jobs_due() {
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
    assert_eq!(queue.outcomes(waiting[0]), ["failed", "done"]);
}

#[test]
fn an_unknown_kind_and_an_unreadable_payload_block_no_other_job() {
    let mut queue = Queue::new();
    queue.sql("INSERT INTO jobs (queue, kind, payload) VALUES ('test', 'of tomorrow', '{}'), ('test', 'one', '{}')");
    let good = queue.one("good");
    let drained = queue.runner().drain().unwrap();
    assert_eq!(drained.done, [good]);
    assert!(drained.failed[0].1.starts_with("the payload of this one job cannot be read"), "{:?}", drained.failed);
    let unknown = inspection::list(&mut queue.connection, Selection::Pending, 10).unwrap();
    let unknown = unknown.iter().find(|job| job.kind == "of tomorrow").unwrap();
    assert_eq!((unknown.state.as_str(), unknown.attempts), ("waiting", 0));
}

#[test]
fn a_success_elsewhere_does_not_make_a_claimed_row_due() {
    let mut queue = Queue::new();
    let job = queue.act("x");
    queue.sql("UPDATE jobs SET awaits_recovery = true");
    claim::touch(&mut queue.connection, &[job], "w", Duration::from_secs(60)).unwrap();
    let good = queue.act("good");
    let finished = storage::finish(&mut queue.connection, "test", &[(good, 0, None)], "w").unwrap();
    assert_eq!((finished.ids, finished.recovered), (vec![good], 0));
    assert_eq!(queue.show(job).state, "delayed");
}

#[test]
fn a_long_outage_leaves_one_receipt_a_job_and_no_dead_one() {
    let mut queue = Queue::new();
    let job = queue.act("outage");
    for _ in 0..30 {
        queue.make_due();
        assert_eq!(queue.runner().drain().unwrap().failed.len(), 1);
    }
    assert_eq!((queue.show(job).attempts, queue.state(job).as_str()), (0, "failing"));
    assert_eq!(queue.outcomes(job), ["failed"]);
}

#[test]
fn the_history_names_the_operator_of_a_retry_and_of_a_discard() {
    let mut queue = Queue::new();
    let job = queue.act("fail");
    queue.runner().drain().unwrap();
    assert_eq!(intervention::retry(&mut queue.connection, job, "bob").unwrap(), Handled::Waiting);
    queue.runner().drain().unwrap();
    assert_eq!(intervention::discard(&mut queue.connection, job, "eve", "no use").unwrap(), Handled::Waiting);
    assert_eq!(queue.outcomes(job), ["failed", "retried", "failed", "discarded"]);
    let receipts = queue.receipts(job);
    assert_eq!([1, 3].map(|place| receipts[place].finished_by.as_deref()), [Some("bob"), Some("eve")]);
    assert_eq!((receipts[3].detail.as_deref(), receipts[3].error.as_deref()), (Some("no use"), Some("it went wrong")));
    assert!(receipts.iter().all(|receipt| receipt.requested_by.as_deref() == Some("ann")));
}

/// Request, runner and job share one transaction in tests, so a job must not leave nested transactions open.
#[test]
fn a_panic_within_nested_transactions_leaves_the_shared_transaction_of_a_test_as_it_was() {
    let database = crate::support::cluster::Lent::free();
    let pool = supercargo::database::Pool::test(&database.url()).unwrap();
    let sql = |statement: &str| {
        pool.with(|connection| sql_query(statement).execute(connection).unwrap()).unwrap();
    };
    sql("CREATE TEMPORARY TABLE effects (name text)");
    let runner_with = |workers| {
        let (world, completions) = (Arc::new(World::default()), Completions::default());
        Runner::new(registry(workers), world, pool.clone(), "t", Wakeups::default(), completions)
    };
    let enqueue =
        |name: &str| pool.with(|connection| Enqueue::new(&Act(name.to_owned())).insert(connection).unwrap()).unwrap();
    sql("INSERT INTO effects VALUES ('before')");
    for (round, workers) in (0..).zip([workers(1), Workers::OneInAll]) {
        let runner = runner_with(workers);
        let (bad, silent, good) =
            (enqueue("panic in a transaction"), enqueue("bad sql, and says nothing"), enqueue("good"));
        let drained = runner.drain().unwrap();
        assert_eq!(drained.done, [good]);
        assert_eq!(drained.failed.iter().map(|one| one.0).collect::<Vec<_>>(), [bad, silent]);
        assert_eq!(drained.failed[0].1, "the job panicked: within");
        // The writes of the test and of the good job are there, those of the others are not.
        pool.with(|connection| {
            use diesel::connection::{AnsiTransactionManager, TransactionManager, TransactionManagerStatus};
            let effects = sql_query("SELECT name FROM effects WHERE name IN ('before', 'good')").execute(connection);
            assert_eq!(effects, Ok(2 + round));
            assert_eq!(sql_query("SELECT name FROM effects").execute(connection), Ok(2 + round));
            let status = AnsiTransactionManager::transaction_manager_status_mut(connection);
            let TransactionManagerStatus::Valid(status) = status else { panic!("the transaction is broken") };
            assert_eq!(status.transaction_depth().map(u32::from), Some(1));
        })
        .unwrap();
        // A runner's threads would wait for each other here.
        assert!(runner.start().is_err());
    }
}
