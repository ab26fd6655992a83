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
    assert!(!test.index.needs_maintenance().unwrap());
    assert!(!test.index.lock_maintenance().unwrap().maintain().unwrap().repacked, "50 packs are left alone");
    test.commit(&[put("1/a", "last")]);
    assert!(test.index.needs_maintenance().unwrap());
    let done = test.index.lock_maintenance().unwrap().maintain().unwrap();
    assert!(done.repacked);
    assert_eq!(done.packs_before, 51);
    assert!(done.packs_after < 10, "{done:?}");
    assert_eq!(done.packs_after, test.packs());
    assert!(!test.index.needs_maintenance().unwrap());
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
    test.repack_all();
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
    let done = test.index.lock_maintenance().unwrap().maintain().unwrap();
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
    // An alias that makes git run the shell, which waits for a child: each of them holds the lock as its input.
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
    // A child of git that continues in the background. A shell closes its standard input, so it keeps a copy.
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
    let lock = tempfile::tempfile().unwrap();
    let error = index.git().run(index.path(), &["repack"], &lock, Duration::from_secs(60)).unwrap_err();
    assert_eq!(error.to_string(), "cannot run no-such-git: install git (Debian: apt-get install git)");
}

/// Commits and repacks run side by side; a pack that a repack removed wrongly would show.
#[test]
fn a_repack_beside_the_writer_loses_nothing() {
    const COMMITS: usize = 250;
    let test = TestIndex::new();
    let written = std::sync::atomic::AtomicBool::new(false);
    let repacks = std::thread::scope(|scope| {
        let repacking = scope.spawn(|| {
            let mut repacks = 0;
            while !written.load(std::sync::atomic::Ordering::SeqCst) {
                let maintainer = test.index.lock_maintenance().unwrap();
                let arguments = ["repack", "-d", "-q", "--geometric=2"];
                test.index
                    .git()
                    .run(test.index.path(), &arguments, &fs::File::open("/dev/null").unwrap(), Duration::from_secs(60))
                    .unwrap();
                drop(maintainer);
                repacks += 1;
            }
            repacks
        });
        for n in 0..COMMITS {
            test.commit(&[put("1/a", &n.to_string()), put(&format!("ab/cd/abcd{n}"), "x")]);
        }
        written.store(true, std::sync::atomic::Ordering::SeqCst);
        repacking.join().unwrap()
    });
    assert!(repacks > 1, "{repacks}");
    assert_eq!(test.git(&["rev-list", "--count", "main"]), format!("{}\n", 2 * COMMITS));
    assert_eq!(test.text("1/a").unwrap(), (COMMITS - 1).to_string());
    test.fsck();
}

#[test]
fn what_a_repack_at_work_is_writing_is_not_taken_for_a_leftover() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    let growing = test.index.path().join("objects/pack/.tmp-123-pack-456.pack");
    fs::write(&growing, "half").unwrap();
    let repacking = test.index.lock_maintenance().unwrap();
    test.index.lock_writer().unwrap().clean_leftovers().unwrap();
    assert!(growing.exists());
    drop(repacking);
    test.index.lock_writer().unwrap().clean_leftovers().unwrap();
    assert!(!growing.exists());
}
