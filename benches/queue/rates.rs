//! Jobs a second, beside what pgbench makes of the same statements.

use std::sync::Barrier;
use std::time::Instant;

use diesel::PgConnection;
use supercargo::queue::{self, Enqueue, Job, Registry, Wakeups};

use crate::Outcome;
use crate::floor;
use crate::kinds::{Shared, Single, Source, Starts, registry_of_shared, registry_of_single, runner};
use crate::scale::amount;
use crate::stage::{Amount, Commits, Stage};

/// How often both sides are measured.
pub const ROUNDS: usize = 3;

pub fn enqueue(stage: &Stage) -> Outcome<()> {
    let script = floor::enqueue(stage)?;
    header("jobs/s", "pgbench");
    for (clients, count) in [(1, amount(600, 8)), (8, amount(1_600, 16))] {
        let ours = || enqueue_by(stage, clients, count, Telling::InTheCommit);
        let floor = || enqueue_by_pgbench(stage, &script, clients, count);
        compare(&format!("clients: {clients}"), ours, floor)?;
    }
    Ok(())
}

/// When workers are told of a job.
#[derive(Clone, Copy)]
enum Telling {
    InTheCommit,
    /// As the registry's requests do.
    AfterTheCommit,
}

fn enqueue_by(stage: &Stage, clients: usize, count: usize, telling: Telling) -> Outcome<f64> {
    stage.clear()?;
    let connections = (0..clients).map(|_| stage.connect()).collect::<Outcome<Vec<_>>>()?;
    let start = Barrier::new(clients + 1);
    let enqueue_some = |mut connection: PgConnection| -> Outcome<()> {
        start.wait();
        for number in 0..count / clients {
            let job = Single { number: number as u64 };
            match telling {
                Telling::InTheCommit => drop(Enqueue::new(&job).insert(&mut connection)?),
                Telling::AfterTheCommit => {
                    Enqueue::new(&job).quietly().insert(&mut connection)?;
                    queue::announce(&mut connection, Single::POLICY.queue)?;
                }
            }
        }
        Ok(())
    };
    let took = std::thread::scope(|scope| {
        let enqueue_some = &enqueue_some;
        let clients: Vec<_> =
            connections.into_iter().map(|connection| scope.spawn(move || enqueue_some(connection))).collect();
        start.wait();
        let begin = Instant::now();
        for client in clients {
            client.join().map_err(|_| "a client panicked")??;
        }
        Outcome::Ok(begin.elapsed())
    })?;
    stage.expect_waiting(count)?;
    Ok(count as f64 / took.as_secs_f64())
}

fn enqueue_by_pgbench(stage: &Stage, script: &str, clients: usize, count: usize) -> Outcome<f64> {
    stage.clear()?;
    let rate = stage.pgbench(script, Commits::Durable, clients, Amount::Transactions(count))?;
    stage.expect_waiting(count)?;
    Ok(rate)
}

pub fn notify(stage: &Stage) -> Outcome<()> {
    let (loud, silent) = (floor::enqueue(stage)?, floor::enqueue_silently(stage)?);
    header("within", "after");
    for (clients, count) in [(1, amount(600, 8)), (16, amount(3_200, 32))] {
        let within = || enqueue_by(stage, clients, count, Telling::InTheCommit);
        let after = || enqueue_by(stage, clients, count, Telling::AfterTheCommit);
        compare(&format!("clients: {clients}"), within, after)?;
    }
    // A few jobs say nothing here: there must be more than a worker does in seconds.
    if amount(1, 0) == 0 {
        return Ok(());
    }
    header("within", "never");
    compare("a worker beside", || work_beside(stage, &loud), || work_beside(stage, &silent))
}

/// Jobs a second of one worker while others enqueue, steadily and for another queue.
fn work_beside(stage: &Stage, enqueue: &str) -> Outcome<f64> {
    const BACKLOG: usize = 60_000;
    let pace = Amount::Paced { per_second: 300, seconds: 3 };
    stage.fill(Shared::<10>::KIND, BACKLOG)?;
    let source = Source { url: stage.url(), records: None };
    let (runner, heard) = runner(registry_of_shared::<10>()?, source, Wakeups::default());
    let (took, paced) = std::thread::scope(|scope| {
        let enqueuing = scope.spawn(|| stage.pgbench(enqueue, Commits::Durable, 8, pace));
        let begin = Instant::now();
        let running = runner.start()?;
        let paced = enqueuing.join().map_err(|_| "a client panicked")??;
        let took = begin.elapsed();
        running.stop();
        Outcome::Ok((took, paced))
    })?;
    // The runner is gone, and with it who could still speak.
    let done = heard.rest();
    if done == BACKLOG || paced < 200.0 {
        return Err(format!("{done} jobs done beside {paced:.0} that were enqueued a second").into());
    }
    stage.expect_receipts(done)?;
    Ok(done as f64 / took.as_secs_f64())
}

pub fn single(stage: &Stage) -> Outcome<()> {
    let script = floor::perform(&floor::record_of_a_job(stage)?, Single::KIND, 1)?;
    header("jobs/s", "pgbench");
    for (workers, count) in [(1, amount(2_000, 20)), (8, amount(4_000, 40))] {
        let ours = || perform(stage, Single::KIND, registry_of_single(workers)?, count, 1);
        let floor = || perform_by_pgbench(stage, &script, Single::KIND, workers, count, 1);
        compare(&format!("workers: {workers}"), ours, floor)?;
    }
    Ok(())
}

pub fn batches(stage: &Stage) -> Outcome<()> {
    let recorded = floor::record_of_a_job(stage)?;
    header("jobs/s", "pgbench");
    batches_of::<10>(stage, &recorded, amount(8_000, 30))?;
    batches_of::<50>(stage, &recorded, amount(20_000, 150))?;
    batches_of::<500>(stage, &recorded, amount(40_000, 1_500))
}

fn batches_of<const N: usize>(stage: &Stage, recorded: &[String], count: usize) -> Outcome<()>
where
    Shared<N>: Job,
{
    let kind = Shared::<N>::KIND;
    let script = floor::perform(recorded, kind, N)?;
    let ours = || perform(stage, kind, registry_of_shared::<N>()?, count, N);
    let floor = || perform_by_pgbench(stage, &script, kind, 1, count, N);
    compare(&format!("batches of {N}"), ours, floor)
}

fn perform(stage: &Stage, kind: &str, registry: Registry<Starts>, count: usize, size: usize) -> Outcome<f64> {
    stage.fill(kind, count)?;
    let source = Source { url: stage.url(), records: None };
    let (runner, heard) = runner(registry, source, Wakeups::default());
    let running = runner.start()?;
    let (rate, largest) = heard.rate(count)?;
    running.stop();
    if largest != size {
        return Err(format!("batches of {largest} where {size} were wanted").into());
    }
    stage.expect_done(count)?;
    Ok(rate)
}

fn perform_by_pgbench(
    stage: &Stage,
    script: &str,
    kind: &str,
    clients: usize,
    count: usize,
    size: usize,
) -> Outcome<f64> {
    stage.fill(kind, count)?;
    let rate = stage.pgbench(script, Commits::Lazy, clients, Amount::Transactions(count / size))?;
    stage.expect_done(count)?;
    Ok(rate * size as f64)
}

fn header(ours: &str, floor: &str) {
    println!("  {:<16} {ours:>10} {floor:>10} {:>8}   of each round", "", "ratio");
}

/// Measures both in turn and prints the medians and their ratio, above 1 where the floor is faster.
fn compare(label: &str, ours: impl Fn() -> Outcome<f64>, floor: impl Fn() -> Outcome<f64>) -> Outcome<()> {
    let rounds = (0..amount(ROUNDS, 1)).map(|_| Ok((ours()?, floor()?))).collect::<Outcome<Vec<_>>>()?;
    let median = |side: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<_> = rounds.iter().map(side).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (ours, floor) = (median(|round| round.0), median(|round| round.1));
    let each: Vec<_> = rounds.iter().map(|round| format!("{:.2}", round.1 / round.0)).collect();
    println!("  {label:<16} {ours:>10.0} {floor:>10.0} {:>8.2}   {}", floor / ours, each.join(" "));
    Ok(())
}
