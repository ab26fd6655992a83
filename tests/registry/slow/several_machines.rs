//! A whole installation: machines that serve and machines that work, each with a directory of its own, and what they share
//! somewhere else: PostgreSQL, crate files in S3, the index at a git remote by HTTP. Machines are lost while clients are at
//! work.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::prelude::*;
use diesel::sql_types::Text;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use supercargo::queue::inspection;

use crate::support::event::{wait_for, wait_until};
use crate::support::git_http::GitServer;
use crate::support::git_remote::{Bare, git};
use crate::support::package::Package;
use crate::support::process::{Served, succeeded};
use crate::support::publishers::{CLIENTS, Publishers, VersionChanges};
use crate::support::s3::{S3Server, path_of};

const PUBLIC_URL: &str = "http://crates.example";
const INDEX_TOKEN: &str = "s3cr3t-token";

/// The process of the worker that takes the jobs of the index while the other one stands by.
fn active_worker(connection: &mut PgConnection) -> Option<i32> {
    #[derive(QueryableByName)]
    struct Session {
        #[diesel(sql_type = Text)]
        name: String,
    }
    let session: Option<Session> = diesel::sql_query(
        "SELECT application_name AS name FROM pg_stat_activity JOIN pg_locks USING (pid)
         WHERE datname = current_database() AND locktype = 'advisory' AND granted
               AND application_name LIKE 'supercargo worker % index'",
    )
    .get_result(connection)
    .optional()
    .unwrap();
    let name = session?.name;
    Some(name.split([' ', ':']).rev().nth(1).unwrap().parse().unwrap())
}

/// The objects of the bucket, whatever they are.
fn objects(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { objects(&path) } else { vec![path] }).collect()
}

/// The commit that a machine shows to git clients.
fn head(url: &str) -> Option<String> {
    let listed =
        git(&std::env::temp_dir()).args(["ls-remote", &format!("{url}/git/index"), "refs/heads/main"]).output();
    String::from_utf8(listed.unwrap().stdout).unwrap().split_whitespace().next().map(str::to_owned)
}

fn assert_stored_once(server: &S3Server, changes: &VersionChanges) {
    let stored = objects(&server.objects());
    let wanted: BTreeSet<_> = changes
        .crates
        .iter()
        .flat_map(|(name, versions)| versions.iter().map(move |(version, _)| Package::new(name, version).crate_file()))
        .map(|content| server.objects().join("registry").join(path_of(&content)))
        .collect();
    assert_eq!(stored.len(), wanted.len());
    assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), wanted);
}

#[test]
fn an_installation_that_loses_its_active_worker_and_a_server_shows_at_every_machine_what_it_answered() {
    let (remote, store) = (Bare::new(), S3Server::start());
    let index = GitServer::start(&remote, Some(&format!("x-access-token:{INDEX_TOKEN}")));
    let token_file = remote.parent().join("token");
    std::fs::write(&token_file, INDEX_TOKEN).unwrap();
    let in_store = store.arguments();
    let mut shared: Vec<&str> = in_store.iter().map(String::as_str).collect();
    shared.extend(["--index-remote", index.url(), "--index-token-file", token_file.to_str().unwrap()]);
    let serving = [&shared[..], &["--no-worker", "--public-url", PUBLIC_URL, "--publish-wait", "5s"]].concat();

    let mut installation = Served::stopped();
    let first = installation.start_elsewhere("first", &serving);
    let second = installation.start_elsewhere("second", &serving);
    for name in ["third", "fourth"] {
        installation.start_worker_elsewhere(name, &shared);
    }
    let token = installation.token("ann");
    let mut database = installation.database.connect();
    let publishers = Publishers::at_each(&[&first, &second], &token);
    let changes = publishers.run(|publishers| {
        publishers.wait_for_answers(2 * CLIENTS);
        let active = wait_for("an active worker", || active_worker(&mut database));
        // In the middle: the remote has taken its push, and nobody hears of it.
        let killed = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&killed);
        index.before_push(move || {
            kill(Pid::from_raw(active), Signal::SIGKILL).unwrap();
            done.store(true, Ordering::SeqCst);
        });
        wait_until("the active worker to be killed", || killed.load(Ordering::SeqCst));
        publishers.wait_for_answers(2 * CLIENTS);
        assert_ne!(wait_for("another worker", || active_worker(&mut database)), active);
        installation.kill_one(0);
        publishers.moved_to(&second);
        publishers.wait_for_answers(2 * CLIENTS);
    });
    println!("{}", changes.summary());

    // The lost machine comes back with what the kill left, and a new one has nothing of its own.
    let first = installation.start_elsewhere("first", &serving);
    let newcomer = installation.start_elsewhere("newcomer", &serving);
    wait_until("an empty queue", || inspection::count(&mut database).unwrap().0 == 0);
    for url in [&first, &second, &newcomer] {
        wait_until("the machine to follow the remote", || head(url).as_deref() == Some(&*remote.head()));
        changes.assert_fulfilled(url, &installation.database.url());
    }
    assert_stored_once(&store, &changes);
    assert_eq!(installation.run("jobs list", &["--json"]).trim(), "[]");
    let elsewhere = installation.directory.path().join("second");
    let verified = installation.command_in(&elsewhere, "verify").arg("--json").args(&in_store).output().unwrap();
    let report: Value = serde_json::from_str(&succeeded(verified)).unwrap();
    assert_eq!(report["agreement"], true, "{report:#}");
    let versions: usize = changes.crates.values().map(Vec::len).sum();
    assert_eq!(report["counts"]["versions"], versions, "{report:#}");
}
