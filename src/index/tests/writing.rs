use std::fs;
use std::sync::Barrier;

use super::*;
use crate::index::{IndexError, Writer};

#[test]
fn a_batch_is_one_commit_a_change_in_one_pack() {
    let test = TestIndex::new();
    let longest = format!("aa/aa/{}", "a".repeat(64));
    let changes = [
        put("config.json", "{}"),
        put("1/a", "a"),
        put("3/a/abc", "abc"),
        put("ab/cd/abcd", "abcd"),
        put(&longest, "l"),
    ];
    let committed = test.commit(&changes);
    assert!(committed.commits.iter().all(Option::is_some));
    assert_eq!(committed.commits.last().unwrap(), &committed.head.commit);
    assert_eq!(test.index.head().unwrap(), committed.head);
    for change in &changes {
        assert_eq!(test.text(&change.path).unwrap().as_bytes(), change.content.as_ref().unwrap());
    }
    insta::assert_snapshot!(test.git(&["log", "--reverse", "--format=%an <%ae> %cn <%ce> %s"]), @r"
    supercargo <supercargo@localhost> supercargo <supercargo@localhost> Publish {}
    supercargo <supercargo@localhost> supercargo <supercargo@localhost> Publish a
    supercargo <supercargo@localhost> supercargo <supercargo@localhost> Publish abc
    supercargo <supercargo@localhost> supercargo <supercargo@localhost> Publish abcd
    supercargo <supercargo@localhost> supercargo <supercargo@localhost> Publish l
    ");
    insta::assert_snapshot!(test.git(&["count-objects"]), @"0 objects, 0 kilobytes");
    assert_eq!(test.packs(), 1);
    test.fsck();
}

/// Trees of the same pack are deltas of each other.
#[test]
fn a_large_batch_is_small_on_the_disk() {
    let test = TestIndex::new();
    let crates: Vec<_> = (0..500).map(|n| put(&format!("{:02}/cd/{n:03}", n % 100), "x")).collect();
    test.commit(&crates);
    let before = test.size_of_packs();
    let more: Vec<_> = (0..100).map(|n| put(&format!("{n:02}/cd/more"), &n.to_string())).collect();
    test.commit(&more);
    // Each commit has a root of 3,100 bytes, of which the delta leaves some dozens.
    assert!(test.size_of_packs() - before < 100_000, "{} after {before}", test.size_of_packs());
    assert_eq!(test.git(&["rev-list", "--count", "main"]), "600\n");
    assert_eq!(test.text("07/cd/more").unwrap(), "7");
    test.fsck();
}

/// An operator's git packed the references, or keeps a log of them.
#[test]
fn a_branch_that_git_has_packed_or_logs_is_moved() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    test.git(&["pack-refs", "--all"]);
    assert!(!test.index.path().join("refs/heads/main").exists());
    test.commit(&[put("1/a", "two")]);
    test.commit(&[put("1/a", "three")]);
    test.git(&["config", "core.logAllRefUpdates", "always"]);
    test.git(&["reflog", "expire", "--expire=now", "--all"]);
    fs::create_dir_all(test.index.path().join("logs/refs/heads")).unwrap();
    fs::write(test.index.path().join("logs/refs/heads/main"), "").unwrap();
    let head = test.commit(&[put("1/a", "four")]).head;
    assert_eq!(test.git(&["log", "-g", "--format=%H", "main"]).trim(), head.commit.unwrap().to_string());
    assert_eq!(test.text("1/a").unwrap(), "four");
    test.fsck();
}

#[test]
fn what_is_already_so_makes_no_commit() {
    let test = TestIndex::new();
    let first = test.commit(&[put("1/a", "one"), put("1/b", "one")]);
    let second = test.commit(&[put("1/a", "one"), put("1/b", "two"), remove("1/c"), put("1/b", "two")]);
    let made: Vec<bool> = second.commits.iter().map(Option::is_some).collect();
    assert_eq!(made, [false, true, false, false]);
    let third = test.commit(&[put("1/a", "one")]);
    assert_eq!((third.head, third.commits.as_slice()), (second.head, &[None][..]));
    assert_ne!(first.head, second.head);
    assert_eq!(test.packs(), 2, "nothing differs: no pack");
}

#[test]
fn a_removed_file_takes_its_empty_directories_along() {
    let test = TestIndex::new();
    test.commit(&[put("config.json", "{}"), put("ab/cd/abcd", "x")]);
    test.commit(&[remove("ab/cd/abcd")]);
    assert_eq!(test.text("ab/cd/abcd"), None);
    assert_eq!(test.git(&["ls-tree", "-r", "-t", "--name-only", "main"]), "config.json\n");
    test.commit(&[remove("config.json")]);
    assert_eq!(test.git(&["ls-tree", "-r", "-t", "--name-only", "main"]), "");
    test.fsck();
}

/// git refuses a delta whose result is empty.
#[test]
fn a_directory_may_become_empty_by_several_changes_of_a_batch() {
    let test = TestIndex::new();
    test.commit(&[put("config.json", "{}"), put("3/f/fow", "x"), put("3/f/fox", "y")]);
    test.commit(&[remove("3/f/fow"), remove("3/f/fox")]);
    assert_eq!(test.git(&["ls-tree", "-r", "-t", "--name-only", "main"]), "config.json\n");
    test.fsck();
    test.commit(&[put("1/a", "a"), remove("config.json"), remove("1/a"), put("1/b", "b")]);
    test.fsck();
    assert_eq!(test.text("1/b").unwrap(), "b");
}

#[test]
fn a_change_that_undoes_another_of_its_batch_is_kept_in_the_history() {
    let test = TestIndex::new();
    let base = test.commit(&[put("1/a", "one")]).head;
    let committed = test.commit(&[put("1/a", "two"), put("1/a", "one")]);
    assert_ne!(committed.head, base);
    assert_eq!(test.git(&["rev-list", "--count", "main"]), "3\n");
    test.fsck();
}

#[test]
fn a_path_in_anothers_way_is_an_error_of_its_own_change() {
    let test = TestIndex::new();
    let base = test.commit(&[put("3/a/abc", "abc")]).head;
    for (path, message) in [
        ("3/a/abc/d", "cannot write 3/a/abc/d to the index: 3/a/abc exists and is a file"),
        ("3/a", "cannot write 3/a to the index: 3/a exists and is a directory"),
    ] {
        let writer = test.index.lock_writer().unwrap();
        let error = writer.commit(&base, &[put("1/x", "x"), put(path, "d")]).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(!error.is_outage());
    }
    assert_eq!(test.index.head().unwrap(), base);
    assert_eq!(test.text("1/x"), None);
}

#[test]
fn a_stale_head_is_refused_and_changes_nothing() {
    let test = TestIndex::new();
    let empty = test.index.head().unwrap();
    let one = test.commit(&[put("1/a", "one")]).head;
    let two = test.commit(&[put("1/a", "two")]).head;
    let writer = test.index.lock_writer().unwrap();
    for stale in [empty, one] {
        let error = writer.commit(&stale, &[put("1/b", "b")]).unwrap_err();
        assert!(error.is_outage());
        let IndexError::HeadMoved { expected, found } = error else { panic!("{error}") };
        assert_eq!((expected, found), (stale.commit, two.commit));
    }
    assert_eq!(test.index.head().unwrap(), two);
}

/// A writer without a lock, as on a disk whose locks do not work.
fn writer_without_lock(index: &Index) -> Writer {
    Writer::new(index.clone(), tempfile::tempfile().unwrap())
}

#[test]
fn no_commit_is_lost_by_two_writers_that_ignore_the_lock() {
    const EACH: usize = 25;
    let test = TestIndex::new();
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        for name in ["a", "b"] {
            let (start, path) = (&start, test.index.path());
            scope.spawn(move || {
                let writer = writer_without_lock(&Index::open_or_init(path).unwrap());
                start.wait();
                for number in 0..EACH {
                    let change = put(&format!("1/{name}"), &number.to_string());
                    loop {
                        let head = writer.index().head().unwrap();
                        match writer.commit(&head, std::slice::from_ref(&change)) {
                            Ok(_) => break,
                            Err(IndexError::HeadMoved { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(test.git(&["rev-list", "--count", "main"]).trim(), (2 * EACH).to_string());
    assert_eq!((test.text("1/a").unwrap(), test.text("1/b").unwrap()), ("24".to_owned(), "24".to_owned()));
    test.fsck();
}

#[test]
fn there_is_one_writer_at_a_time_also_through_another_handle() {
    let test = TestIndex::new();
    let other = Index::open_or_init(test.index.path()).unwrap();
    let writer = test.index.lock_writer().unwrap();
    assert!(other.try_lock_writer().unwrap().is_none());
    drop(writer);
    assert!(other.try_lock_writer().unwrap().is_some());
}

#[test]
fn a_stale_lock_of_the_branch_blocks_until_it_is_cleaned() {
    let test = TestIndex::new();
    let head = test.commit(&[put("1/a", "one")]).head;
    let lock = test.index.path().join("refs/heads/main.lock");
    fs::write(&lock, "").unwrap();
    let writer = test.index.lock_writer().unwrap();
    let error = writer.commit(&head, &[put("1/a", "two")]).unwrap_err();
    assert!(matches!(&error, IndexError::BranchLocked { path, .. } if *path == lock), "{error}");
    assert!(error.is_outage());
    assert_eq!(test.index.head().unwrap(), head);

    assert_eq!(writer.clean_leftovers().unwrap(), [lock]);
    writer.commit(&head, &[put("1/a", "two")]).unwrap();
    assert_eq!(test.text("1/a").unwrap(), "two");
}

#[test]
fn every_kind_of_leftover_is_removed_and_nothing_else() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    let leftovers = [
        "HEAD.lock",
        "config.lock",
        "objects/aa/tmp_obj_x",
        "objects/pack/.tmp-1-pack-x.pack",
        "objects/pack/pack-00.idx",
        "objects/pack/pack-11.idx.lock",
        "objects/pack/pack_git2_aBcDeF",
        "objects/pack/tmp_pack_x",
        "objects/pack/tmp_supercargo_x",
        "objects/tmp_object_git2_x",
        "packed-refs.lock",
        "packed-refs.new",
        "refs/heads/main.lock",
        "supercargo-head-x",
    ];
    fs::create_dir(test.index.path().join("objects/aa")).unwrap();
    for leftover in leftovers {
        fs::write(test.index.path().join(leftover), "").unwrap();
    }
    let writer = test.index.lock_writer().unwrap();
    let mut removed: Vec<String> = writer
        .clean_leftovers()
        .unwrap()
        .iter()
        .map(|path| path.strip_prefix(test.index.path()).unwrap().to_str().unwrap().to_owned())
        .collect();
    removed.sort();
    assert_eq!(removed, leftovers);
    assert!(writer.clean_leftovers().unwrap().is_empty());
    test.fsck();
}

/// The queue recognises an outage by the text of its error.
#[test]
fn a_directory_that_cannot_be_written_is_reported_in_the_same_words_each_time() {
    let test = TestIndex::new();
    test.commit(&[put("fo/oo/fooo", "1\n")]);
    let packs = test.index.path().join("objects/pack");
    std::fs::rename(&packs, packs.with_extension("away")).unwrap();
    std::fs::write(&packs, "").unwrap();
    let failed = || {
        let writer = test.index.lock_writer().unwrap();
        let error = writer.commit(&test.index.head().unwrap(), &[put("fo/oo/fooo", "2\n")]).unwrap_err();
        crate::error_chain::ErrorChain::of(&error).to_string()
    };
    let first = failed();
    assert_eq!(failed(), first);
    assert!(first.contains("Not a directory"), "{first}");
}
