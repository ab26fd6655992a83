//! The bitmap, and packs that are safe from repacks.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use super::*;
use crate::index::Bitmap;
use crate::index::batch::Batch;
use crate::index::bitmap::WORKPLACE;

fn build(test: &TestIndex) -> usize {
    match test.index.build_bitmap(&|| false).unwrap() {
        Bitmap::Built { replaced, .. } => replaced,
        other => panic!("{other:?}"),
    }
}

fn files(test: &TestIndex, end: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(test.index.path().join("objects/pack")).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|found| found == end)).collect()
}

#[test]
fn one_pack_with_a_bitmap_replaces_all_and_has_every_object() {
    let test = TestIndex::new();
    assert_eq!(test.index.build_bitmap(&|| false).unwrap(), Bitmap::NotBuilt, "an empty index");
    for n in 0..5 {
        test.commit(&[put("1/a", &n.to_string())]);
    }
    // To these no reference leads.
    let file = test.directory.path().join("object");
    fs::write(&file, "loose").unwrap();
    let loose = test.git(&["hash-object", "-w", file.to_str().unwrap()]);
    let lost = test.git(&["rev-parse", "main"]);
    test.git(&["update-ref", "refs/heads/main", "main~1"]);
    assert_eq!(build(&test), 5);
    assert_eq!((files(&test, "pack").len(), files(&test, "bitmap").len(), files(&test, "idx").len()), (1, 1, 1));
    assert_eq!(test.git(&["cat-file", "-p", loose.trim()]), "loose");
    assert_eq!(test.git(&["show", &format!("{}:1/a", lost.trim())]), "4");
    assert_eq!(text(&test.index, "1/a").unwrap(), "3");
    test.git(&["rev-list", "--test-bitmap", "main"]);
    test.fsck();
    assert_eq!(build(&test), 0, "the same pack again");
    assert_eq!((files(&test, "pack").len(), files(&test, "bitmap").len()), (1, 1));
    // What is newer has packs of its own, which are merged, until the next time.
    for n in 0..60 {
        test.commit(&[put("1/a", &n.to_string())]);
    }
    assert!(test.index.lock_maintenance().unwrap().maintain().unwrap().repacked);
    assert_eq!((test.packs(), files(&test, "bitmap").len()), (2, 1));
    assert_eq!(build(&test), 2);
    assert_eq!((test.packs(), files(&test, "bitmap").len()), (1, 1));
    test.fsck();
    assert!(!test.index.path().join(WORKPLACE).exists());
}

#[test]
fn a_pack_that_is_kept_stays_when_a_bitmap_is_built() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    let kept = files(&test, "pack").remove(0);
    fs::write(kept.with_extension("keep"), "").unwrap();
    test.commit(&[put("1/a", "two")]);
    assert_eq!(build(&test), 1);
    assert!(kept.exists());
    assert_eq!(test.packs(), 2);
    test.git(&["rev-list", "--test-bitmap", "main"]);
}

#[test]
fn a_bitmap_is_built_beside_the_writer_and_merges() {
    const COMMITS: usize = 200;
    let test = TestIndex::new();
    test.commit(&[put("ab/cd/abcd", "x")]);
    let written = AtomicBool::new(false);
    let built = std::thread::scope(|scope| {
        let building = scope.spawn(|| {
            let mut built = 0;
            while !written.load(Ordering::SeqCst) {
                build(&test);
                built += 1;
            }
            built
        });
        let merging = scope.spawn(|| {
            while !written.load(Ordering::SeqCst) {
                test.index.lock_maintenance().unwrap().maintain().unwrap();
                std::thread::yield_now();
            }
        });
        for n in 0..COMMITS {
            test.commit(&[put("1/a", &n.to_string()), put(&format!("ab/cd/abcd{n}"), "x")]);
        }
        written.store(true, Ordering::SeqCst);
        merging.join().unwrap();
        building.join().unwrap()
    });
    assert!(built > 1, "{built}");
    assert_eq!(test.git(&["rev-list", "--count", "main"]), format!("{}\n", 2 * COMMITS + 1));
    assert_eq!(test.text("1/a").unwrap(), (COMMITS - 1).to_string());
    test.fsck();
}

#[test]
fn a_stop_and_a_second_builder_change_nothing() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    test.commit(&[put("1/a", "two")]);
    assert_eq!(test.index.build_bitmap(&|| true).unwrap(), Bitmap::NotBuilt);
    let lock = test.index.try_lock(crate::index::bitmap::LOCK).unwrap().unwrap();
    assert_eq!(test.index.build_bitmap(&|| false).unwrap(), Bitmap::NotBuilt);
    // What belongs to a builder is no leftover.
    let workplace = test.index.path().join(WORKPLACE);
    fs::create_dir_all(workplace.join("new")).unwrap();
    test.index.lock_writer().unwrap().clean_leftovers().unwrap();
    assert!(workplace.exists());
    drop(lock);
    test.index.lock_writer().unwrap().clean_leftovers().unwrap();
    assert!(!workplace.exists());
    assert_eq!((test.packs(), files(&test, "bitmap").len()), (2, 0));
    test.fsck();
}

#[test]
fn a_failing_git_leaves_the_packs_as_they_are() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    test.commit(&[put("1/a", "two")]);
    let damaged = files(&test, "pack").remove(0);
    let mut content = fs::read(&damaged).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::remove_file(&damaged).unwrap();
    fs::write(&damaged, content).unwrap();
    test.index.build_bitmap(&|| false).unwrap_err();
    assert_eq!((test.packs(), files(&test, "bitmap").len()), (2, 0));
    assert!(!test.index.path().join(WORKPLACE).exists());
}

#[test]
fn a_bitmap_is_due_when_much_is_new_and_the_last_one_is_old() {
    let test = TestIndex::new();
    let mut noise = vec![0; 2 << 20];
    let more = |noise: &mut Vec<u8>| {
        rand::fill(&mut noise[..]);
        test.commit(&[Change { path: "1/a".to_owned(), content: Some(noise.clone()), message: "Noise".to_owned() }]);
    };
    test.commit(&[put("1/a", "small")]);
    assert!(!test.index.bitmap_is_due().unwrap());
    more(&mut noise);
    assert!(test.index.bitmap_is_due().unwrap());
    build(&test);
    assert!(!test.index.bitmap_is_due().unwrap());
    more(&mut noise);
    assert!(!test.index.bitmap_is_due().unwrap(), "the last one is new");
    let age = |hours: u64| {
        let bitmap = File::open(&files(&test, "bitmap")[0]).unwrap();
        bitmap.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    };
    age(24);
    assert!(test.index.bitmap_is_due().unwrap());
    build(&test);
    test.commit(&[put("1/a", "small again")]);
    age(24);
    assert!(!test.index.bitmap_is_due().unwrap(), "little is new");
}

/// Between the pack and the move of the branch, no reference leads to what a batch has written.
#[test]
fn no_repack_removes_a_pack_to_which_the_branch_is_about_to_move() {
    for repack in [&["repack", "-a", "-d", "-q"][..], &["repack", "-a", "-d", "-b", "-q"], &["gc", "-q", "--prune=now"]]
    {
        let test = TestIndex::new();
        let base = test.commit(&[put("1/a", "one")]).head;
        test.commit(&[put("1/a", "two")]);
        test.git(&["update-ref", "refs/heads/main", &base.commit.unwrap().to_string()]);
        let mut batch = Batch::new(&test.index, base.commit).unwrap();
        let tip = batch.apply(&put("ab/cd/abcd", "x")).unwrap().unwrap();
        let placed = batch.write_pack(None).unwrap();
        test.git(repack);
        assert_eq!(test.packs(), 2, "{repack:?}");
        test.git(&["update-ref", "refs/heads/main", &tip.to_string()]);
        let _made = placed.moved();
        assert!(files(&test, "keep").is_empty());
        test.fsck();
        test.git(repack);
        assert_eq!(test.packs(), 1, "{repack:?}");
        assert_eq!(test.git(&["show", "main:ab/cd/abcd"]), "x");
    }
}

#[test]
fn a_killed_writer_keeps_no_pack_but_an_operator_does() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    assert_eq!(files(&test, "keep").len(), 0);
    let own = files(&test, "pack")[0].with_extension("keep");
    fs::write(&own, "for the auditors").unwrap();
    let mut batch = Batch::new(&test.index, test.index.head().unwrap().commit).unwrap();
    batch.apply(&put("1/a", "two")).unwrap();
    std::mem::forget(batch.write_pack(None).unwrap());
    assert_eq!(files(&test, "keep").len(), 2);
    let removed = test.index.lock_writer().unwrap().clean_leftovers().unwrap();
    assert_eq!(removed.len(), 1);
    assert_eq!(files(&test, "keep"), [own]);
}
