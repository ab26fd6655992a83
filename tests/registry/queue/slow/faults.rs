//! Faults of networks and servers while the queue works.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use supercargo::database::migrations;
use supercargo::postgres::embedded::{self, Cluster};
use supercargo::queue::listener::Listener;

use super::super::waking::assert_woken;
use super::super::*;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, succeeded};
use crate::support::proxy::Proxy;

/// Records its number and takes a few milliseconds.
#[derive(Serialize, Deserialize)]
struct Sturdy(i32);

impl Job for Sturdy {
    const KIND: &'static str = "sturdy";
    const POLICY: Policy = Policy {
        max_attempts: 100,
        backoff: Backoff { base: Duration::from_millis(50), cap: Duration::from_millis(200) },
        ..POLICY
    };
}

impl Perform<Arc<World>> for Sturdy {
    fn perform(self, _: &Arc<World>, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        run.with_connection(|connection| {
            sql_query("INSERT INTO effects SELECT $1 FROM pg_sleep(0.003)")
                .bind::<diesel::sql_types::Text, _>(self.0.to_string())
                .execute(connection)
        })?;
        Ok(Outcome::default())
    }
}

fn sturdy_runner(url: &str, settings: Settings) -> Runner<Arc<World>> {
    let registry = Registry::default().job::<Sturdy>().unwrap().workers("test", workers(3)).unwrap();
    let world = Arc::new(World::default());
    Runner::new(registry, world, Source(url.to_owned()), "sturdy", Wakeups::default(), Completions::default())
        .with_settings(settings)
}

fn hasty() -> Settings {
    Settings {
        gap: Duration::from_millis(500),
        poll: Duration::from_millis(50),
        watch_every: Duration::from_millis(50),
        ..Settings::default()
    }
}

/// Checks that the effects contain each number once.
fn assert_each_once(connection: &mut PgConnection, count: i32) {
    #[derive(QueryableByName)]
    struct Effect {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }
    let effects: Vec<Effect> = sql_query("SELECT name FROM effects").get_results(connection).unwrap();
    let distinct: BTreeSet<i32> = effects.iter().map(|effect| effect.name.parse().unwrap()).collect();
    assert_eq!((effects.len(), distinct), (usize::try_from(count).unwrap(), (0..count).collect()));
    assert_eq!(inspection::count(connection).unwrap(), (0, 0));
}

#[test]
fn a_connection_that_is_cut_in_the_middle_of_a_run_costs_an_attempt_and_nothing_else() {
    let (mut queue, started, go_on) = Queue::gated();
    let proxy = Proxy::before(&queue.database.url());
    let job = queue.act("wait");
    let running = queue.runner_at(&proxy.url(), workers(1)).start().unwrap();
    started.recv().unwrap();
    proxy.cut();
    wait_until("the row to be free", || queue.state(job) != "running");
    queue.make_due();
    go_on.send(()).unwrap();
    started.recv().unwrap();
    go_on.send(()).unwrap();
    wait_until("the job", || queue.state(job) == "done");
    running.stop();
    assert_eq!((queue.outcomes(job), queue.effects()), (vec!["lost".to_owned(), "done".to_owned()], 1));
}

#[test]
fn a_connection_that_transfers_nothing_is_replaced() {
    let mut queue = Queue::new();
    queue.settings =
        Settings { database_timeout: Duration::from_millis(500), hung_pause: Duration::from_millis(500), ..hasty() };
    let proxy = Proxy::before(&queue.database.url());
    let running = queue.runner_at(&proxy.url(), workers(1)).start().unwrap();
    let before = queue.act("before");
    wait_until("the worker at work", || queue.state(before) == "done");
    proxy.stall();
    let job = queue.act("x");
    let stalled = proxy.accepted();
    // It retries and is cut off each time.
    wait_until("more threads to hang than may at once", || proxy.accepted() > stalled + 5);
    assert_eq!(queue.state(job), "waiting");
    proxy.recover();
    wait_until("the job", || queue.state(job) == "done");
    // The hung threads end with their connections.
    proxy.cut();
    running.stop();
}

/// A router dropped the connection, or the server lost power: this end sees nothing.
#[test]
fn a_half_open_connection_is_replaced() {
    let mut queue = Queue::new();
    queue.settings = Settings { database_timeout: Duration::from_millis(500), ..hasty() };
    let proxy = Proxy::before(&queue.database.url());
    let running = queue.runner_at(&proxy.url(), workers(1)).start().unwrap();
    let before = queue.act("before");
    wait_until("the worker at work", || queue.state(before) == "done");
    proxy.half_open();
    let job = queue.act("x");
    wait_until("the job", || queue.state(job) == "done");
    proxy.cut();
    running.stop();
}

#[test]
fn a_listener_detects_a_silent_connection_and_wakes_all_workers() {
    let mut queue = Queue::new();
    let proxy = Proxy::before(&queue.database.url());
    let wakeups = Wakeups::default();
    let (probe, answer) = (Duration::from_millis(200), Duration::from_millis(500));
    let before = wakeups.ticket("test");
    let listener =
        Listener::start_probing(&proxy.url(), &["test"], wakeups.clone(), Completions::default(), probe, answer)
            .unwrap();
    assert_woken(&wakeups, before);
    let before = wakeups.ticket("test");
    proxy.half_open();
    assert_woken(&wakeups, before);
    let before = wakeups.ticket("test");
    queue.act("x");
    assert_woken(&wakeups, before);
    // It can be stopped while the connection transfers nothing.
    proxy.stall();
    drop(listener);
}

#[test]
fn sessions_that_are_ended_at_random_under_load_lose_and_repeat_nothing() {
    const JOBS: i32 = 300;
    let mut queue = Queue::new();
    for number in 0..JOBS {
        queue.enqueue(&Sturdy(number));
    }
    let running = [(); 2].map(|()| sturdy_runner(&queue.database.url(), hasty()).start().unwrap());
    let mut ended = 0;
    let mut pending_then = i64::from(JOBS);
    wait_until("all jobs", || {
        let pending = queue.pending();
        // One session after every few jobs.
        if pending > pending_then - 5 {
            return pending == 0;
        }
        pending_then = pending;
        ended += queue.count(
            "SELECT count(pg_terminate_backend(pid)) FROM (
                SELECT pid FROM pg_stat_activity WHERE datname = current_database()
                AND application_name LIKE 'supercargo worker%' ORDER BY random() LIMIT 1) AS one",
        );
        false
    });
    running.into_iter().for_each(supercargo::queue::Running::stop);
    assert!(ended >= 10, "{ended}");
    assert_each_once(&mut queue.connection, JOBS);
}

#[test]
fn a_server_that_is_restarted_under_load_loses_and_repeats_nothing() {
    const JOBS: i32 = 300;
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let options = embedded::Options {
        data_dir: directory.path().to_owned(),
        postgres_bin_dir: None,
        os_user: None,
        throwaway: true,
    };
    let cluster = Cluster::start(&options).unwrap();
    let url = cluster.url();
    migrations::migrate(&mut PgConnection::establish(&url).unwrap()).unwrap();
    sql_query("CREATE TABLE effects (name text)").execute(&mut PgConnection::establish(&url).unwrap()).unwrap();
    let running = sturdy_runner(&url, hasty()).start().unwrap();
    let all_asked = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..JOBS {
                // Checks whether a commit whose connection was cut has succeeded, as a request does.
                wait_until("the job to be pending", || {
                    let Ok(mut connection) = PgConnection::establish(&url) else { return false };
                    let asked = connection.transaction::<_, EnqueueError, _>(|connection| {
                        sql_query("LOCK TABLE effects IN ROW EXCLUSIVE MODE").execute(connection)?;
                        Enqueue::new(&Sturdy(number)).insert(connection)
                    });
                    asked.is_ok() || was_asked(&url, number)
                });
            }
            all_asked.store(true, Ordering::SeqCst);
        });
        let mut cluster = Some(cluster);
        let mut restarts = 0;
        while !all_asked.load(Ordering::SeqCst) || restarts < 2 {
            cluster.take().unwrap().stop().unwrap();
            cluster = Some(Cluster::start(&options).unwrap());
            restarts += 1;
            let done = || count_done(&url);
            let before = done();
            wait_until("some more jobs", || done() > before || all_asked.load(Ordering::SeqCst));
        }
        wait_until("all jobs", || count_done(&url) == i64::from(JOBS));
        running.stop();
        assert_each_once(&mut PgConnection::establish(&url).unwrap(), JOBS);
        println!("{restarts} restarts");
        cluster.take().unwrap().stop().unwrap();
    });
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

fn count(url: &str, query: String) -> i64 {
    let Ok(mut connection) = PgConnection::establish(url) else { return 0 };
    sql_query(query).get_result::<Count>(&mut connection).map_or(0, |row| row.count)
}

fn count_done(url: &str) -> i64 {
    count(url, "SELECT count(*) FROM job_history WHERE outcome = 'done'".to_owned())
}

fn was_asked(url: &str, number: i32) -> bool {
    let pending = format!("SELECT count(*) FROM jobs WHERE payload = '{number}'");
    let done = format!("SELECT count(*) FROM effects WHERE name = '{number}'");
    count(url, pending) + count(url, done) > 0
}

/// Moves the time of day of a process by the number of seconds in a variable.
const WRONG_CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += atol(getenv("WRONG_BY"));
    return result;
}
"#;

#[test]
fn a_worker_whose_clock_is_wrong_does_its_jobs_at_the_databases_time() {
    let directory = tempfile::tempdir().unwrap();
    let (source, shim) = (directory.path().join("clock.c"), directory.path().join("clock.so"));
    std::fs::write(&source, WRONG_CLOCK).unwrap();
    let mut compiler = std::process::Command::new("cc");
    succeeded(compiler.args(["-shared", "-fPIC", "-o"]).arg(&shim).arg(&source).arg("-ldl").output().unwrap());
    for wrong_by in [-7200_i64, 7200] {
        let wrongly = |command: &mut std::process::Command| {
            command.env("LD_PRELOAD", &shim).env("WRONG_BY", wrong_by.to_string());
        };
        let mut date = std::process::Command::new("date");
        wrongly(date.arg("+%s"));
        let told: i64 = succeeded(date.output().unwrap()).trim().parse().unwrap();
        assert!((told - chrono::Utc::now().timestamp() - wrong_by).abs() < 60, "the clock is wrong by {wrong_by} s");

        let served = Served::start(&["--no-worker", "--publish-wait", "0s"]);
        let mut connection = served.database.connect();
        http::publish(&served.url, &served.token("ann"), &Package::new("foo", "1.0.0")).good();
        sql_query("INSERT INTO jobs (id, queue, kind, payload) VALUES (7, 'index', 'publish_version', '{}')")
            .execute(&mut connection)
            .unwrap();
        let mut worker = served.command("worker");
        wrongly(&mut worker);
        let mut worker = worker.stderr(std::process::Stdio::null()).spawn().unwrap();
        wait_until("both jobs to be tried", || {
            let tried = |job: &Receipt| ["done", "failed"].contains(&&*job.outcome);
            inspection::latest_receipts(&mut connection, 10).unwrap().iter().filter(|job| tried(job)).count() >= 2
        });
        worker.kill().unwrap();
        worker.wait().unwrap();
        // A second of backoff, a fifth more or less, from the end of an attempt that was just now.
        let right =
            "SELECT 1 FROM jobs WHERE id = 7 AND attempts = 1 AND clock_timestamp() - last_failed_at < '1 minute'
                     AND run_at - last_failed_at BETWEEN '0.79 s' AND '1.21 s'
                     UNION ALL SELECT 1 FROM jobs WHERE id = 7 AND attempts > 1";
        assert_eq!(sql_query(right).execute(&mut connection).unwrap(), 1);
        for receipt in inspection::latest_receipts(&mut connection, 10).unwrap() {
            let age = (chrono::Utc::now() - receipt.started_at.unwrap()).num_seconds().abs();
            assert!(age < 60 && receipt.finished_at >= receipt.started_at.unwrap(), "{receipt:?}");
        }
    }
}

/// The queue uses only the clock of the database.
#[test]
fn the_queue_never_reads_its_own_time_of_day() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/queue");
    let mut files = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let code = std::fs::read_to_string(&path).unwrap();
        for clock in ["SystemTime", "Utc::now", "Local::now"] {
            assert!(!code.contains(clock), "{}: {clock}", path.display());
        }
        // `now()` is constant within a transaction.
        assert!(
            !code.lines().any(|line| line.contains("now()")
                && !line.trim_start().starts_with("//")
                && !line.contains("Instant::now()")),
            "{}",
            path.display()
        );
        files += 1;
    }
    assert!(files > 10);
}
