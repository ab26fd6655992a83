//! What the queue costs, as a ratio to a floor: pgbench sends the statements that the queue sends, to the same database,
//! seconds before or after, each prepared once. They are not copied here but recorded from a runner at work, so the floor
//! can't drift from the code. The ratio is what is lost on this side: in statements that are planned each time, in
//! reading rows, between two statements. It says nothing of the statements themselves: fewer of them move both sides.
//!
//! | part | measured |
//! |---|---|
//! | `enqueue` | jobs a second, each committed durably by itself |
//! | `single` | jobs a second of a kind that runs one at a time and does nothing |
//! | `batches` | the same of kinds that run 10, 50 and 500 at a time |
//! | `notify` | telling other processes of a job within its commit, beside doing so after it, and never |
//! | `claim` | how long a claim takes on tables that make it hard |
//! | `start` | how long after its commit a job starts in an idle process |
//!
//! Jobs are performed by `Runner::start`, not by `drain` on threads: only a started runner prepares its sessions
//! (`synchronous_commit` off, time limits) and watches its workers, so only it costs what production costs. The clock
//! runs from the start of the first batch to that of the last, without connecting and stopping. The cluster is private
//! and durable, with the settings of the embedded default. Both sides of a ratio take turns, [`rates::ROUNDS`] times, and
//! the median counts. Every measurement counts rows afterwards, and one that did not do its work is an error.
//!
//! `cargo bench --bench queue`, with names of parts as arguments to measure only those. It needs pgbench.

mod floor;
mod kinds;
mod latency;
mod rates;
#[path = "../support/scale.rs"]
mod scale;
mod stage;

use std::error::Error;
use std::time::Instant;

use stage::Stage;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;
type Part = (&'static str, fn(&Stage) -> Outcome<()>);

const PARTS: [Part; 6] = [
    ("enqueue", rates::enqueue),
    ("single", rates::single),
    ("batches", rates::batches),
    ("notify", rates::notify),
    ("claim", latency::claim),
    ("start", latency::start),
];

fn main() -> Outcome<()> {
    // cargo passes `--bench` on.
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let Some(unknown) = chosen.iter().find(|name| !PARTS.iter().any(|part| part.0 == **name)) {
        return Err(format!("there is no part {unknown}: the parts are {:?}", PARTS.map(|part| part.0)).into());
    }
    let begin = Instant::now();
    let stage = Stage::new()?;
    for (name, measure) in PARTS {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            println!("\n{name} (the disk flushes a page in {:.2} ms)", stage.flush_time()?.as_secs_f64() * 1000.0);
            measure(&stage)?;
        }
    }
    println!("\nmeasured in {:.0} s", begin.elapsed().as_secs_f64());
    Ok(())
}
