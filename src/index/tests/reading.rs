use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::index::{Coding, View};

const COMMITS: usize = 200;

#[test]
fn only_files_are_found() {
    let test = TestIndex::new();
    let head = test.commit(&[put("ab/cd/abcd", "x")]).head;
    for path in ["", "ab", "ab/cd", "ab/cd/", "ab/cd/abcd/", "ab/cd/abce", "/ab/cd/abcd", "ab//cd/abcd", "../index"] {
        assert_eq!(test.index.read(&head, path).unwrap(), None, "{path}");
        assert_eq!(test.index.find(&head, path).unwrap(), None, "{path}");
    }
    let file = test.index.read(&head, "ab/cd/abcd").unwrap().unwrap();
    assert_eq!(file.id.to_string(), test.git(&["rev-parse", "main:ab/cd/abcd"]).trim());
}

#[test]
fn what_is_read_with_a_head_is_of_that_head() {
    let test = TestIndex::new();
    let one = test.commit(&[put("1/a", "one")]).head;
    test.commit(&[put("1/a", "two"), put("1/b", "b")]);
    assert_eq!(test.index.read(&one, "1/a").unwrap().unwrap().content, "one");
    assert_eq!(test.index.read(&one, "1/b").unwrap(), None);
    assert_eq!(test.text("1/a").unwrap(), "two");
}

#[test]
fn a_read_that_fails_is_repeated_with_new_handles_before_it_is_an_error() {
    let test = TestIndex::new();
    let damaged = || git2::Error::from_str("object not found");
    let mut tries = 0;
    let value = test.index.with_handle("read", |_| {
        tries += 1;
        if tries < 3 { Err(damaged()) } else { Ok(tries) }
    });
    assert_eq!(value.unwrap(), 3);
    let error = test.index.with_handle("read", |_| Err::<(), _>(damaged())).unwrap_err();
    assert!(error.is_outage());
}

#[test]
fn a_view_follows_the_head_and_compresses_what_it_shows() {
    use std::io::Read;
    let test = TestIndex::new();
    let view = View::new(test.index.clone());
    assert_eq!(view.file("1/a").unwrap(), None);
    for content in ["one", "two", "one"] {
        test.commit(&[put("1/a", content)]);
        let file = view.file("1/a").unwrap().unwrap();
        assert_eq!(file.content, content);
        let mut text = String::new();
        let gzipped = view.coded("1/a", file.id, Coding::Gzip).unwrap();
        flate2::read::GzDecoder::new(&gzipped[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, content);
    }
}

/// Both files of a commit carry its number, so a reader that mixes two commits, or goes back, is seen.
#[test]
fn readers_see_whole_commits_in_order_while_commits_and_repacks_go_on() {
    let test = TestIndex::new();
    let number = |n: usize| [put("ab/cd/abcd", &n.to_string()), put("ef/gh/efgh", &n.to_string())];
    test.commit(&number(0));
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for own_handle in [false, false, true] {
            let (test, done, reads) = (&test, &done, &reads);
            scope.spawn(move || {
                let index =
                    if own_handle { Index::open_or_init(test.index.path()).unwrap() } else { test.index.clone() };
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let head = index.head().unwrap();
                    let read = |path| {
                        let file = index.read(&head, path).unwrap().expect("the file is in every commit");
                        String::from_utf8_lossy(&file.content).parse::<usize>().unwrap()
                    };
                    // The second file's commit comes after the first one's; only the batch's end is a head.
                    let (first, second) = (read("ab/cd/abcd"), read("ef/gh/efgh"));
                    assert_eq!(first, second);
                    assert!(first >= last, "{first} after {last}");
                    last = first;
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Readers must end also when the writer fails, or the test would hang instead of failing.
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _stop = Stop(&done);
        let mut repacks = 0;
        for n in 1..=COMMITS {
            test.commit(&number(n));
            repacks += usize::from(test.index.lock_maintenance().unwrap().maintain().unwrap().repacked);
            if n % 90 == 0 {
                test.repack_all();
            }
        }
        assert!(repacks >= 2, "{repacks}");
    });
    assert!(reads.load(Ordering::Relaxed) > COMMITS, "{reads:?}");
    assert_eq!(test.text("ab/cd/abcd").unwrap(), COMMITS.to_string());
    test.fsck();
}
