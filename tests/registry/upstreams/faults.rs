//! An upstream whose answers are wrong, or that does not answer: the kept file is served, and nothing is called absent.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{FOO, NEVER_FRESH, OLD, asked_again, download, index, through};
use crate::support::event::wait_until;
use crate::support::faulty_upstream::Behaviour;
use crate::support::http::Reply;
use crate::support::package::Package;

/// A short body that is longer than any index file when it is decoded.
fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..65 {
        encoder.write_all(&vec![b'\n'; 1024 * 1024]).unwrap();
    }
    encoder.finish().unwrap()
}

/// Wrong answers to a request for a path, and what the refusal says of them.
fn faults(path: &str) -> Vec<(Behaviour, &'static str)> {
    let other = format!("{{\"name\":\"zzz\",\"vers\":\"1.0.0\",\"cksum\":\"{}\"}}\n", "0".repeat(64));
    let gzip = |body: &[u8]| Behaviour::File(vec![("content-encoding", "gzip".to_owned())], body.to_vec());
    vec![
        (Behaviour::status(500), "answered 500"),
        (Behaviour::status(403), "answered 403"),
        (Behaviour::status(503), "answered 503"),
        (Behaviour::status(429), "answered 429"),
        (Behaviour::Cut(10, other.clone().into_bytes()), "cannot reach"),
        (Behaviour::file("<!DOCTYPE html>\n<title>Sign in</title>\n"), "line 1 is no line of an index"),
        (Behaviour::file(other), "whose file has another path"),
        (Behaviour::redirect(path), "it redirects too often"),
        (Behaviour::status(304), "304"),
        (gzip(&bomb()), "larger than"),
        (gzip(b"no gzip"), "cannot be decoded"),
        (Behaviour::File(vec![("content-encoding", "rot13".to_owned())], Vec::new()), "rot13"),
    ]
}

fn is_unavailable(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.retry_after.is_some());
    assert_eq!(reply.header("cache-control"), "no-store");
}

#[test]
fn without_a_kept_file_a_fault_is_a_503_that_says_why_and_no_404() {
    let (upstream, served) = through(&NEVER_FRESH);
    for number in 0..faults("").len() {
        let path = format!("fa/ul/fault{number}");
        let at_upstream = format!("/index/{path}");
        let (fault, said) = faults(&at_upstream).swap_remove(number);
        upstream.set(&at_upstream, fault);
        let reply = asked_again(&upstream, &served, &path, is_unavailable);
        assert!(reply.text().contains("the upstream other does not answer"), "{}", reply.text());
        assert!(reply.text().contains(said), "{said}: {}", reply.text());
        // A good answer in between, because failures in a row lead to pauses.
        asked_again(&upstream, &served, "3/f/foo", |reply| assert_eq!(reply.status, 200));
        let file = download(&served, &format!("fault{number}"), "1.0.0");
        is_unavailable(&file);
        asked_again(&upstream, &served, "3/f/foo", |reply| assert_eq!(reply.status, 200));
    }
}

#[test]
fn a_kept_file_is_served_whatever_the_upstream_answers() {
    let (upstream, served) = through(&NEVER_FRESH);
    let kept = index(&served, "3/f/foo").good();
    let is_kept = |reply: &Reply| assert_eq!((reply.status, reply.text()), (200, kept.text()));
    let mut faults = faults(FOO);
    // That a file has no lines any more is not believed. A 304 is what it should be here.
    faults.push((Behaviour::file(""), ""));
    for (number, (fault, _)) in faults.into_iter().enumerate() {
        upstream.set(FOO, fault);
        is_kept(&asked_again(&upstream, &served, "3/f/foo", is_kept));
        // The same file with another tag: it is asked for again, after a pause.
        upstream.set(FOO, Behaviour::tagged(&format!("\"{number}\""), kept.body.clone()));
        asked_again(&upstream, &served, "3/f/foo", is_kept);
    }
    upstream.add(&Package::new("foo", "1.1.0"), OLD);
    wait_until("the changed file", || index(&served, "3/f/foo").good().text().contains("1.1.0"));
}

#[test]
fn a_client_waits_seconds_for_a_silent_upstream_and_then_gets_the_kept_file() {
    let (upstream, served) = through(&NEVER_FRESH);
    let kept = index(&served, "3/f/foo").good();
    upstream.set(FOO, Behaviour::Stall);
    wait_until("the upstream to be asked", || {
        let begin = Instant::now();
        assert_eq!(index(&served, "3/f/foo").good().body, kept.body);
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(15), "{took:?}");
        upstream.count(FOO) > 1
    });
    assert_eq!(upstream.count(FOO), 2);
    upstream.add(&Package::new("foo", "1.1.0"), OLD);
    // The path stalls no longer, and its file has lost the former line.
    wait_until("the changed file", || index(&served, "3/f/foo").good().text().contains("1.1.0"));
}

#[test]
fn a_file_that_only_the_disk_has_is_served_while_the_upstream_is_silent() {
    let (upstream, mut served) = through(&NEVER_FRESH);
    upstream.add(&Package::new("bar", "1.0.0"), OLD);
    let kept = index(&served, "3/b/bar").good();
    index(&served, "3/f/foo").good();
    served.kill();
    for path in [FOO, "/index/3/b/bar"] {
        upstream.set(path, Behaviour::Stall);
    }
    served.start_again();
    index(&served, "3/f/foo").good();
    let begin = Instant::now();
    assert_eq!(index(&served, "3/b/bar").good().body, kept.body);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn an_upstream_that_asks_for_a_pause_gets_it() {
    for status in [429, 503] {
        let (upstream, served) = through(&NEVER_FRESH);
        let kept = index(&served, "3/f/foo").good();
        upstream.set(FOO, Behaviour::Status(status, vec![("retry-after", "3600".to_owned())]));
        asked_again(&upstream, &served, "3/f/foo", |reply| assert_eq!(reply.body, kept.body));
        let before = upstream.log().len();
        for _ in 0..20 {
            assert_eq!(index(&served, "3/f/foo").good().body, kept.body);
        }
        let other = index(&served, "3/b/bar");
        is_unavailable(&other);
        assert!(other.text().contains(&format!("answered {status}")), "{}", other.text());
        is_unavailable(&download(&served, "foo", "1.0.0"));
        assert_eq!(upstream.log().len(), before);
    }
}

#[test]
fn an_upstream_is_asked_again_after_the_pause() {
    let (upstream, served) = through(&NEVER_FRESH);
    let kept = index(&served, "3/f/foo").good();
    upstream.set(FOO, Behaviour::Status(429, vec![("retry-after", "2".to_owned())]));
    let begin = Instant::now();
    asked_again(&upstream, &served, "3/f/foo", |_| {});
    upstream.set(FOO, Behaviour::file(kept.body.clone()));
    asked_again(&upstream, &served, "3/f/foo", |reply| assert_eq!(reply.body, kept.body));
    assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[test]
fn an_upstream_that_fails_again_and_again_is_asked_less_and_less() {
    let (upstream, served) = through(&NEVER_FRESH);
    let kept = index(&served, "3/f/foo").good();
    upstream.set(FOO, Behaviour::status(500));
    let begin = Instant::now();
    for _ in 0..2 {
        asked_again(&upstream, &served, "3/f/foo", |reply| assert_eq!(reply.body, kept.body));
    }
    for _ in 0..20 {
        assert_eq!(index(&served, "3/f/foo").good().body, kept.body);
    }
    if begin.elapsed() < Duration::from_secs(1) {
        assert_eq!(upstream.count(FOO), 3);
    }
    asked_again(&upstream, &served, "3/f/foo", |_| {});
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[test]
fn a_closed_port_takes_away_nothing_that_is_kept() {
    let (mut upstream, served) = through(&NEVER_FRESH);
    let kept = (index(&served, "3/f/foo").good().body, download(&served, "foo", "1.0.0").good().body);
    upstream.stop();
    for _ in 0..3 {
        assert_eq!((index(&served, "3/f/foo").good().body, download(&served, "foo", "1.0.0").good().body), kept);
        is_unavailable(&index(&served, "3/b/bar"));
        is_unavailable(&download(&served, "bar", "1.0.0"));
    }
}

#[test]
fn a_kept_file_is_served_only_as_long_as_the_operator_allows() {
    let (mut upstream, served) = through(&["--upstream-fresh", "10ms", "--upstream-stale", "2s"]);
    index(&served, "3/f/foo").good();
    let begin = Instant::now();
    upstream.stop();
    wait_until("the file to be too old", || index(&served, "3/f/foo").status != 200);
    is_unavailable(&index(&served, "3/f/foo"));
    assert!(begin.elapsed() >= Duration::from_millis(1500), "{:?}", begin.elapsed());
}
