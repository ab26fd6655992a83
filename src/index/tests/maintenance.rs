use std::fs;
use std::time::{Duration, Instant};

use super::*;
use crate::index::IndexError;

#[test]
fn packs_are_merged_when_there_are_too_many_and_nothing_is_lost() {
    let test = TestIndex::new();
    for n in 0..50 {
        test.commit(&[put("1/a", &n.to_string())]);
    }
    let writer = test.index.lock_writer().unwrap();
    assert!(!writer.maintain().unwrap().repacked, "50 packs are left alone");
    drop(writer);
    test.commit(&[put("1/a", "last")]);
    let writer = test.index.lock_writer().unwrap();
    let done = writer.maintain().unwrap();
    assert!(done.repacked);
    assert_eq!(done.packs_before, 51);
    assert!(done.packs_after < 10, "{done:?}");
    assert_eq!(done.packs_after, test.packs());
    assert!(!writer.maintain().unwrap().repacked);
    assert_eq!(test.text("1/a").unwrap(), "last");
    assert_eq!(test.git(&["rev-list", "--count", "main"]), "51\n");
    test.fsck();
}

#[test]
fn an_idle_handle_that_knew_only_the_old_packs_still_reads() {
    let test = TestIndex::new();
    let first = test.commit(&[put("1/a", "one")]).head;
    test.commit(&[put("1/a", "two"), put("ab/cd/abcd", "x")]);
    let other = Index::open_or_init(test.index.path()).unwrap();
    // Lists both packs and opens one of them.
    assert_eq!(other.read(&first, "1/a").unwrap().unwrap().content, "one");
    test.commit(&[put("1/a", "three")]);
    test.index.lock_writer().unwrap().consolidate().unwrap();
    assert_eq!(test.packs(), 1);
    assert_eq!(text(&other, "ab/cd/abcd").unwrap(), "x");
    assert_eq!(text(&other, "1/a").unwrap(), "three");
    assert_eq!(other.read(&first, "1/a").unwrap().unwrap().content, "one");
}

#[test]
fn loose_objects_of_another_git_are_packed() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    for n in 0..101 {
        let file = test.directory.path().join("object");
        fs::write(&file, n.to_string()).unwrap();
        test.git(&["hash-object", "-w", file.to_str().unwrap()]);
    }
    let done = test.index.lock_writer().unwrap().maintain().unwrap();
    assert_eq!((done.repacked, done.loose_before), (true, 101));
    insta::assert_snapshot!(test.git(&["count-objects"]), @"0 objects, 0 kilobytes");
    test.fsck();
}

#[test]
fn a_failing_git_is_quoted() {
    let test = TestIndex::new();
    let lock = tempfile::tempfile().unwrap();
    let error = test
        .index
        .git()
        .run(test.index.path(), &["cat-file", "-e", "main"], &lock, Duration::from_secs(60))
        .unwrap_err();
    let IndexError::GitFailed { stderr, status, .. } = error else { panic!("{error}") };
    assert_eq!(status, "exit status: 128");
    assert_eq!(stderr, "fatal: Not a valid object name main");
}

#[test]
fn a_git_that_takes_too_long_is_stopped_with_its_children_and_lets_go_of_the_lock() {
    let test = TestIndex::new();
    let path = test.directory.path().join("lock");
    let lock = fs::File::create(&path).unwrap();
    lock.lock().unwrap();
    // An alias that makes git run the shell, which waits for a child: each of them holds the lock by its input.
    let arguments = ["-c", "alias.wait=!sleep 20; true", "wait"];
    let start = Instant::now();
    let error = test.index.git().run(test.index.path(), &arguments, &lock, Duration::from_millis(300)).unwrap_err();
    assert!(matches!(error, IndexError::GitTimedOut { .. }), "{error}");
    drop(lock);
    fs::File::open(&path).unwrap().lock().unwrap();
    assert!(start.elapsed() < Duration::from_secs(15), "the child is still there");
}

#[test]
fn a_git_that_outlives_its_writer_keeps_the_lock_until_it_ends() {
    let test = TestIndex::new();
    let path = test.directory.path().join("lock");
    let lock = fs::File::create(&path).unwrap();
    lock.lock().unwrap();
    // A child of git that goes on in the background; a shell takes its first input away, so it keeps another.
    let pipe = test.directory.path().join("wake");
    let alias = format!("alias.wait=!exec 3<&0; (read line < {}) &", pipe.display());
    let arguments = ["-c", alias.as_str(), "wait"];
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    test.index.git().run(test.index.path(), &arguments, &lock, Duration::from_secs(60)).unwrap();
    drop(lock);
    let other = fs::File::open(&path).unwrap();
    assert!(other.try_lock().is_err(), "the child has it");
    fs::write(&pipe, "go\n").unwrap();
    other.lock().unwrap();
}

#[test]
fn a_missing_git_program_is_named() {
    let test = TestIndex::new();
    let git = GitProgram { executable: "no-such-git".into(), ..GitProgram::default() };
    let index = Index::open_or_init_with(test.index.path(), git).unwrap();
    let error = index.lock_writer().unwrap().consolidate().unwrap_err();
    assert_eq!(error.to_string(), "can't run no-such-git: install git (Debian: apt-get install git)");
}
