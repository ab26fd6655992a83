//! What a publish costs the git index: publishes a second in batches of 1 and 50, on indexes of 1,000, 20,000 and 200,000
//! crates. Batches are durable, so the disk's sync time is in the figures; maintenance runs between batches, as in
//! production, and is in them too.
//!
//! `cargo bench --bench index_write`, with sizes as arguments to measure others.

#[path = "support/scale.rs"]
mod scale;
mod support;

use std::error::Error;
use std::time::{Duration, Instant};

use supercargo::index::{Change, Index};

use scale::amount;
use support::{line, name, path, populate};

const SIZES: [usize; 3] = [1_000, 20_000, 200_000];
const BATCHES: [usize; 2] = [1, 50];

fn main() -> Result<(), Box<dyn Error>> {
    // cargo passes `--bench` on.
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if sizes.is_empty() { SIZES[..amount(3, 1)].to_vec() } else { sizes };
    println!("{:>8} {:>6} {:>12} {:>12} {:>12}", "crates", "batch", "publishes/s", "median ms", "slowest ms");
    for size in sizes {
        let directory = tempfile::tempdir()?;
        let index = Index::open_or_init(&directory.path().join("index"))?;
        populate(&index, size)?;
        for batch in BATCHES {
            measure(&index, size, batch)?;
        }
    }
    Ok(())
}

/// Publishes new versions of crates all over the index for a few seconds.
fn measure(index: &Index, size: usize, batch: usize) -> Result<(), Box<dyn Error>> {
    let writer = index.lock_writer()?;
    let measured = Duration::from_millis(amount(5_000, 50) as u64);
    let start = Instant::now();
    let mut times = Vec::new();
    let mut number = 0;
    while start.elapsed() < measured {
        let begin = Instant::now();
        let head = index.head()?;
        let mut changes = Vec::with_capacity(batch);
        for _ in 0..batch {
            number += 1;
            let name = name(number * 7919 % size);
            let path = path(&name);
            let mut content = index.read(&head, &path)?.map_or(Vec::new(), |file| file.content.to_vec());
            content.extend(line(&name, number + 1).into_bytes());
            changes.push(Change {
                path,
                content: Some(content.into()),
                message: format!("Publish {name} 1.0.{number}"),
            });
        }
        writer.commit(&head, &changes)?;
        index.lock_maintenance()?.maintain()?;
        times.push(begin.elapsed());
    }
    let rate = number as f64 / start.elapsed().as_secs_f64();
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let (median, slowest) = (milliseconds(times[times.len() / 2]), milliseconds(times[times.len() - 1]));
    println!("{size:>8} {batch:>6} {rate:>12.0} {median:>12.1} {slowest:>12.1}");
    Ok(())
}
