//! Several machines with one registry: each has a mirror of its own, and they follow.

use std::time::Instant;

use crate::support::event::wait_until;
use crate::support::git_remote::Bare;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

#[test]
fn what_one_machine_accepts_and_another_writes_is_shown_where_it_was_accepted_when_it_is_answered() {
    let remote = Bare::new();
    let arguments = ["--index-remote", &remote.url(), "--index-poll-interval", "1h", "--publish-wait", "60s"];
    let mut served = Served::start(&arguments);
    let public = ["--public-url", &served.url.clone(), "--no-worker"];
    let other = served.start_elsewhere("other", &[&arguments[..], &public[..]].concat());
    let token = served.token("ann");
    for n in 0..5 {
        let name = format!("foo{n}");
        let path = format!("fo/o{n}/{name}");
        assert_eq!(http::publish(&other, &token, &Package::new(&name, "1.0.0")).good().advice(), [""; 0]);
        assert_eq!(http::index_lines(&other, &path).len(), 1);
        assert_eq!(http::index_lines(&served.url, &path).len(), 1);
    }
    // And the other way round, for which nobody waits there.
    http::publish(&served.url, &token, &Package::new("bar", "1.0.0")).good();
    wait_until("the other machine to follow", || http::index_lines(&other, "3/b/bar").len() == 1);
}

#[test]
fn what_others_push_is_found_by_asking_and_a_squash_is_followed() {
    let remote = Bare::new();
    let served = Served::start(&["--index-remote", &remote.url(), "--index-poll-interval", "50ms"]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let line = remote.file("3/f/foo").replace("foo", "bar");
    remote.commit("3/b/bar", &line);
    wait_until("the mirror to follow", || http::index_lines(&served.url, "3/b/bar").len() == 1);
    remote.squash();
    remote.commit("3/b/baz", &line.replace("bar", "baz"));
    wait_until("the mirror to follow the squash", || http::index_lines(&served.url, "3/b/baz").len() == 1);
    http::publish(&served.url, &token, &Package::new("foo", "1.1.0")).good();
    assert_eq!(remote.log(), ["squashed", "by another hand", "Publish foo 1.1.0"]);
}

/// Prints how long publishes are not visible when the machine of the active worker is lost.
#[test]
#[ignore = "it measures: `cargo nextest run --profile full --run-ignored only --no-capture remote_followers::takeover`"]
fn takeover() {
    let remote = Bare::new();
    let arguments = ["--index-remote", &remote.url()];
    let mut served = Served::start(&["--index-remote", &remote.url(), "--no-worker", "--publish-wait", "60s"]);
    let token = served.token("ann");
    for name in ["one", "two"] {
        std::fs::create_dir_all(served.directory.path().join(name)).unwrap();
    }
    let mut times = Vec::new();
    for round in 0..5 {
        let start = |name: &str| {
            let data_dir = served.directory.path().join(format!("{name}-{round}"));
            std::fs::create_dir_all(&data_dir).unwrap();
            served.command_in(&data_dir, "worker").args(arguments).stdout(std::process::Stdio::null()).spawn().unwrap()
        };
        let mut active = start("one");
        http::publish(&served.url, &token, &Package::new(&format!("before{round}"), "1.0.0")).good();
        let mut standby = start("two");
        wait_until("the standby to have its mirror", || {
            let index = served.directory.path().join(format!("two-{round}/index.git"));
            index.is_dir()
                && crate::support::git_remote::git(&index)
                    .args(["rev-parse", "--quiet", "--verify", "main"])
                    .status()
                    .unwrap()
                    .success()
        });
        active.kill().unwrap();
        active.wait().unwrap();
        let begin = Instant::now();
        http::publish(&served.url, &token, &Package::new(&format!("after{round}"), "1.0.0")).good();
        times.push(begin.elapsed());
        standby.kill().unwrap();
        standby.wait().unwrap();
    }
    times.sort();
    println!("takeover after kill -9 of the active worker, to the next publish visible: {times:?}");
    served.stop();
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn a_lock_that_a_killed_follower_left_does_not_keep_the_mirror_from_following() {
        let remote = Bare::new();
        let served = Served::start(&["--index-remote", &remote.url(), "--index-poll-interval", "50ms", "--no-worker"]);
        wait_until("config.json to be there", || !remote.file("config.json").is_empty());
        let head = || {
            let mut git = crate::support::git_remote::git(&served.data_dir().join("index.git"));
            String::from_utf8(git.args(["rev-parse", "main"]).output().unwrap().stdout).unwrap().trim().to_owned()
        };
        // The branch's, which this program moves; and git's own, which it takes for a fetch.
        for lock in ["refs/heads/main.lock", "refs/supercargo/remote.lock"] {
            wait_until("the mirror to be up to date", || head() == remote.head());
            let lock = served.data_dir().join("index.git").join(lock);
            // The follower may have it itself at this moment.
            wait_until("the lock to be free", || std::fs::File::create_new(&lock).is_ok());
            remote.commit("README.md", &lock.display().to_string());
            wait_until("the mirror to follow", || head() == remote.head());
            assert!(!lock.exists());
        }
    }

    #[test]
    fn a_mirror_merges_the_packs_that_its_fetches_bring() {
        let remote = Bare::new();
        let served = Served::start(&["--index-remote", &remote.url(), "--index-poll-interval", "10ms", "--no-worker"]);
        let packs = || {
            let files = std::fs::read_dir(served.data_dir().join("index.git/objects/pack")).unwrap();
            files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "pack")).count()
        };
        wait_until("config.json to be there", || !remote.file("config.json").is_empty());
        let mut most = 0;
        for n in 0..55 {
            remote.commit("README.md", &n.to_string());
            let shown = || {
                let index = crate::support::git_remote::git(&served.data_dir().join("index.git"))
                    .args(["rev-parse", "main"])
                    .output()
                    .unwrap();
                String::from_utf8(index.stdout).unwrap().trim() == remote.head()
            };
            wait_until("the mirror to follow", shown);
            most = most.max(packs());
        }
        assert!(most > 20, "{most}");
        wait_until("the packs to be merged", || packs() < 20);
    }
}
