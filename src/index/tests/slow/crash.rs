//! A writer that is killed at any moment leaves an index with every commit that it reported, usable by the next writer.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rand::RngExt;

use super::super::*;

const KILLS: usize = 20;

/// The index's directory, in the working directory of the process that is killed.
const INDEX: &str = "index-of-the-killed-writer";

/// Not a test, but the process that the test below kills. In any other directory it does nothing.
#[test]
#[ignore = "the process that the test below starts and kills: `cargo nextest run --profile full index::tests::slow::crash`"]
fn the_killed_writer() {
    let path = std::env::current_dir().unwrap().join(INDEX);
    if !path.exists() {
        return;
    }
    let index = Index::open_or_init(&path).unwrap();
    let writer = index.lock_writer().unwrap();
    writer.clean_leftovers().unwrap();
    let mut number: usize = text(&index, "1/n").map_or(0, |text| text.parse().unwrap());
    loop {
        number += 1;
        let changes = [put("1/n", &number.to_string()), put(&format!("ma/ny/many{number}"), "x")];
        writer.commit(&index.head().unwrap(), &changes).unwrap();
        index.lock_maintenance().unwrap().maintain().unwrap();
        // The test harness captures print!, so the line goes to the descriptor itself.
        let mut stderr = std::io::stderr();
        writeln!(stderr, "committed {number}").unwrap();
    }
}

#[test]
fn a_writer_killed_at_any_moment_loses_nothing_it_reported_and_blocks_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open_or_init(&directory.path().join(INDEX)).unwrap();
    let test = TestIndex { directory, index };
    for _ in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "index::tests::slow::crash::the_killed_writer", "--nocapture"])
            .current_dir(test.directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let count = rand::rng().random_range(1..15);
        let mut reported = 0;
        for _ in 0..count {
            let line = lines.next().expect("the writer goes on until killed").unwrap();
            let number = line.strip_prefix("committed ").unwrap_or_else(|| panic!("{line}"));
            reported = number.parse().unwrap();
        }
        // Kill it at some point of the next commit.
        let moment = Instant::now() + Duration::from_micros(rand::rng().random_range(0..8000));
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();

        // The lock is free when the process has ended.
        let writer = test.index.lock_writer().unwrap();
        writer.clean_leftovers().unwrap();
        let found: usize = test.text("1/n").unwrap().parse().unwrap();
        assert!(found >= reported, "{found} in the index, {reported} reported");
        assert_eq!(test.text(&format!("ma/ny/many{found}")).unwrap(), "x", "a batch is whole or not there");
        test.fsck();
    }
    let count: usize = test.git(&["rev-list", "--count", "main"]).trim().parse().unwrap();
    assert_eq!(count, 2 * test.text("1/n").unwrap().parse::<usize>().unwrap());
    test.commit(&[put("1/n", "0")]);
    test.fsck();
}
