//! Claiming: touch and hold, batches, laps.

use super::*;

#[test]
fn a_start_is_recorded_before_the_job_runs() {
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
fn a_held_row_is_not_run_by_another_worker_even_if_it_is_due() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.act("wait");
    std::thread::scope(|scope| {
        // Dropped when the test fails, so that the job ends and the test with it.
        let go_on = go_on;
        let runner = queue.runner();
        let running = scope.spawn(move || runner.drain().unwrap());
        started.recv().unwrap();
        // The lock blocks even this statement; another worker skips the row.
        assert!(queue.runner().drain().unwrap().done.is_empty());
        assert_eq!(intervention::retry(&mut queue.connection, job, "op").unwrap(), Handled::Running);
        assert_eq!(intervention::discard(&mut queue.connection, job, "me", "why").unwrap(), Handled::Running);
        go_on.send(()).unwrap();
        assert_eq!(running.join().unwrap().done, [job]);
    });
    assert_eq!(queue.ran(), ["wait"]);
}

#[test]
fn a_worker_whose_session_ends_neither_finishes_nor_fails_its_job_and_another_worker_does_it() {
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
    assert!(claim::hold(&mut queue.connection, &[(job, 1)], None).unwrap().is_empty());
    assert_eq!(storage::fail(&mut queue.connection, job, 1, "stale", Duration::ZERO).unwrap(), 0);
    assert_eq!(storage::give_back(&mut queue.connection, job, 1, "stale", Duration::ZERO).unwrap(), 0);
    assert_eq!(storage::bury(&mut queue.connection, job, 1, "stale").unwrap(), 0);
    let finished = storage::finish(&mut queue.connection, "test", &[(job, 1, None)], "stale").unwrap();
    assert_eq!(finished, storage::Finished::default());
    assert_eq!((queue.show(job).state.as_str(), queue.show(job).error), ("waiting", None));
    assert_eq!(claim::hold(&mut queue.connection, &[(job, 2)], None).unwrap(), [job]);
}

#[test]
fn a_batch_takes_fresh_jobs_of_its_group_up_to_its_size() {
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
fn done_jobs_are_in_the_history() {
    let mut queue = Queue::new();
    let job = queue.act("x");
    queue.runner().drain().unwrap();
    let done = queue.show(job);
    assert_eq!((done.state.as_str(), done.detail.as_deref()), ("done", Some("did x")));
    assert_eq!((done.requested_by.as_deref(), done.attempts), (Some("ann"), 1));
}

#[test]
fn a_job_is_pending_when_its_transaction_commits_and_not_before() {
    let mut queue = Queue::new();
    let mut other = queue.database.connect();
    let rolled_back = other.transaction::<(), diesel::result::Error, _>(|connection| {
        Enqueue::new(&Act("x".to_owned())).insert(connection).unwrap();
        Err(diesel::result::Error::RollbackTransaction)
    });
    assert!(rolled_back.is_err());
    assert_eq!(inspection::count(&mut queue.connection).unwrap(), (0, 0));
}

/// Another transaction may lock a claimed row for a moment: an operator, a deduplicated request, another worker.
/// Skipping it would lose the claim until its gap is over.
#[test]
fn the_second_step_of_a_claim_waits_for_a_locked_row() {
    let mut queue = Queue::new();
    let job = queue.act("x");
    claim::touch(&mut queue.connection, &[job], "w", Duration::from_secs(60)).unwrap();
    let mut passing = queue.database.connect();
    sql_query("BEGIN").execute(&mut passing).unwrap();
    sql_query("SELECT FROM jobs FOR NO KEY UPDATE").execute(&mut passing).unwrap();
    let mut claiming = queue.database.connect();
    std::thread::scope(|scope| {
        let held = scope.spawn(move || claim::hold(&mut claiming, &[(job, 1)], None).unwrap());
        wait_until("the claim to wait", || {
            queue.count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0") == 1
        });
        sql_query("COMMIT").execute(&mut passing).unwrap();
        assert_eq!(held.join().unwrap(), [job]);
    });
}

#[test]
fn a_claim_that_waits_too_long_for_a_lock_fails_and_is_retried() {
    let mut queue = Queue::new();
    let job = queue.act("x");
    let mut claiming = queue.database.connect();
    sql_query("SET lock_timeout = '100ms'").execute(&mut claiming).unwrap();
    claim::touch(&mut queue.connection, &[job], "w", Duration::ZERO).unwrap();
    let mut passing = queue.database.connect();
    sql_query("BEGIN").execute(&mut passing).unwrap();
    sql_query("SELECT FROM jobs FOR NO KEY UPDATE").execute(&mut passing).unwrap();
    let refused = claim::hold(&mut claiming, &[(job, 1)], None).unwrap_err();
    assert_eq!(refused.to_string(), "canceling statement due to lock timeout");
    sql_query("COMMIT").execute(&mut passing).unwrap();
    assert_eq!(queue.runner().drain().unwrap().done, [job]);
}

/// Two workers touch, both before either holds: each ends with the rows of its own claim.
#[test]
fn jobs_that_two_workers_claim_at_once_are_divided_and_not_run_twice() {
    let mut queue = Queue::new();
    let all: std::collections::BTreeSet<i64> = (0..40).map(|_| queue.one("x")).collect();
    let barrier = Arc::new(std::sync::Barrier::new(2));
    let claims = [(); 2].map(|()| {
        let (barrier, mut connection) = (Arc::clone(&barrier), queue.database.connect());
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for _ in 0..10 {
                barrier.wait();
                let kinds = claim::ClaimableKinds {
                    kinds: vec!["one"],
                    batches: vec![1],
                    sizes: vec![2],
                    fresh_below: vec![2],
                };
                let gap = Duration::from_secs(60);
                let touched = claim::touch_batch(&mut connection, "test", &kinds, "w", gap).unwrap().jobs;
                let ids: Vec<i64> = touched.iter().map(|job| job.id).collect();
                barrier.wait();
                sql_query("BEGIN").execute(&mut connection).unwrap();
                let claims: Vec<_> = touched.iter().map(|job| (job.id, job.claim_no)).collect();
                assert_eq!(claim::hold(&mut connection, &claims, None).unwrap(), ids);
                held.extend(ids);
                sql_query("COMMIT").execute(&mut connection).unwrap();
            }
            held
        })
    });
    let held: Vec<i64> = claims.into_iter().flat_map(|claimed| claimed.join().unwrap()).collect();
    assert_eq!(held.len(), 40);
    assert_eq!(held.into_iter().collect::<std::collections::BTreeSet<_>>(), all);
}

#[test]
fn done_jobs_are_announced_in_parts_that_fit_and_only_if_they_were_held() {
    let mut queue = Queue::new();
    let mut jobs: Vec<_> = (0..900).map(|_| (queue.one("x"), 0, None)).collect();
    jobs.push((4711, 0, None));
    jobs.push((jobs[0].0, 7, None));
    let mut done = storage::finish(&mut queue.connection, "test", &jobs, "w").unwrap().ids;
    done.sort_unstable();
    assert_eq!(done, jobs[..900].iter().map(|job| job.0).collect::<Vec<_>>());
    assert_eq!((queue.pending(), queue.count("SELECT count(*) FROM job_history")), (0, 900));
}

/// Enqueues for a requester.
fn one_by(queue: &mut Queue, who: Option<&str>, name: &str) -> i64 {
    let job = One(name.to_owned());
    let enqueue = Enqueue::new(&job);
    let enqueue = match who {
        Some(who) => enqueue.requested_by(who),
        None => enqueue,
    };
    enqueue.insert(&mut queue.connection).unwrap()
}

#[test]
fn each_requester_has_a_job_in_each_lap_and_its_jobs_keep_their_order() {
    let mut queue = Queue::new();
    for number in 1..=6 {
        one_by(&mut queue, Some("ann"), &format!("a{number}"));
    }
    for number in 1..=3 {
        one_by(&mut queue, Some("bob"), &format!("b{number}"));
    }
    // Jobs without a requester count as those of one.
    one_by(&mut queue, None, "s1");
    one_by(&mut queue, None, "s2");
    queue.runner().drain().unwrap();
    assert_eq!(queue.ran(), ["a1+b1+s1", "a2+b2+s2", "a3+b3+a4", "a5+a6"]);
}

#[test]
fn a_thousand_jobs_of_one_requester_delay_anothers_by_at_most_one_batch_at_any_time() {
    let mut queue = Queue::new();
    for number in 1..=1000 {
        one_by(&mut queue, Some("ann"), &format!("a{number}"));
    }
    let runner = queue.runner();
    let mut ran = 0;
    for round in 0..5 {
        // Some of the thousand are done, and bob's job joins the lap that the queue is in.
        let (bobs, next) = {
            let bobs = one_by(&mut queue, Some("bob"), &format!("b{round}"));
            let mut connection = queue.database.connect();
            let next = claim::lock_due(&mut connection, "test", &["one"], 3).unwrap();
            (bobs, next.iter().map(|job| job.id).collect::<Vec<_>>())
        };
        assert!(next.contains(&bobs), "{round}: {bobs} is not among {next:?}");
        queue.sql(&format!("DELETE FROM jobs WHERE id = {bobs}"));
        ran += queue.sql("DELETE FROM jobs WHERE id IN (SELECT id FROM jobs ORDER BY lap, id LIMIT 150)");
    }
    assert_eq!(ran, 750);
    assert_eq!(runner.drain().unwrap().done.len(), 250);
}

#[test]
fn a_priority_comes_before_a_lap() {
    let mut queue = Queue::new();
    for number in 1..=3 {
        one_by(&mut queue, Some("ann"), &format!("a{number}"));
    }
    let urgent = One("urgent".to_owned());
    Enqueue::new(&urgent).requested_by("ann").priority(5).insert(&mut queue.connection).unwrap();
    queue.runner().drain().unwrap();
    assert_eq!(queue.ran(), ["urgent+a1+a2", "a3"]);
}

#[test]
fn a_dead_job_that_is_retried_joins_the_current_lap() {
    let mut queue = Queue::new();
    let dead = one_by(&mut queue, Some("bob"), "b");
    queue.sql("UPDATE jobs SET attempts = 3");
    queue.runner().drain().unwrap();
    assert_eq!(queue.state(dead), "dead");
    one_by(&mut queue, Some("ann"), "a1");
    one_by(&mut queue, Some("ann"), "a2");
    queue.sql("UPDATE jobs SET lap = lap + 700");
    assert_eq!(intervention::retry(&mut queue.connection, dead, "op").unwrap(), Handled::Dead);
    assert_eq!(queue.count(&format!("SELECT lap AS count FROM jobs WHERE id = {dead}")), 700);
}

/// A running batch and jobs in a long backoff are before the first due job and are skipped.
#[test]
fn jobs_that_are_not_due_do_not_hold_the_laps_back() {
    let mut queue = Queue::new();
    for number in 1..=200 {
        one_by(&mut queue, Some("ann"), &format!("a{number}"));
    }
    queue.sql("UPDATE jobs SET run_at = clock_timestamp() + interval '1 hour' WHERE lap < 90");
    let bobs = one_by(&mut queue, Some("bob"), "b");
    assert_eq!(queue.count(&format!("SELECT lap AS count FROM jobs WHERE id = {bobs}")), 90);
    // Of more than a hundred, the hundredth counts: that is a batch away from the first.
    queue.sql("UPDATE jobs SET run_at = clock_timestamp() + interval '1 hour'");
    let cids = one_by(&mut queue, Some("cid"), "c");
    let lap = queue.count(&format!("SELECT lap AS count FROM jobs WHERE id = {cids}"));
    assert!((98..=99).contains(&lap), "{lap}");
}
