//! The queue against its model: processes perform jobs and are killed at random until every job is done or dead. Then no
//! job may be lost, done twice, run by two workers at once, run out of order, or dead without reason.
//!
//! Every seed is a test. More of them, and larger ones, by variables:
//!
//! ```text
//! QUEUE_MODEL_SEEDS=1000..1200 QUEUE_MODEL_SCALE=5 cargo nextest run --test queue_model --no-capture
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`kinds`] | the jobs and the checks that they make while they run |
//! | [`locks`] | kernel locks that show which process runs a job |
//! | [`worker`] | a process that performs jobs: this binary again, selected by a variable |
//! | [`driver`] | one run: enqueues, kills, stops, meddles |
//! | [`verdict`] | what must be true in the end |
//! | [`stopped`] | one process that is stopped in the middle of a job, for longer than the job may take |

#[path = "../registry/support/cluster.rs"]
#[expect(dead_code, reason = "the model needs one kind of database")]
mod cluster;
mod driver;
mod kinds;
mod locks;
mod meddling;
mod stopped;
mod verdict;
mod worker;

use std::ops::Range;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

use driver::Plan;

/// How far a claim moves the due time of a job, except in runs with a deliberate mistake.
const GAP: Duration = Duration::from_millis(400);

fn main() -> ExitCode {
    if let Ok(orders) = std::env::var(worker::VARIABLE) {
        let Err(error) = worker::work(&orders);
        eprintln!("the worker could not start: {error}");
        return ExitCode::FAILURE;
    }
    let seeds = std::env::var("QUEUE_MODEL_SEEDS").map_or(1..21, |seeds| range(&seeds).expect("a range, as in 1..21"));
    let scale = std::env::var("QUEUE_MODEL_SCALE").map_or(1, |scale| scale.parse().expect("a number"));
    let mut trials: Vec<_> = seeds
        .map(|seed| Trial::test(format!("seed_{seed:02}"), move || holds(&Plan { scale, ..Plan::of_seed(seed) })))
        .collect();
    trials.push(Trial::test("a_gap_of_zero_is_found_guilty", || {
        is_guilty(&Plan { gap: Duration::ZERO, ..Plan::of_seed(1) }, "gap: ")
    }));
    if supercargo::fault::BUILT_IN {
        trials.push(Trial::test("skipping_locked_rows_in_the_second_step_is_found_guilty", || {
            is_guilty(&Plan { hold_skips_locked: true, ..Plan::of_seed(1) }, "claims were lost")
        }));
    }
    trials.push(Trial::test("a_process_that_is_stopped_for_too_long_loses_its_job_and_can_finish_nothing", || {
        stopped::loses_its_job();
        Ok(())
    }));
    let mut arguments = Arguments::from_args();
    // A run has about forty database sessions, and the cluster allows some hundreds.
    arguments.test_threads.get_or_insert(2);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn range(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

fn holds(plan: &Plan) -> Result<(), Failed> {
    let verdict = driver::run(plan);
    println!("{verdict}");
    if verdict.violations.is_empty() {
        return Ok(());
    }
    Err(format!("seed {}:\n{}", plan.seed, verdict.violations.join("\n")).into())
}

/// Checks that the verdict names the violation. A run that fails for another reason proves nothing.
fn is_guilty(plan: &Plan, of: &str) -> Result<(), Failed> {
    let verdict = driver::run(plan);
    println!("{verdict}");
    let found: Vec<_> = verdict.violations.iter().filter(|violation| violation.contains(of)).collect();
    println!("found {}, the first: {:?}", found.len(), found.first());
    if found.is_empty() {
        return Err(format!("nothing was found, of {:?}", verdict.violations).into());
    }
    Ok(())
}
