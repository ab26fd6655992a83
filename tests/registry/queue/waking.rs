//! Wake-ups, takeover between workers, and stopping.

use std::sync::atomic::AtomicBool;

use supercargo::queue::listener::{Listener, Server};
use supercargo::queue::wakeup::Ticket;

use super::*;

#[test]
fn notifications_reach_another_process_also_after_the_connection_was_lost() {
    let mut queue = Queue::new();
    let (wakeups, completions) = (Wakeups::default(), Completions::default());
    let listening = wakeups.ticket("test");
    let _listener = Listener::start(&queue.database.url(), &["test"], wakeups.clone(), completions.clone()).unwrap();
    // It wakes all workers once when it starts to listen.
    assert_woken(&wakeups, listening);
    for round in 0..2 {
        let before = wakeups.ticket("test");
        let job = queue.act("x");
        assert_woken(&wakeups, before);
        let (tell, told) = channel();
        let _registration = completions.register(job, move || tell.send(()).unwrap());
        queue.runner().drain().unwrap();
        told.recv_timeout(Duration::from_secs(60)).unwrap();
        if round == 0 {
            let before = wakeups.ticket("test");
            let ended = queue.count(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'",
            );
            assert_eq!(ended, 1);
            assert_woken(&wakeups, before);
        }
    }
}

/// A server that is refused once, and current when the test says so.
struct Checked {
    url: String,
    is_refused: bool,
    answers: std::sync::mpsc::Sender<Option<String>>,
    is_current: Arc<AtomicBool>,
}

impl Server for Checked {
    fn url(&mut self) -> String {
        self.url.clone()
    }

    fn query(&self) -> Option<&'static str> {
        Some("SELECT 'here'")
    }

    fn admit(&mut self, answer: Option<&str>) -> Result<(), String> {
        self.answers.send(answer.map(str::to_owned)).unwrap();
        let refused = std::mem::take(&mut self.is_refused);
        if refused { Err("it is refused once".to_owned()) } else { Ok(()) }
    }

    fn is_current(&self) -> bool {
        self.is_current.load(std::sync::atomic::Ordering::SeqCst)
    }
}

#[test]
fn a_listener_leaves_a_server_that_is_refused_or_was_replaced() {
    let mut queue = Queue::new();
    let (wakeups, is_current) = (Wakeups::default(), Arc::new(AtomicBool::new(true)));
    let (answers, admitted) = std::sync::mpsc::channel();
    let url = queue.database.url();
    let server = Checked { url, is_refused: true, answers, is_current: Arc::clone(&is_current) };
    let next = || admitted.recv_timeout(Duration::from_secs(60)).unwrap();
    let listening = wakeups.ticket("test");
    let _listener = Listener::start_with(server, &["test"], wakeups.clone(), Completions::default(), None).unwrap();
    for _ in 0..2 {
        assert_eq!(next().as_deref(), Some("here"));
    }
    assert_woken(&wakeups, listening);
    is_current.store(false, std::sync::atomic::Ordering::SeqCst);
    // The notification ends a wait.
    queue.act("x");
    assert_eq!(next().as_deref(), Some("here"));
}

/// Fails if the wait ends by its timeout.
pub fn assert_woken(wakeups: &Wakeups, ticket: Ticket) {
    let begin = std::time::Instant::now();
    wakeups.wait(&ticket, Duration::from_secs(60));
    assert!(begin.elapsed() < Duration::from_secs(60), "nobody was woken");
}

#[test]
fn one_worker_leads_a_queue_and_another_takes_over_when_it_ends() {
    let (mut queue, started, go_on) = Queue::gated();
    let leaders = |queue: &mut Queue| {
        queue.count(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted
             AND datname = current_database() AND application_name LIKE 'supercargo worker%'",
        )
    };
    let running =
        [queue.runner_with(Workers::OneInAll).start().unwrap(), queue.runner_with(Workers::OneInAll).start().unwrap()];
    queue.act("wait");
    let second = queue.act("wait");
    started.recv().unwrap();
    wait_until("both to have a session", || {
        queue.count(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
             AND application_name LIKE 'supercargo worker%'",
        ) == 2
    });
    assert_eq!(leaders(&mut queue), 1);
    // The leader's session ends in the middle of its job, whose thread still hangs, so only the other worker can continue.
    queue.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid IN (
            SELECT pid FROM pg_stat_activity WHERE datname = current_database()
            AND application_name LIKE 'supercargo worker%')",
    );
    started.recv().unwrap();
    assert_eq!(leaders(&mut queue), 1);
    assert_eq!(queue.state(second), "running");
    drop(go_on);
    wait_until("both jobs", || queue.pending() == 0);
    assert_eq!(queue.effects(), 2);
    running.into_iter().for_each(supercargo::queue::Running::stop);
}

#[test]
fn a_stopping_worker_finishes_its_batch_and_takes_no_other() {
    let (mut queue, started, go_on) = Queue::gated();
    let job = queue.act("wait");
    let running = queue.runner().start().unwrap();
    started.recv().unwrap();
    let next = queue.act("next");
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| running.stop());
        // The sweep ends at once, and the watch stays while a worker runs.
        wait_until("the word", || !threads().iter().any(|name| name == "sweep"));
        go_on.send(()).unwrap();
        stopping.join().unwrap();
    });
    assert_eq!([job, next].map(|job| queue.state(job)), ["done", "waiting"]);
    assert!(threads().iter().all(|name| !name.starts_with("worker") && name != "watch"));
}

/// The names of this process's threads.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    tasks.filter_map(|task| Some(std::fs::read_to_string(task.path().join("comm")).ok()?.trim().to_owned())).collect()
}

#[test]
fn an_idle_worker_finds_jobs_without_a_notification() {
    let mut queue = Queue::new();
    let running = queue.runner().start().unwrap();
    // It has polled once and found nothing.
    wait_until("an idle worker", || {
        queue.count("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'supercargo worker tester%' AND state = 'idle' AND query LIKE 'WITH due%'") > 0
    });
    queue.act("untold");
    wait_until("the job", || queue.pending() == 0);
    running.stop();
}

/// A thread that ended by a bug of the queue is replaced.
#[test]
fn a_worker_whose_database_goes_away_connects_again_for_as_long_as_it_takes() {
    let mut queue = Queue::new();
    let running = queue.runner().start().unwrap();
    for _ in 0..3 {
        wait_until("a session", || queue.end_workers_sessions() > 0);
        let job = queue.act("x");
        wait_until("the job", || queue.state(job) == "done");
    }
    running.stop();
}

/// If so, a request does not need to notify other processes of its job.
#[test]
fn a_process_detects_that_it_has_the_only_worker_of_a_queue() {
    let queue = Queue::new();
    let elsewhere = Wakeups::default();
    let away = {
        let (world, source) = (Arc::clone(&queue.world), Source(queue.database.url()));
        let registry = registry(Workers::OneInAll);
        Runner::new(registry, world, source, "elsewhere", elsewhere.clone(), Completions::default())
    };
    assert!(!queue.wakeups.has_only_worker("test"));
    let here = queue.runner_with(Workers::OneInAll).start().unwrap();
    wait_until("this process to have it", || queue.wakeups.has_only_worker("test"));
    let away = away.start().unwrap();
    here.stop();
    assert!(!queue.wakeups.has_only_worker("test"));
    wait_until("the other process to have it", || elsewhere.has_only_worker("test"));
    away.stop();
    // If each process has workers of the queue, none is the only one.
    let shared = queue.runner().start().unwrap();
    let mut queue = queue;
    let job = queue.act("x");
    wait_until("the job", || queue.state(job) == "done");
    assert!(!queue.wakeups.has_only_worker("test"));
    shared.stop();
}
