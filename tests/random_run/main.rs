//! Random runs: eight clients publish, yank, unyank, change owners, download, and stage, approve and reject release sets or
//! let them expire. Meanwhile serve, workers and PostgreSQL are killed and started again, a standby is promoted, connections are cut, the index's
//! remote refuses, processes are stopped and fail points fire. Then everything is made good, and what was answered is held
//! against what the registry shows.
//!
//! Every seed is a test of some seconds. Longer, and for hours:
//!
//! ```text
//! cargo nextest run --profile full --test random_run                       # the seeds of the test run
//! RANDOM_RUN_FOR=1h RANDOM_RUN_SEED=1000 cargo test --test random_run      # seeds from 1000 on, half a minute each
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`plan`] | what follows from a seed |
//! | [`world`] | the processes, and how they are started |
//! | [`model`] | what was asked and answered |
//! | [`client`] | somebody who asks |
//! | [`reader`] | those who must never see a part of a release set, by both protocols |
//! | [`disturbance`] | what goes wrong meanwhile |
//! | [`verdict`] | what must hold in the end |

#[path = "../registry/support/mod.rs"]
mod support;

mod client;
mod disturbance;
mod model;
mod plan;
mod reader;
mod tally;
mod verdict;
mod world;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

use model::Model;
use plan::Plan;
use tally::Tally;
use world::World;

/// Seeds that found something once stay here, with what they found.
///
/// * 301: a process that only follows a remote was killed while it moved the branch; its lock kept the mirror where it was.
/// * 2006: the same with a git that fetched, which leaves a lock of its own.
const KEPT: [u64; 2] = [301, 2006];
/// The seeds of a test run.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;
/// A run among the tests, and one of those that go on for hours.
const SHORT: Duration = Duration::from_secs(6);
const LONG: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    if let Ok(time) = std::env::var("RANDOM_RUN_FOR") {
        let time = humantime::parse_duration(&time).expect("RANDOM_RUN_FOR is a time, as in 1h");
        let first =
            std::env::var("RANDOM_RUN_SEED").map_or(1000, |seed| seed.parse().expect("RANDOM_RUN_SEED is a number"));
        return run_for(time, first);
    }
    let trials = KEPT
        .into_iter()
        .chain(SEEDS)
        .map(|seed| Trial::test(format!("seed_{seed:02}"), move || holds(&Plan::of_seed(seed, SHORT))));
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn holds(plan: &Plan) -> Result<(), Failed> {
    let tally = run(plan);
    println!("{tally}");
    if tally.violations.is_empty() { Ok(()) } else { Err(tally.violations.join("\n").into()) }
}

/// One seed after the other until the time is over; ends with the totals. A seed that finds something does not end it.
fn run_for(time: Duration, first: u64) -> ExitCode {
    let began = Instant::now();
    let mut total = Tally::default();
    for seed in first.. {
        if began.elapsed() >= time {
            break;
        }
        let tally = run(&Plan::of_seed(seed, LONG));
        println!("seed {seed}: {tally}");
        for violation in &tally.violations {
            println!("seed {seed}: VIOLATION: {violation}");
        }
        total.add(tally);
    }
    println!("\nin {}: {total}", humantime::format_duration(Duration::from_secs(began.elapsed().as_secs())));
    if total.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(plan: &Plan) -> Tally {
    let world = World::start(plan);
    let model = Model::default();
    let ends = AtomicBool::new(false);
    let tally = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..plan::CLIENTS)
            .map(|number| {
                scope.spawn({
                    let (world, model, ends) = (&world, &model, &ends);
                    move || client::work(plan, number, world, model, ends)
                })
            })
            .collect();
        let reader = scope.spawn({
            let (world, model, ends) = (&world, &model, &ends);
            move || reader::read(plan, world, model, ends)
        });
        let fetcher = scope.spawn({
            let (world, model, ends) = (&world, &model, &ends);
            move || reader::fetch(world, model, ends)
        });
        let mut tally = disturbance::disturb(plan, &world);
        ends.store(true, Ordering::SeqCst);
        world.make_good();
        for client in clients.into_iter().chain([reader, fetcher]) {
            match client.join() {
                Ok(done) => tally.add(done),
                Err(panic) => tally.violations.push(text_of(&*panic)),
            }
        }
        tally
    });
    let seen = std::panic::catch_unwind(AssertUnwindSafe(|| verdict::judge(plan, &world, &model)));
    let mut tally = tally;
    match seen {
        Ok(seen) => tally.add(seen),
        // What can't be looked at is no agreement.
        Err(panic) => tally.violations.push(text_of(&*panic)),
    }
    world.end(tally.violations.is_empty());
    tally
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
        .unwrap_or_else(|| "a client panicked".to_owned())
}
