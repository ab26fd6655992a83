//! How long a single job waits: for its claim on tables that make it hard, and for an idle worker to start it.

use std::time::{Duration, Instant};

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use supercargo::queue::claim::{self, Touched};
use supercargo::queue::listener::Listener;
use supercargo::queue::{Completions, Enqueue, Job, Settings, Wakeups, session};

use crate::Outcome;
use crate::kinds::{Single, Source, registry_of_single, runner};
use crate::scale::amount;
use crate::stage::Stage;

const SAMPLES: usize = 300;
/// A case that is too slow for all its samples ends after this time.
const PATIENCE: Duration = Duration::from_secs(5);
/// From the end of one job to the next, so that the worker is idle again.
const PAUSE: Duration = Duration::from_millis(10);
const GAP: Duration = Duration::from_secs(3);

/// The first step of a claim, up to its commit: finding the row, locking it, counting the start.
pub fn claim(stage: &Stage) -> Outcome<()> {
    let rows = |count: usize, run_at: &str, key: &str, turn: &str| {
        let count = amount(count, count.min(1_000));
        format!(
            "INSERT INTO jobs (queue, kind, key, payload, run_at, turn)
             SELECT 'single', 'single', {key}, '{{\"number\": 1}}', {run_at}, {turn}
             FROM generate_series(1, {count}) AS number"
        )
    };
    let due = |count| rows(count, "clock_timestamp()", "NULL", "NULL::boolean");
    println!("  {:<40} {:>10} {:>10} {:>8} {:>8}", "", "median ms", "p99 ms", "samples", "ratio");
    let analyze = "VACUUM ANALYZE jobs";

    stage.clear()?;
    stage.run(&due(1))?;
    stage.run(analyze)?;
    let base = report_claims(stage, "1 row", None)?;

    stage.clear()?;
    let mut planned = worker(stage)?;
    touch(&mut planned)?;
    stage.run(&due(1_000_000))?;
    report_claims_of(&mut planned, "1,000,000 rows, planned for an empty table", Some(base))?;

    stage.clear()?;
    stage.run(&due(100_000))?;
    stage.run(analyze)?;
    report_claims(stage, "100,000 rows, all due", Some(base))?;

    stage.clear()?;
    report_enqueues(stage, "enqueue, nothing waits")?;
    stage.run(
        "INSERT INTO jobs (queue, kind, payload, requested_by, lap)
         SELECT 'single', 'single', '{\"number\": 1}', 'ann', number FROM generate_series(0, 99999) AS number;
         INSERT INTO jobs (queue, kind, payload, requested_by, lap) VALUES ('single', 'single', '{\"number\": 1}', 'bob', 0)",
    )?;
    stage.run(analyze)?;
    report_claims(stage, "100,000 rows of one requester, 1 of another", Some(base))?;
    report_enqueues(stage, "  enqueue behind them")?;

    stage.clear()?;
    stage.run(&rows(100_000, "clock_timestamp() + interval '1 hour'", "NULL", "NULL::boolean"))?;
    stage.run(&due(1))?;
    stage.run(analyze)?;
    report_claims(stage, "100,000 rows delayed, 1 due behind them", Some(base))?;

    stage.clear()?;
    stage.run(&due(100_000))?;
    stage.run(analyze)?;
    let mut observer = stage.connect()?;
    observer.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM jobs")?;
    stage.run("DELETE FROM jobs")?;
    stage.run(&due(1))?;
    stage.run("ANALYZE jobs")?;
    report_claims(stage, "100,000 dead rows under a snapshot, 1 due", Some(base))?;
    observer.batch_execute("COMMIT")?;
    report_claims(stage, "  the same when the snapshot is gone", Some(base))?;

    stage.clear()?;
    stage.run(&rows(10_000, "clock_timestamp()", "'hot'", "number = 1"))?;
    stage.run(&rows(1, "clock_timestamp()", "'cold'", "true"))?;
    stage.run(analyze)?;
    let mut worker = stage.connect()?;
    worker.batch_execute("BEGIN; SELECT FROM jobs WHERE key = 'hot' AND turn FOR NO KEY UPDATE")?;
    report_claims(stage, "10,000 rows of a key that runs, 1 of another", Some(base))?;
    worker.batch_execute("COMMIT")?;
    Ok(())
}

/// Claims one row again and again and takes it back each time; answers the median.
fn report_claims(stage: &Stage, label: &str, base: Option<Duration>) -> Outcome<Duration> {
    report_claims_of(&mut worker(stage)?, label, base)
}

/// A session like those of workers, which keep their plans.
fn worker(stage: &Stage) -> Outcome<PgConnection> {
    let mut connection = stage.connect()?;
    session::prepare(&mut connection, "bench", Single::KIND, &Settings::default())?;
    Ok(connection)
}

fn report_claims_of(connection: &mut PgConnection, label: &str, base: Option<Duration>) -> Outcome<Duration> {
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.len() < amount(SAMPLES, 3) && begin.elapsed() < PATIENCE {
        connection.batch_execute("BEGIN")?;
        let begin = Instant::now();
        let touched = touch(connection)?;
        times.push(begin.elapsed());
        connection.batch_execute("ROLLBACK")?;
        if touched.jobs.len() != 1 || touched.jobs[0].key.as_deref() == Some("hot") {
            return Err(format!("{label}: the wrong rows were claimed: {touched:?}").into());
        }
    }
    Ok(report(label, &mut times, base))
}

fn touch(connection: &mut PgConnection) -> Outcome<Touched> {
    let kinds = registry_of_single(1)?.claimable_kinds(Single::KIND);
    Ok(claim::touch_batch(connection, Single::KIND, &kinds, "bench", GAP)?)
}

/// Adds one row again and again and takes it back each time.
fn report_enqueues(stage: &Stage, label: &str) -> Outcome<Duration> {
    let mut connection = stage.connect()?;
    let mut times = Vec::new();
    for number in 0..amount(SAMPLES, 3) {
        connection.batch_execute("BEGIN")?;
        let begin = Instant::now();
        let job = Single { number: number as u64 };
        Enqueue::new(&job).requested_by("cid").quietly().insert(&mut connection)?;
        times.push(begin.elapsed());
        connection.batch_execute("ROLLBACK")?;
    }
    Ok(report(label, &mut times, None))
}

/// From the end of the commit that enqueues to the first line of the job.
pub fn start(stage: &Stage) -> Outcome<()> {
    println!("  {:<40} {:>10} {:>10} {:>8}", "", "median ms", "p99 ms", "samples");
    let woken = |wakeups: &Wakeups| wakeups.wake(Single::KIND);
    start_with(stage, "woken by the same thread", None, woken)?;
    let wakeups = Wakeups::default();
    let ticket = wakeups.ticket(Single::KIND);
    let listener = Listener::start(&stage.url(), &[Single::KIND], wakeups.clone(), Completions::default())?;
    // It wakes everybody as soon as it listens.
    wakeups.wait(&ticket, PATIENCE);
    start_with(stage, "woken by LISTEN", Some(wakeups), |_| {})?;
    drop(listener);
    Ok(())
}

fn start_with(stage: &Stage, label: &str, wakeups: Option<Wakeups>, wake: fn(&Wakeups)) -> Outcome<()> {
    stage.clear()?;
    let wakeups = wakeups.unwrap_or_default();
    let source = Source { url: stage.url(), records: None };
    let (runner, heard) = runner(registry_of_single(1)?, source, wakeups.clone());
    let running = runner.start()?;
    let mut connection = stage.connect()?;
    let mut times = Vec::new();
    for number in 0..=amount(SAMPLES, 3) {
        std::thread::sleep(PAUSE);
        Enqueue::new(&Single { number: number as u64 }).insert(&mut connection)?;
        let committed = Instant::now();
        wake(&wakeups);
        // Others see a commit a moment before it is answered: such a start took no time.
        times.push(heard.next()?.0.saturating_duration_since(committed));
    }
    running.stop();
    stage.expect_done(times.len())?;
    // The first one may have waited for the worker to connect.
    report(label, &mut times[1..], None);
    Ok(())
}

/// Prints median, 99th percentile and the ratio of the median to another one; sorts.
fn report(label: &str, times: &mut [Duration], base: Option<Duration>) -> Duration {
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    let ratio = base.map_or(String::new(), |base| format!("{:>8.1}", median.as_secs_f64() / base.as_secs_f64()));
    println!("  {label:<44} {:>6.3} {:>10.3} {:>8} {ratio}", milliseconds(median), milliseconds(p99), times.len());
    median
}
