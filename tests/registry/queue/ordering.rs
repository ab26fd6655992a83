//! Order by key, and deduplication.

use diesel::connection::{AnsiTransactionManager, TransactionManager};

use super::*;

#[test]
fn jobs_of_a_key_run_in_order_of_arrival_and_one_in_backoff_is_not_overtaken() {
    let mut queue = Queue::new();
    let [first, second] = [queue.in_order("a", "fail"), queue.in_order("a", "second")];
    let other = queue.in_order("b", "other");
    queue.runner().drain().unwrap();
    assert_eq!(queue.ran(), ["fail", "other"]);
    assert_eq!([first, second].map(|job| queue.state(job)), ["failing", "behind"]);
    assert_eq!(queue.state(other), "done");
    // Even if it is made due.
    queue.sql(&format!("UPDATE jobs SET run_at = clock_timestamp(), priority = 9 WHERE id = {second}"));
    queue.runner().drain().unwrap();
    assert_eq!(queue.ran().len(), 2);
    queue.sql("UPDATE jobs SET payload = jsonb_set(payload, '{name}', '\"first\"') WHERE attempts = 1");
    queue.make_due();
    queue.runner().drain().unwrap();
    assert_eq!(queue.ran()[2..], ["first", "second"]);
}

#[test]
fn a_dead_job_no_longer_blocks_its_key_and_goes_to_the_front_when_it_is_retried() {
    let mut queue = Queue::new();
    let first = queue.in_order("a", "fail");
    let behind = queue.in_order("a", "behind");
    for _ in 0..3 {
        assert_eq!(queue.state(behind), "behind");
        queue.make_due();
        queue.runner().drain().unwrap();
    }
    assert_eq!([first, behind].map(|job| queue.state(job)), ["dead", "done"]);
    let [second, third] = [queue.in_order("a", "second"), queue.in_order("a", "third")];
    queue.sql("UPDATE dead_jobs SET payload = jsonb_set(payload, '{name}', '\"first\"')");
    assert_eq!(intervention::retry(&mut queue.connection, first, "op").unwrap(), Handled::Dead);
    // The second has the turn already and may be running; no other may run beside it.
    assert_eq!([first, second, third].map(|job| queue.state(job)), ["behind", "waiting", "behind"].map(str::to_owned));
    queue.runner().drain().unwrap();
    assert_eq!(queue.ran()[4..], ["second", "first", "third"]);
}

#[test]
fn a_discarded_job_passes_its_turn_to_the_next() {
    let mut queue = Queue::new();
    let [first, second, third] = ["first", "second", "third"].map(|name| queue.in_order("a", name));
    assert_eq!(intervention::discard(&mut queue.connection, second, "op", "").unwrap(), Handled::Waiting);
    assert_eq!([first, third].map(|job| queue.state(job)), ["waiting", "behind"]);
    assert_eq!(intervention::discard(&mut queue.connection, first, "op", "").unwrap(), Handled::Waiting);
    assert_eq!(queue.state(third), "waiting");
    queue.runner().drain().unwrap();
    assert_eq!(queue.ran(), ["third"]);
}

#[test]
fn two_workers_run_two_keys_at_once_and_never_two_of_one() {
    let (mut queue, started, go_on) = Queue::gated();
    let jobs = [("a", "wait"), ("a", "wait"), ("b", "wait")].map(|(key, name)| queue.in_order(key, name));
    let running = queue.runner_with(workers(3)).start().unwrap();
    started.recv().unwrap();
    started.recv().unwrap();
    wait_until("the third worker to have found nothing", || {
        queue.count(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle'
             AND application_name LIKE 'supercargo worker%' AND query LIKE 'WITH due%'",
        ) == 1
    });
    assert_eq!(jobs.map(|job| queue.state(job)), ["running", "behind", "running"]);
    assert!(started.try_recv().is_err());
    drop(go_on);
    wait_until("all three", || queue.pending() == 0);
    running.stop();
    assert_eq!(queue.effects(), 3);
}

/// A transaction that enqueues a second job of a key waits for the commit of the first, so that ids are in commit order.
#[test]
fn transactions_that_enqueue_into_one_key_wait_for_each_other() {
    let mut queue = Queue::new();
    let mut first = queue.database.connect();
    let mut second = queue.database.connect();
    AnsiTransactionManager::begin_transaction(&mut first).unwrap();
    let job = |name: &str| InOrder { key: "a".to_owned(), name: name.to_owned() };
    let before = Enqueue::new(&job("first")).insert(&mut first).unwrap();
    std::thread::scope(|scope| {
        // Dropped when the test fails, so that nobody waits for it.
        let mut first = first;
        let after = scope.spawn(|| Enqueue::new(&job("second")).insert(&mut second).unwrap());
        wait_until("the second asker to wait", || {
            queue.count("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 1
        });
        AnsiTransactionManager::commit_transaction(&mut first).unwrap();
        assert!(after.join().unwrap() > before);
    });
    assert_eq!(queue.count("SELECT count(*) FROM jobs WHERE turn"), 1);
    queue.runner().drain().unwrap();
    assert_eq!(queue.ran(), ["first", "second"]);
}

/// The job in front ends while the next one is being enqueued. Neither transaction sees the other, but the turn is not lost.
#[test]
fn a_job_enqueued_while_the_one_in_front_ends_gets_the_turn() {
    let (mut queue, started, go_on) = Queue::gated();
    queue.in_order("a", "wait");
    let asking = queue.database.connect();
    std::thread::scope(|scope| {
        // Dropped when the test fails, so that nobody waits for them.
        let (mut asking, go_on) = (asking, go_on);
        let runner = queue.runner();
        let running = scope.spawn(move || runner.drain().unwrap());
        started.recv().unwrap();
        AnsiTransactionManager::begin_transaction(&mut asking).unwrap();
        let next = Enqueue::new(&InOrder { key: "a".to_owned(), name: "next".to_owned() }).insert(&mut asking).unwrap();
        go_on.send(()).unwrap();
        wait_until("the end of the first to wait for the asker", || {
            queue.count("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 1
        });
        AnsiTransactionManager::commit_transaction(&mut asking).unwrap();
        assert!(running.join().unwrap().done.contains(&next));
    });
    assert_eq!(queue.pending(), 0);
}

#[test]
fn a_second_request_for_a_key_makes_the_waiting_job_due_and_keeps_its_attempts_and_error() {
    let mut queue = Queue::new();
    let job = queue.enqueue(&Once("fail".to_owned()));
    assert_eq!(queue.enqueue(&Once("fail".to_owned())), job);
    assert_ne!(queue.enqueue(&Once("x".to_owned())), job);
    queue.runner().drain().unwrap();
    assert_eq!(queue.state(job), "failing");
    // In backoff of an hour; the new request is not swallowed by that, and the count stands.
    assert_eq!(queue.enqueue(&Once("fail".to_owned())), job);
    queue.runner().drain().unwrap();
    assert_eq!((queue.ran().len(), queue.show(job).attempts), (3, 2));
    assert_eq!(queue.show(job).error.as_deref(), Some("it went wrong"));
    // A delayed request does not postpone the job.
    let later =
        Enqueue::new(&Once("y".to_owned())).after(Duration::from_secs(60)).insert(&mut queue.connection).unwrap();
    let due = queue.show(later).run_at.unwrap();
    Enqueue::new(&Once("y".to_owned())).after(Duration::from_secs(600)).insert(&mut queue.connection).unwrap();
    assert_eq!(queue.show(later).run_at.unwrap(), due);
    assert_eq!(queue.enqueue(&Once("y".to_owned())), later);
    queue.runner().drain().unwrap();
    assert_eq!(queue.state(later), "done");
}

#[test]
fn a_request_while_its_twin_runs_is_a_separate_job() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.enqueue(&Once("wait".to_owned()));
    std::thread::scope(|scope| {
        let runner = queue.runner();
        let running = scope.spawn(move || runner.drain().unwrap());
        started.recv().unwrap();
        let second = queue.enqueue(&Once("wait".to_owned()));
        assert_ne!(second, job);
        assert_eq!(queue.enqueue(&Once("wait".to_owned())), second);
        drop(go_on);
        assert_eq!(running.join().unwrap().done, [job, second]);
    });
}

/// A second request does not make a claim between its two steps due, or another worker would take it over.
#[test]
fn a_request_for_a_claimed_row_leaves_it_its_gap() {
    let mut queue = Queue::new();
    let job = queue.enqueue(&Once("x".to_owned()));
    claim::touch(&mut queue.connection, &[job], "w", Duration::from_secs(3600)).unwrap();
    assert_eq!(queue.enqueue(&Once("x".to_owned())), job);
    let view = queue.show(job);
    let gap = view.run_at.unwrap() - view.started_at.unwrap();
    assert_eq!(gap.num_milliseconds(), 3000);
}
