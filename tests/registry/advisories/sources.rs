//! Where advisories come from.

use std::process::Stdio;

use serde_json::{Value, json};

use super::{known, osv, rustsec, served, status, wait_until_known, write};
use crate::support::event::wait_until;
use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::git_http::{GitServer, Mood};
use crate::support::git_remote::Bare;
use crate::support::http;
use crate::support::process::{Served, failed, succeeded};

#[test]
fn a_directory_is_read_and_what_cannot_be_read_is_named_and_stays_as_it_was() {
    let (upstream, directory) = (FaultyUpstream::start(), tempfile::tempdir().unwrap());
    let path = directory.path();
    write(path, "GHSA-1.json", osv("GHSA-1", "foo", &json!([{ "introduced": "0" }, { "fixed": "1.2.3" }])).to_string());
    write(path, "deep/GHSA-2.json", osv("GHSA-2", "bar", &json!([{ "introduced": "0" }])).to_string());
    write(path, "GHSA-5.json", osv("GHSA-5", "baz", &json!([{ "introduced": "0" }])).to_string());
    write(path, "README.md", "# Not an advisory\n");
    write(path, "broken.json", "{\"id\": ");
    write(path, "huge.json", "x".repeat(300 * 1024));
    write(path, "GHSA-3.json", osv("GHSA-3", "no crate", &json!([{ "introduced": "0" }])).to_string());
    write(path, ".git/GHSA-4.json", osv("GHSA-4", "foo", &json!([{ "introduced": "0" }])).to_string());
    let served = served(&upstream, path.to_str().unwrap(), &[]);
    wait_until_known(&served, &["GHSA-2", "GHSA-5", "GHSA-1"]);
    let found = status(&served);
    assert_eq!((&found["upstream"], &found["advisories"], &found["skipped"]), (&json!("other"), &json!(3), &json!(3)));
    let said = served.run("advisory status", &[]);
    for part in
        ["skipped broken.json of other: it is no JSON", "huge.json of other: it has 307200 bytes", "GHSA-3 of other: "]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    // The document is that of the source.
    let document = http::get(&format!("{}/api/v1/advisories/GHSA-1", served.url)).good().json();
    assert_eq!(document["of_the_future"], 1);
    assert_eq!(serde_json::from_str::<Value>(&served.run("advisory show", &["GHSA-1"])).unwrap(), document);
    let absent = http::get(&format!("{}/api/v1/advisories/GHSA-9", served.url));
    assert_eq!(
        (absent.status, absent.json()["errors"][0]["detail"].clone()),
        (404, json!("there is no advisory GHSA-9"))
    );
    // One that cannot be read any more leaves the former one; one that is gone does not.
    write(path, "GHSA-1.json", "{}");
    std::fs::remove_file(path.join("deep/GHSA-2.json")).unwrap();
    wait_until_known(&served, &["GHSA-5", "GHSA-1"]);
    let listed = served.run("advisory list", &["--all"]);
    assert!(listed.lines().any(|line| line.contains("GHSA-2") && line.contains("gone")), "{listed}");
    // It may come back.
    write(path, "deep/GHSA-2.json", osv("GHSA-2", "bar", &json!([{ "introduced": "0" }])).to_string());
    wait_until_known(&served, &["GHSA-2", "GHSA-5", "GHSA-1"]);
    let metrics = http::get(&format!("{}/metrics", served.url)).good().text();
    assert!(metrics.contains("supercargo_advisories{upstream=\"other\"} 3"), "{metrics}");
    assert!(metrics.contains("supercargo_advisories_refreshed_timestamp_seconds{upstream=\"other\"} "), "{metrics}");
}

#[test]
fn a_repository_is_fetched_when_it_has_changed_and_stays_known_while_it_is_away() {
    let (upstream, remote) = (FaultyUpstream::start(), Bare::new());
    remote.commit("crates/foo/RUSTSEC-2026-0001.md", &rustsec(1, "\">= 1.2.3\"", ""));
    remote.commit("crates/foo/RUSTSEC-0000-0000.md", "a template");
    remote.commit("rust/std/CVE-2026-1.md", &rustsec(2, "", ""));
    let git = GitServer::start(&remote, None);
    let served = served(&upstream, git.url(), &[]);
    wait_until_known(&served, &["RUSTSEC-2026-0001"]);
    assert_eq!(status(&served)["revision"], remote.head());
    // While it does not change it is not fetched.
    let fetches = || git.requests("POST");
    let (fetched, asked) = (fetches(), git.requests("info/refs"));
    wait_until("more questions", || git.requests("info/refs") > asked + 5);
    // A question has one POST, and a fetch two; one may have been on its way.
    assert!(fetches() - fetched <= git.requests("info/refs") - asked + 1);
    remote.commit("crates/foo/RUSTSEC-2026-0002.md", &rustsec(2, "\"^1.2.4\"", "withdrawn = \"2026-03-01\""));
    remote.commit("crates/foo/RUSTSEC-2026-0003.md", &rustsec(3, "\"^1.2.4\"", ""));
    wait_until_known(&served, &["RUSTSEC-2026-0003", "RUSTSEC-2026-0001"]);
    git.set(Mood::Away);
    wait_until("the failure", || status(&served)["problem"].is_string());
    let problem = status(&served)["problem"].clone();
    assert!(problem.as_str().unwrap().starts_with("git has failed"), "{problem}");
    assert_eq!(known(&served).len(), 2);
    let refused = served.command("advisory refresh").arg("other").output().unwrap();
    // Or the schedule is at it.
    let said = failed(refused, 1);
    assert!(said.contains("git has failed") || said.contains("another process"), "{said}");
    git.set(Mood::Good);
    wait_until("the next success", || status(&served)["problem"].is_null());
    // Nothing is left of repositories.
    let work = served.data_dir().join("advisories");
    wait_until("the end of a fetch", || std::fs::read_dir(&work).unwrap().count() == 0);
}

#[test]
fn a_refresh_after_which_most_would_be_gone_is_refused_until_it_is_accepted() {
    let (upstream, directory) = (FaultyUpstream::start(), tempfile::tempdir().unwrap());
    let path = directory.path();
    let all: Vec<String> = (10..22).map(|number| format!("GHSA-{number}")).collect();
    let file = |id: &str| path.join(format!("{id}.json"));
    for id in &all {
        write(path, &format!("{id}.json"), osv(id, "foo", &json!([{ "introduced": "0" }])).to_string());
    }
    // The schedule does not interfere.
    let mut served = served(&upstream, path.to_str().unwrap(), &["--advisories-refresh", "1h"]);
    wait_until("all", || known(&served).len() == 12);
    let refresh = |more: &[&str]| served.command("advisory refresh").arg("other").args(more).output().unwrap();
    for id in &all[..7] {
        std::fs::remove_file(file(id)).unwrap();
    }
    let refused = failed(refresh(&[]), 1);
    assert!(
        refused.contains("7 of 12 advisories would be gone") && refused.contains("--accept-withdrawals"),
        "{refused}"
    );
    assert_eq!(known(&served).len(), 12);
    assert!(status(&served)["problem"].as_str().unwrap().starts_with("7 of 12"));
    // Withdrawing is the same.
    for id in &all[..7] {
        let mut withdrawn = osv(id, "foo", &json!([{ "introduced": "0" }]));
        withdrawn["withdrawn"] = json!("2026-03-01T00:00:00Z");
        write(path, &format!("{id}.json"), withdrawn.to_string());
    }
    assert!(failed(refresh(&[]), 1).contains("7 of 12"));
    let accepted = succeeded(refresh(&["--accept-withdrawals"]));
    assert!(accepted.starts_with("read 12 advisories about other: 0 new, 7 changed, 0 gone"), "{accepted}");
    assert_eq!(known(&served).len(), 5);
    assert!(served.run("admin audit", &["--action", "advisories-accept"]).contains("other"));
    // Of few, most may go, but not all.
    for id in &all[2..] {
        std::fs::remove_file(file(id)).unwrap();
    }
    succeeded(refresh(&[]));
    assert_eq!(known(&served), Vec::<String>::new());
    for id in &all[..2] {
        std::fs::remove_file(file(id)).unwrap();
    }
    assert!(failed(refresh(&["--accept-withdrawals"]), 1).contains("it has no advisory about a crate"));
    // Another source is another matter.
    let elsewhere = tempfile::tempdir().unwrap();
    write(elsewhere.path(), "X-1.json", osv("X-1", "foo", &json!([{ "introduced": "0" }])).to_string());
    served.kill();
    let (of, source) = (format!("other={}", upstream.sparse()), format!("other={}", elsewhere.path().display()));
    served.set_arguments(&["--upstream", &of, "--advisories", &source]);
    served.start_again();
    wait_until_known(&served, &["X-1"]);
    served.run("advisory forget", &["other"]);
    assert!(served.run("admin audit", &["--action", "advisories-forget"]).contains("other"));
    assert_eq!(known(&served), Vec::<String>::new());
    let unknown = served.command("advisory refresh").arg("other").output().unwrap();
    assert!(failed(unknown, 1).contains("there is no source of advisories about other"));
}

#[test]
fn sources_that_cannot_be_trusted_or_found_are_refused() {
    let (upstream, served) = (FaultyUpstream::start(), Served::stopped());
    let of = format!("other={}", upstream.sparse());
    let refused = |arguments: &[&str]| {
        let mut command = served.command("serve");
        command.args(["--listen", "127.0.0.1:0", "--upstream", &of]).args(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let url = served.data_dir().join("url");
        wait_until("serve to end, or to serve", || child.try_wait().unwrap().is_some() || url.exists());
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        assert!(!output.status.success() && !url.exists(), "{arguments:?} are accepted");
        String::from_utf8(output.stderr).unwrap()
    };
    for (source, why) in [
        ("other=http://git.example/db.git", "not protected by TLS"),
        ("other=advisories", "is no source of advisories"),
        ("rustsec", "there is no upstream \"crates-io\""),
        ("other=/srv/one,other=/srv/two", "other has two sources"),
    ] {
        let said = refused(&["--advisories", source]);
        assert!(said.contains(why), "{source}: {said}");
    }
    let policy = refused(&["--advisory-policy", "critical=drop"]);
    assert!(policy.contains("use SEVERITY=ACTION"), "{policy}");
    let directory = served.data_dir().join("not-there");
    let mut served = super::served(&upstream, directory.to_str().unwrap(), &[]);
    wait_until("the failure", || {
        status(&served)["problem"].as_str().is_some_and(|said| said.contains("cannot be read"))
    });
    served.stop();
}
