//! An operator runs `git gc` beside a writer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::*;

const COLLECTIONS: usize = 40;

#[test]
fn a_garbage_collection_beside_a_writer_loses_nothing() {
    let test = TestIndex::new();
    let (collections, is_done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut number = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let git_dir = test.index.path().to_string_lossy().into_owned();
                // It fails if the branch moves under it, which is harmless.
                let _ = test.index.git().command().args(["--git-dir", &git_dir, "gc", "--quiet"]).output().unwrap();
                collections.fetch_add(1, Ordering::Relaxed);
            }
        });
        while collections.load(Ordering::Relaxed) < COLLECTIONS {
            number += 1;
            let change = put(&format!("ma/ny/many{number}"), "x");
            let written = test.index.lock_writer().unwrap().commit(&test.index.head().unwrap(), &[change]);
            if let Err(error) = written {
                is_done.store(true, Ordering::Relaxed);
                panic!("commit {number}: {error}");
            }
        }
        is_done.store(true, Ordering::Relaxed);
    });
    for number in 1..=number {
        assert_eq!(text(&test.index, &format!("ma/ny/many{number}")).as_deref(), Some("x"), "{number}");
    }
    let git_dir = test.index.path().to_string_lossy().into_owned();
    let checked = test.index.git().command().args(["--git-dir", &git_dir, "fsck", "--strict"]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
