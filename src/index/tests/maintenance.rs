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

/// Commits to a handful of crates, with contents and trees that come back.
fn many_commits(test: &TestIndex, count: usize) {
    for n in 0..count {
        let path = ["1/a", "ab/cd/abcd", "ab/cd/abce", "ab/ce/abce", "3/f/foo"][n % 5];
        let again = format!("{}", (n / 5) % 3);
        test.commit(&[put(path, &again.repeat(2000)), put(&format!("ma/ny/many{n}"), "x"), remove("ma/ny/many1")]);
    }
}

fn log(test: &TestIndex) -> String {
    test.git(&["log", "--format=%H %T %s", "--raw", "--no-abbrev"])
}

/// The most deltas that lead to an object.
fn longest_chain(test: &TestIndex) -> usize {
    let packs = fs::read_dir(test.index.path().join("objects/pack")).unwrap().map(|file| file.unwrap().path());
    let chains = packs.filter(|file| file.extension().is_some_and(|end| end == "idx")).flat_map(|pack| {
        let about = test.git(&["verify-pack", "-v", pack.to_str().unwrap()]);
        let lengths = about.lines().filter_map(|line| line.strip_prefix("chain length = ")?.split_once(':'));
        lengths.map(|(length, _)| length.parse().unwrap()).collect::<Vec<usize>>()
    });
    chains.max().unwrap_or(0)
}

#[test]
fn chains_of_deltas_do_not_grow_with_merges() {
    let test = TestIndex::new();
    test.commit(&(0..300).map(|n| put(&format!("{:02}/cd/{n:03}", n % 100), "x")).collect::<Vec<_>>());
    for merge in 0..2 {
        for n in 0..55 {
            // Each batch is a chain of its own, which continues that of the batch before.
            let batch = (0..20).map(|change| put(&format!("{change:02}/cd/more"), &format!("{merge} {n} {change}")));
            test.commit(&batch.collect::<Vec<_>>());
        }
        let (before, size) = (log(&test), test.size_of_packs());
        assert!(test.index.lock_maintenance().unwrap().maintain().unwrap().repacked);
        assert_eq!(test.packs(), 1);
        assert!((40..=50).contains(&longest_chain(&test)), "{}", longest_chain(&test));
        assert!(test.size_of_packs() < size, "{} of {size}", test.size_of_packs());
        assert_eq!(log(&test), before);
        test.fsck();
    }
}

#[test]
fn merged_packs_have_the_same_objects_with_short_chains_of_deltas() {
    let test = TestIndex::new();
    many_commits(&test, 45);
    // A pack of git, whose deltas are of all kinds.
    test.repack_all();
    test.git(&["-c", "user.name=x", "-c", "user.email=x@localhost", "tag", "-a", "-m", "annotated", "tagged", "main"]);
    test.git(&["repack", "-d", "-q"]);
    many_commits(&test, 60);
    let (before, size) = (log(&test), test.size_of_packs());
    let done = test.index.lock_maintenance().unwrap().maintain().unwrap();
    assert!(done.repacked && done.packs_after <= 3, "{done:?}");
    assert_eq!(log(&test), before);
    assert_eq!(test.git(&["cat-file", "-t", "tagged"]), "tag\n");
    test.fsck();
    assert!(test.size_of_packs() * 2 < size, "{} of {size}", test.size_of_packs());
    assert!((1..=50).contains(&longest_chain(&test)), "{}", longest_chain(&test));
    // Another reader, and a client.
    assert_eq!(Index::open_or_init(test.index.path()).unwrap().on_disk().head().unwrap(), test.index.head().unwrap());
    let clone = test.directory.path().join("clone");
    test.git(&["clone", "-q", "--no-local", ".", clone.to_str().unwrap()]);
    assert!(fs::read_to_string(clone.join("ma/ny/many59")).is_ok());
}

#[test]
fn a_merge_makes_the_trees_of_a_commit_deltas_of_its_parents() {
    let test = TestIndex::new();
    let crates: Vec<_> = (0..500).map(|n| put(&format!("{:02}/cd/{n:03}", n % 100), "x")).collect();
    test.commit(&crates);
    let base = test.size_of_packs();
    let mut lines = String::new();
    for n in 0..50 {
        // A line of random digits, so that nothing is saved by compression.
        lines += &format!("{:032x}\n", rand::random::<u128>()).repeat(3);
        test.commit(&[put(&format!("{n:02}/cd/more"), "y"), put("4/f/four", &lines)]);
    }
    // Each commit has a root of 3,100 bytes.
    let added = test.size_of_packs() - base;
    assert!(added > 50 * 3100, "{added}");
    test.index.lock_maintenance().unwrap().maintain().unwrap();
    assert_eq!(test.packs(), 1);
    assert!(test.size_of_packs() - base < added / 3, "{} of {added}", test.size_of_packs() - base);
    test.fsck();
}

/// A fetch leaves deltas of bases that are named by their ids, and appends those bases. So one fetch may bring a file as a
/// delta of another, and the next one the other as a delta of the first.
#[test]
fn packs_of_fetches_are_merged_without_circles_of_deltas() {
    let (from, test) = (TestIndex::new(), TestIndex::new());
    let lines: String = (0..60).map(|_| format!("{:032x}\n", rand::random::<u128>())).collect();
    let states = ["false", "true"].map(|yanked| format!("{lines}{yanked}\n"));
    let source = from.index.path().to_str().unwrap();
    let packs = test.index.path().join("objects/pack");
    for (round, state) in [0, 1, 0].into_iter().enumerate() {
        from.commit(&[put("ab/cd/abcd", &states[state])]);
        test.git(&["-c", "fetch.unpackLimit=1", "fetch", "-q", source, "+main:main"]);
        if round == 0 {
            // As if it were too large to be merged.
            for file in fs::read_dir(&packs).unwrap().map(|file| file.unwrap().path()) {
                fs::write(file.with_extension("keep"), "").unwrap();
            }
        }
    }
    for n in 0..50 {
        test.commit(&[put("1/a", &n.to_string())]);
    }
    assert!(test.index.lock_maintenance().unwrap().maintain().unwrap().repacked);
    assert!(test.packs() < 10, "{}", test.packs());
    test.fsck();
    assert_eq!(test.text("ab/cd/abcd").unwrap(), states[0]);
    assert_eq!(test.git(&["show", "main~51:ab/cd/abcd"]), states[1]);
}

/// Changes a bit in the middle of an object in one of its packs.
fn damage(test: &TestIndex, id: &str) {
    for index in fs::read_dir(test.index.path().join("objects/pack")).unwrap().map(|file| file.unwrap().path()) {
        if index.extension().is_none_or(|end| end != "idx") {
            continue;
        }
        // Its type, size, bytes in the pack and place.
        let about = test.git(&["verify-pack", "-v", index.to_str().unwrap()]);
        let Some(line) = about.lines().find(|line| line.starts_with(id)) else { continue };
        let numbers: Vec<usize> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let pack = index.with_extension("pack");
        let mut content = fs::read(&pack).unwrap();
        content[numbers[2] + numbers[1] / 2] ^= 1;
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, content).unwrap();
        return;
    }
    panic!("no pack has {id}");
}

#[test]
fn a_damaged_pack_is_not_merged_and_nothing_is_removed() {
    let test = TestIndex::new();
    many_commits(&test, 51);
    damage(&test, test.git(&["rev-parse", "main~25"]).trim());
    let error = test.index.lock_maintenance().unwrap().maintain().unwrap_err();
    assert!(matches!(error, IndexError::GitFailed { .. }), "{error}");
    assert_eq!(test.packs(), 51);
}

#[test]
fn a_damaged_object_that_another_pack_has_is_mended_by_a_merge() {
    let test = TestIndex::new();
    many_commits(&test, 51);
    let blob = test.git(&["rev-parse", "main:1/a"]);
    let copies = || {
        let packs = fs::read_dir(test.index.path().join("objects/pack")).unwrap().map(|file| file.unwrap().path());
        let indexes = packs.filter(|file| file.extension().is_some_and(|end| end == "idx"));
        indexes.filter(|index| test.git(&["verify-pack", "-v", index.to_str().unwrap()]).contains(blob.trim())).count()
    };
    assert!(copies() > 1, "{}", copies());
    damage(&test, blob.trim());
    assert!(test.index.lock_maintenance().unwrap().maintain().unwrap().repacked);
    assert_eq!(test.packs(), 1);
    test.fsck();
}

#[test]
fn a_pack_that_is_kept_is_left_alone() {
    let test = TestIndex::new();
    many_commits(&test, 51);
    let packs = test.index.path().join("objects/pack");
    let names: Vec<_> = fs::read_dir(&packs).unwrap().map(|file| file.unwrap().path()).collect();
    let kept = names.iter().find(|file| file.extension().is_some_and(|end| end == "pack")).unwrap();
    fs::write(kept.with_extension("keep"), "").unwrap();
    assert!(test.index.lock_maintenance().unwrap().maintain().unwrap().repacked);
    assert!(kept.exists());
    assert_eq!(test.packs(), 2);
    test.fsck();
}

#[test]
fn the_disk_is_read_and_not_the_memory_where_that_is_asked_for() {
    let test = TestIndex::new();
    let head = test.commit(&[put("1/a", "one")]).head;
    for file in fs::read_dir(test.index.path().join("objects/pack")).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    assert_eq!(test.index.read(&head, "1/a").unwrap().unwrap().content, "one");
    assert!(test.index.on_disk().read(&head, "1/a").is_err());
    assert!(test.index.on_disk().find(&head, "1/a").is_err());
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
                maintainer.maintain().unwrap();
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
