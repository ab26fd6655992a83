//! The limits of time that take longer than a test usually may.

use std::time::{Duration, Instant};

use super::{ALWAYS_FRESH, OLD, index, through};
use crate::support::event::wait_until;
use crate::support::faulty_upstream::Behaviour;
use crate::support::package::Package;

#[test]
fn an_absent_file_is_asked_for_again_after_seconds() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    assert_eq!(index(&served, "3/b/bar").status, 404);
    upstream.add(&Package::new("bar", "1.0.0"), OLD);
    wait_until("the file", || index(&served, "3/b/bar").status == 200);
    assert_eq!(upstream.count("/index/3/b/bar"), 2);
}

#[test]
fn a_silent_upstream_is_a_503_before_cargo_gives_up() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    upstream.set("/index/3/b/bar", Behaviour::Stall);
    let begin = Instant::now();
    let reply = index(&served, "3/b/bar");
    assert_eq!((reply.status, reply.retry_after.is_some()), (503, true), "{}", reply.text());
    assert!(begin.elapsed() < Duration::from_secs(29), "{:?}", begin.elapsed());
}
