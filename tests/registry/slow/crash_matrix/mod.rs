//! The crash matrix: at every step of a publish, a yank, the deletion of a crate, and the staging, approval, rejection and
//! expiry of a release set the process dies, an error comes back, or the thread stalls for longer than it may; and then what
//! was answered holds, what was not can be sent again, nothing is there twice, nothing is pending, and index, database and
//! files agree. What was given up can be taken by somebody else.
//!
//! A registry of its own for each point, which goes through all operations and kinds of fault; several at once. All of it:
//!
//! ```text
//! cargo nextest run --profile full --test registry -E 'test(/crash_matrix/)'
//! CRASH_MATRIX=index.ref,queue.held cargo nextest run …    # some points only
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`plan`] | the points, the operations and the kinds of fault, and what does not meet |
//! | [`requests`] | what each operation asks for |
//! | [`client`] | requests that are sent until they are answered |
//! | [`beside`] | a second client at the same time |
//! | [`cell`] | one operation with one fault at one point |
//! | [`checks`] | what must hold afterwards |
//! | [`reader`] | a reader who must never see a part of a release set |
//! | [`table`] | the outcome, for people |
//! | [`fetching`] | a matrix of its own: the steps of a fetch from an upstream |

mod beside;
mod cell;
mod checks;
mod client;
mod fetching;
mod plan;
mod reader;
mod requests;
mod table;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cell::Bench;
use plan::{KINDS, OPERATIONS, POINTS, Point};
use table::Table;

/// Registries that are tried at the same time. They wait most of the time. Each has up to 24 of the database
/// sessions of the test cluster, which other tests use as well.
const AT_ONCE: usize = 4;

#[test]
fn whatever_dies_fails_or_stalls_at_any_step_nothing_is_lost() {
    let chosen = std::env::var("CRASH_MATRIX").unwrap_or_default();
    let points: Vec<_> =
        POINTS.iter().filter(|point| chosen.is_empty() || chosen.split(',').any(|name| name == point.name)).collect();
    assert!(!points.is_empty(), "CRASH_MATRIX names no point: {chosen:?}");
    let table = Mutex::new(Table::default());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(points.len()) {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
                    try_point(point, &table);
                }
            });
        }
    });
    let table = table.into_inner().unwrap();
    println!("{table}");
    let expected = points.len() * OPERATIONS.len() * KINDS.len();
    assert_eq!(table.cells(), expected, "cells that were not tried");
    assert_eq!(table.failures(), Vec::<String>::new());
}

fn try_point(point: &'static Point, table: &Mutex<Table>) {
    let mut bench = Bench::new(point);
    for kind in KINDS {
        for operation in OPERATIONS {
            let outcome = point.meets(operation, kind).then(|| bench.try_cell(operation, kind));
            table.lock().unwrap().note(point.name, operation, kind, outcome);
        }
    }
    table.lock().unwrap().note_verified(point.name, bench.verify());
}
