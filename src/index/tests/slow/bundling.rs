//! A bundle is written while publishes go on.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::*;

const BUNDLES: usize = 10;

#[test]
fn a_bundle_is_written_however_fast_the_branch_moves() {
    let test = TestIndex::new();
    test.commit(&[put("1/n", "0")]);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let commits = scope.spawn(|| {
            let mut number = 0;
            while !is_done.load(Ordering::Relaxed) {
                number += 1;
                test.commit(&[put("1/n", &number.to_string())]);
            }
            number
        });
        let written: Vec<_> = (0..BUNDLES)
            .map(|number| {
                let bundle = test.directory.path().join(format!("bundle-{number}"));
                test.index.write_bundle(&bundle).map(|commit| (bundle, commit.unwrap()))
            })
            .collect();
        is_done.store(true, Ordering::Relaxed);
        assert!(commits.join().unwrap() > BUNDLES);
        for bundle in written {
            let (bundle, commit) = bundle.unwrap();
            let restored = TestIndex::new();
            assert_eq!(restored.index.read_bundle(&bundle).unwrap().commit, Some(commit));
            restored.fsck();
        }
    });
}
