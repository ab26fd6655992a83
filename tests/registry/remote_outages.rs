//! A remote that hangs, breaks off, is away: nothing is lost, nothing is done twice, and everything drains by itself.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use diesel::RunQueryDsl;
use nix::sys::signal::Signal;

use crate::support::event::wait_until;
use crate::support::git_http::{GitServer, Mood};
use crate::support::git_remote::{Bare, options};
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

#[test]
fn a_push_that_landed_unheard_is_found_and_not_made_twice() {
    let remote = Bare::new();
    let server = GitServer::start(&remote, None);
    let registry = TestRegistry::mirroring(options(server.url()));
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    server.set(Mood::BreaksOffOnce);
    ann.publish(&Package::new("foo", "1.1.0")).good();
    let drained = registry.drain();
    assert_eq!((drained.done.len(), drained.failed.len()), (0, 1));
    remote.assert_versions("3/f/foo", &["1.0.0", "1.1.0"]);
    // What nobody confirmed is not shown.
    assert!(!registry.index_file("3/f/foo").contains("1.1.0"));
    registry.make_due();
    registry.run_jobs();
    remote.assert_versions("3/f/foo", &["1.0.0", "1.1.0"]);
    assert!(registry.index_file("3/f/foo").contains("1.1.0"));
    assert_eq!(remote.log().iter().filter(|subject| *subject == "Publish foo 1.1.0").count(), 1);
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn a_remote_that_hangs_is_given_up_and_costs_no_attempt() {
        let remote = Bare::new();
        let server = GitServer::start(&remote, None);
        let mut impatient = options(server.url());
        impatient.limit = Duration::from_secs(4);
        let registry = TestRegistry::mirroring(impatient);
        server.set(Mood::Hanging);
        registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
        let drained = registry.drain();
        assert!(drained.failed[0].1.contains("took longer than 4s and was stopped"), "{:?}", drained.failed);
        let contact = registry.index.remote().unwrap().contact();
        assert!(contact.failed.unwrap().1.contains("longer than 4s"));
        // A failure that is everybody's waits for a success, not for its own turn.
        let shared = "SELECT 1 FROM jobs WHERE awaits_recovery AND attempts = 0";
        let told = registry.pool.with(|connection| diesel::sql_query(shared).execute(connection).unwrap()).unwrap();
        assert_eq!(told, 1);
        server.set(Mood::Good);
        registry.make_due();
        registry.run_jobs();
        remote.assert_versions("3/f/foo", &["1.0.0"]);
        assert!(registry.index.remote().unwrap().contact().failed.is_none());
    }

    #[test]
    fn publishes_are_accepted_during_an_outage_and_drain_at_once_after_it() {
        let remote = Bare::new();
        let server = GitServer::start(&remote, None);
        let mut served = Served::start(&["--index-remote", server.url(), "--publish-wait", "0s"]);
        let token = served.token("ann");
        wait_until("config.json to be there", || !remote.file("config.json").is_empty());
        server.set(Mood::Away);
        for n in 0..10 {
            let reply = http::publish(&served.url, &token, &Package::new(&format!("foo{n}"), "1.0.0")).good();
            assert!(reply.advice()[0].contains("queued"), "{:?}", reply.advice());
        }
        // Readers have what there was.
        http::get(&format!("{}/index/config.json", served.url)).good();
        let mut connection = served.database.connect();
        let failed = "SELECT 1 FROM jobs WHERE last_error LIKE '%the index''s remote%'";
        wait_until("a job to have failed", || diesel::sql_query(failed).execute(&mut connection).unwrap() > 0);
        server.set(Mood::Good);
        wait_until("everything to be pushed", || (0..10).all(|n| !remote.file(&format!("fo/o{n}/foo{n}")).is_empty()));
        let attempts = "SELECT 1 FROM jobs WHERE attempts > 3";
        assert_eq!(diesel::sql_query(attempts).execute(&mut connection).unwrap(), 0);
        served.stop();
    }

    /// Each of them between the claim and the end of the job.
    #[test]
    fn a_worker_killed_anywhere_adds_no_second_line_and_loses_none() {
        const POINTS: [&str; 9] = [
            "job.desired_read",
            "index.pack",
            "index.before_push",
            "index.pushed",
            "index.ref",
            "job.remote_written",
            "job.crates_locked",
            "job.effective_noted",
            "queue.recorded",
        ];
        let remote = Bare::new();
        let url = remote.url();
        let mut served = Served::start(&["--no-worker", "--index-remote", &url, "--publish-wait", "0s"]);
        let token = served.token("ann");
        wait_until("config.json to be there", || !remote.file("config.json").is_empty());
        let mut connection = served.database.connect();
        let mut published = Vec::new();
        for (number, point) in POINTS.iter().enumerate() {
            published.push(format!("1.{number}.0"));
            http::publish(&served.url, &token, &Package::new("foo", &published[number])).good();
            let armed = format!("{point}=abort");
            let mut killed = served.command("worker");
            killed.args(["--index-remote", &url]).env("SUPERCARGO_FAIL_POINTS", armed).stdout(Stdio::null());
            let status = killed.stderr(Stdio::null()).status().unwrap();
            assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{point}");
            // Its claim would come due when the gap is over.
            diesel::sql_query("UPDATE jobs SET run_at = clock_timestamp()").execute(&mut connection).unwrap();
            let mut worker =
                served.command("worker").args(["--index-remote", &url]).stdout(Stdio::null()).spawn().unwrap();
            let left = "SELECT 1 FROM jobs WHERE queue = 'index'";
            wait_until("the job to be done", || diesel::sql_query(left).execute(&mut connection).unwrap() == 0);
            worker.kill().unwrap();
            worker.wait().unwrap();
            let published: Vec<_> = published.iter().map(String::as_str).collect();
            remote.assert_versions("3/f/foo", &published);
            wait_until("this mirror to follow", || http::index_lines(&served.url, "3/f/foo").len() == published.len());
        }
        let unpublished = "SELECT 1 FROM versions WHERE state <> 'published' OR effective_yanked";
        assert_eq!(diesel::sql_query(unpublished).execute(&mut connection).unwrap(), 0);
        let publishes = remote.log().iter().filter(|subject| subject.starts_with("Publish")).count();
        assert_eq!(publishes, POINTS.len(), "{:?}", remote.log());
        served.stop();
    }

    #[test]
    fn a_fresh_machine_accepts_publishes_while_it_fetches_the_index() {
        let remote = Bare::new();
        remote.commit(
            "3/b/bar",
            "{\"name\":\"bar\",\"vers\":\"1.0.0\",\"deps\":[],\"cksum\":\"\",\"features\":{},\"yanked\":false}\n",
        );
        let server = GitServer::start(&remote, None);
        server.set(Mood::Hanging);
        let served = Served::start(&["--index-remote", server.url(), "--publish-wait", "0s"]);
        let token = served.token("ann");
        http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        for path in ["index/3/b/bar", "index/config.json", "git/index/info/refs?service=git-upload-pack"] {
            let mut refused = agent.get(format!("{}/{path}", served.url)).call().unwrap();
            assert_eq!(refused.status(), 503, "{path}");
            assert!(refused.headers().contains_key("retry-after"), "{path}");
            let told = refused.body_mut().read_to_string().unwrap();
            assert!(told.contains("being fetched from its remote"), "{told}");
        }
        server.set(Mood::Good);
        wait_until("the publish to be pushed", || remote.file("3/f/foo").contains("1.0.0"));
        let shown = |path: &str| http::get(&format!("{}/index/{path}", served.url)).status == 200;
        wait_until("everything to be shown", || shown("3/b/bar") && shown("3/f/foo") && shown("config.json"));
    }

    #[test]
    fn a_remote_that_is_away_at_the_start_leaves_the_mirror_in_service() {
        let remote = Bare::new();
        let server = GitServer::start(&remote, None);
        let mut served = Served::start(&["--index-remote", server.url()]);
        let token = served.token("ann");
        http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
        served.stop();
        server.set(Mood::Away);
        served.start_again();
        assert_eq!(http::index_lines(&served.url, "3/f/foo").len(), 1);
        // Started on another port: config.json is brought up to date when the remote is back.
        server.set(Mood::Good);
        wait_until("config.json to name the new address", || remote.file("config.json").contains(&served.url));
    }
}
