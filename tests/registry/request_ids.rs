//! A request's name follows what it asked for: into the job, its history, and the log of whoever performs it.

use std::fs::File;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::event::{wait_for, wait_until};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

/// A worker beside `served` that logs JSON into a file.
fn worker(served: &Served, fail_points: &str) -> (Child, std::path::PathBuf) {
    let log = served.directory.path().join("worker.log");
    let child = served
        .command("worker")
        .args(["--log", "info", "--log-format", "json"])
        .env("SUPERCARGO_FAIL_POINTS", fail_points)
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    (child, log)
}

/// The lines of a log with this message.
fn lines(log: &std::path::Path, message: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap();
    // What a fail point says is no JSON.
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["fields"]["message"] == message).collect()
}

fn json(served: &Served, subcommand: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&served.run(subcommand, &[arguments, &["--json"]].concat())).unwrap()
}

#[test]
fn a_yank_and_a_deletion_carry_their_requests_names_and_a_dead_job_keeps_it() {
    use diesel::connection::SimpleConnection;
    let served = Served::start(&["--no-worker", "--publish-wait", "0s"]);
    let token = served.token("ann");
    served.run("admin user promote", &["ann"]);
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    http::delete_as(&format!("{}/api/v1/crates/foo/1.0.0/yank", served.url), &token).good();
    let jobs = json(&served, "jobs list", &[]);
    let [published, yanked] = [0, 1].map(|place| jobs[place]["request_id"].as_str().unwrap().to_owned());
    assert!(published.len() == 16 && yanked.len() == 16 && published != yanked, "{jobs}");
    // Its last attempt: the next failure is its death.
    served.database.connect().batch_execute("UPDATE jobs SET attempts = 20").unwrap();
    let (mut child, log) = worker(&served, "");
    let deaths = wait_for("two deaths", || Some(lines(&log, "a job is dead")).filter(|lines| lines.len() == 2));
    assert_eq!(deaths[0]["fields"]["request"], published.as_str());
    child.kill().unwrap();
    child.wait().unwrap();
    let dead = json(&served, "jobs list", &["--dead"]);
    assert!(dead.as_array().unwrap().iter().any(|job| job["request_id"] == yanked.as_str()), "{dead}");
    let id = jobs[0]["id"].to_string();
    served.run("jobs retry", &[&id]);
    assert_eq!(json(&served, "jobs list", &[])[0]["request_id"], published.as_str());
    served.run("jobs discard", &[&id, "--reason", "a test"]);
    let receipts = json(&served, "jobs show", &[&id])["receipts"].clone();
    assert!(receipts.as_array().unwrap().iter().all(|one| one["request_id"] == published.as_str()), "{receipts}");
    http::publish(&served.url, &token, &Package::new("bar", "1.0.0")).good();
    http::delete_as(&format!("{}/api/v1/crates/bar/1.0.0?reason=test", served.url), &token).good();
    let jobs = json(&served, "jobs list", &[]);
    let deletion = jobs.as_array().unwrap().iter().find(|job| job["kind"] == "delete_version").unwrap();
    assert_eq!(deletion["request_id"].as_str().map(str::len), Some(16), "{deletion}");
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn a_line_of_the_workers_log_names_the_request_that_asked_for_the_work() {
        let served = Served::start(&["--no-worker", "--publish-wait", "0s", "--trusted-proxies", "127.0.0.1"]);
        let token = served.token("ann");
        let agent = ureq::agent();
        let publish = |name: &str, id: &str| {
            let request = agent.put(format!("{}/api/v1/crates/new", served.url)).header("authorization", &token);
            let answer = request.header("x-request-id", id).send(&Package::new(name, "1.0.0").body()).unwrap();
            assert_eq!(answer.headers()["x-request-id"], id);
        };
        publish("foo", "from-ann-1");
        publish("bar", "from-ann-2");
        let pending = json(&served, "jobs list", &[]);
        assert_eq!(pending[0]["request_id"], "from-ann-1");
        let id = pending[0]["id"].to_string();
        assert!(served.run("jobs show", &[&id]).contains("request      from-ann-1\n"));

        let (mut child, log) = worker(&served, "job.desired_read=error");
        let failed = wait_for("both failures", || Some(lines(&log, "a job failed")).filter(|lines| lines.len() == 2));
        for (line, (key, request)) in failed.iter().zip([("foo", "from-ann-1"), ("bar", "from-ann-2")]) {
            let fields = &line["fields"];
            assert_eq!((&fields["key"], &fields["request"]), (&key.into(), &request.into()), "{line}");
            assert_eq!((&fields["kind"], &fields["attempt"]), (&"publish_version".into(), &1.into()), "{line}");
            assert_eq!(fields["error"], "the fail point job.desired_read was armed");
        }
        let mut connection = served.database.connect();
        wait_until("the second attempt", || supercargo::queue::inspection::count(&mut connection).unwrap().0 == 0);
        let named = wait_for("both successes", || {
            let done = lines(&log, "jobs are done");
            let named: Vec<String> = done.iter().map(|line| line["span"]["requests"].to_string()).collect();
            let named = named.join(",");
            ["from-ann-1", "from-ann-2"].iter().all(|id| named.contains(id)).then_some(named)
        });
        println!("the worker's log names {named}");
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert!(child.wait().unwrap().success());

        let shown = json(&served, "jobs show", &[&id]);
        assert_eq!((&shown["state"], &shown["request_id"]), (&"done".into(), &"from-ann-1".into()));
        let receipts = shown["receipts"].as_array().unwrap();
        assert!(receipts.iter().all(|receipt| receipt["request_id"] == "from-ann-1"), "{receipts:?}");
        assert_eq!(receipts.iter().map(|one| one["outcome"].as_str().unwrap()).collect::<Vec<_>>(), ["failed", "done"]);
    }
}
