//! Other registries through this one (`--upstream`).

mod captured;
mod cargo;
mod cooldown;
mod crate_files;
mod faults;
mod hosts;
mod index;
mod outages;
mod places;
mod recalled;
mod restarts;
mod rules;
mod sharing;
mod slow;
mod verifying;

use std::process::Stdio;

use crate::support::event::{wait_for, wait_until};
use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::http::{self, Reply};
use crate::support::package::Package;
use crate::support::process::{Served, failed};

/// Before any cooldown.
const OLD: &str = "2024-01-01T00:00:00Z";
/// Asks again whenever a test asks, or never.
const ALWAYS_FRESH: [&str; 2] = ["--upstream-fresh", "1h"];
const NEVER_FRESH: [&str; 2] = ["--upstream-fresh", "10ms"];

/// The path of the file of `foo` at an upstream.
const FOO: &str = "/index/3/f/foo";

/// An upstream with `foo` 1.0.0, and a registry through which it is reached under the name `other`.
fn through(arguments: &[&str]) -> (FaultyUpstream, Served) {
    let upstream = FaultyUpstream::start();
    upstream.add(&Package::new("foo", "1.0.0"), OLD);
    let served = served(&upstream, arguments);
    (upstream, served)
}

fn served(upstream: &FaultyUpstream, arguments: &[&str]) -> Served {
    Served::start(&[&["--upstream", &format!("other={}", upstream.sparse())], arguments].concat())
}

/// Starts `serve` with arguments that it refuses; what it says.
fn refused(arguments: &[&str]) -> String {
    let served = Served::stopped();
    let mut command = served.command("serve");
    command.args(["--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let url = served.data_dir().join("url");
    wait_until("serve to end, or to serve", || child.try_wait().unwrap().is_some() || url.exists());
    let _ = child.kill();
    failed(child.wait_with_output().unwrap(), 1)
}

fn index_url(served: &Served, path: &str) -> String {
    format!("{}/upstream/other/index/{path}", served.url)
}

fn index(served: &Served, path: &str) -> Reply {
    http::get(&index_url(served, path))
}

fn download_url(served: &Served, name: &str, version: &str) -> String {
    format!("{}/upstream/other/api/v1/crates/{name}/{version}/download", served.url)
}

fn download(served: &Served, name: &str, version: &str) -> Reply {
    http::get(&download_url(served, name, version))
}

/// Asks for a file of the index until the upstream is asked for it again; the answer to that request. All answers before are
/// checked as well.
fn asked_again(upstream: &FaultyUpstream, served: &Served, path: &str, check: impl Fn(&Reply)) -> Reply {
    let at_upstream = format!("/index/{path}");
    let before = upstream.count(&at_upstream);
    wait_for("the upstream to be asked", || {
        let reply = index(served, path);
        check(&reply);
        (upstream.count(&at_upstream) > before).then_some(reply)
    })
}

/// Does the same in so many threads, and returns what they return.
fn at_once<T: Send>(count: usize, work: impl Fn() -> T + Sync, meanwhile: impl FnOnce()) -> Vec<T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(&work)).collect();
        meanwhile();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
