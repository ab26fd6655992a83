//! Clients that publish and yank while a registry is killed under them, and what must hold afterwards.
//!
//! Every client has crates of its own, and so knows the last change of each version. A request that is not answered is sent
//! again until it is: 200, or the duplicate error, which says that the unanswered one had been accepted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use diesel::prelude::*;
use serde_json::Value;
use supercargo::package::Checksum;
use supercargo::queue::inspection;

use super::event::{wait_for, wait_until};
use super::http;
use super::package::Package;

pub const CLIENTS: usize = 8;

/// What was asked of the versions of each crate, and answered.
#[derive(Default)]
pub struct VersionChanges {
    /// Versions in the order of their publication, with whether they are wanted yanked.
    pub crates: BTreeMap<String, Vec<(String, bool)>>,
    pub answered: usize,
    pub sent_again: usize,
    pub had_been_accepted: usize,
}

/// Clients at work.
pub struct Publishers {
    /// Where the registry is, which changes when it is started again. Requests go to each in turn.
    urls: RwLock<Vec<String>>,
    turn: AtomicUsize,
    token: String,
    stopped: AtomicBool,
    answers: AtomicUsize,
    changes: Mutex<VersionChanges>,
}

enum Request {
    Publish(Package),
    Yank(String, String, bool),
}

impl Publishers {
    pub fn new(url: &str, token: &str) -> Self {
        Self::at_each(&[url], token)
    }

    /// For a registry that several machines serve.
    pub fn at_each(urls: &[&str], token: &str) -> Self {
        Self {
            urls: RwLock::new(urls.iter().map(|&url| url.to_owned()).collect()),
            turn: AtomicUsize::new(0),
            token: token.to_owned(),
            stopped: AtomicBool::new(false),
            answers: AtomicUsize::new(0),
            changes: Mutex::default(),
        }
    }

    /// Lets eight clients work until `disturb` returns, and answers what they asked for.
    pub fn run(self, disturb: impl FnOnce(&Self)) -> VersionChanges {
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    scope.spawn({
                        let clients = &self;
                        move || clients.work(client)
                    })
                })
                .collect();
            // The clients end also when the disturbance fails, or the test would hang.
            struct Stop<'a>(&'a AtomicBool);
            impl Drop for Stop<'_> {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::SeqCst);
                }
            }
            let stop = Stop(&self.stopped);
            disturb(&self);
            drop(stop);
            clients.into_iter().for_each(|client| client.join().unwrap());
        });
        self.changes.into_inner().unwrap()
    }

    /// The registry is somewhere else now.
    pub fn moved_to(&self, url: &str) {
        *self.urls.write().unwrap() = vec![url.to_owned()];
    }

    /// Returns when so many more requests were answered.
    pub fn wait_for_answers(&self, count: usize) {
        let until = self.answers.load(Ordering::SeqCst) + count;
        wait_until("answers", || self.answers.load(Ordering::SeqCst) >= until);
    }

    fn work(&self, client: usize) {
        for number in 0.. {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            // Two versions of a crate; the first is yanked, and every other time unyanked at once.
            let name = format!("client{client}-crate{number}");
            for version in ["1.0.0", "1.1.0"] {
                self.send(Request::Publish(Package::new(&name, version)));
            }
            self.send(Request::Yank(name.clone(), "1.0.0".to_owned(), true));
            if number % 2 == 0 {
                self.send(Request::Yank(name, "1.0.0".to_owned(), false));
            }
        }
    }

    /// Sends a request until it is answered, and notes the change.
    fn send(&self, request: Request) {
        let mut tries = 0;
        let accepted_before = wait_for("an answer", || {
            tries += 1;
            match self.try_once(&request) {
                Some((200, _)) => Some(false),
                Some((409, text)) if tries > 1 && text.contains("is already uploaded: it is ") => Some(true),
                Some((503, _)) | None => None,
                Some((status, text)) => panic!("{status}: {text}"),
            }
        });
        self.answers.fetch_add(1, Ordering::SeqCst);
        let mut changes = self.changes.lock().unwrap();
        changes.answered += 1;
        changes.sent_again += usize::from(tries > 1);
        changes.had_been_accepted += usize::from(accepted_before);
        match request {
            Request::Publish(package) => {
                changes.crates.entry(package.name).or_default().push((package.version, false));
            }
            Request::Yank(name, version, yanked) => {
                let versions = changes.crates.get_mut(&name).unwrap();
                versions.iter_mut().find(|one| one.0 == version).unwrap().1 = yanked;
            }
        }
    }

    /// None: no answer.
    fn try_once(&self, request: &Request) -> Option<(u16, String)> {
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(20)));
        let agent: ureq::Agent = config.build().into();
        let api = {
            let urls = self.urls.read().unwrap();
            format!("{}/api/v1/crates", urls[self.turn.fetch_add(1, Ordering::Relaxed) % urls.len()])
        };
        let answer = match request {
            Request::Publish(package) => {
                agent.put(format!("{api}/new")).header("authorization", &self.token).send(&package.body())
            }
            Request::Yank(name, version, true) => {
                agent.delete(format!("{api}/{name}/{version}/yank")).header("authorization", &self.token).call()
            }
            Request::Yank(name, version, false) => {
                agent.put(format!("{api}/{name}/{version}/unyank")).header("authorization", &self.token).send_empty()
            }
        };
        let mut answer = answer.ok()?;
        // An answer that breaks off is none.
        let text = answer.body_mut().read_to_string().ok()?;
        Some((answer.status().as_u16(), text))
    }
}

impl VersionChanges {
    /// Waits until nothing is pending, and then holds sparse index, git index, database and files against the changes.
    pub fn assert_fulfilled(&self, base_url: &str, database_url: &str) {
        let mut connection = PgConnection::establish(database_url).unwrap();
        wait_until("an empty queue", || inspection::count(&mut connection).unwrap().0 == 0);
        assert_eq!(inspection::count(&mut connection).unwrap(), (0, 0), "pending and dead");
        let clone = tempfile::tempdir().unwrap();
        git(clone.path(), &["clone", "-q", &format!("{base_url}/git/index"), "index"]);
        let index = clone.path().join("index");
        git(&index, &["fsck", "--full", "--strict"]);
        for (name, versions) in &self.crates {
            let path = supercargo::package::index_path::index_path(&name.parse().unwrap());
            let lines = http::index_lines(base_url, &path);
            let shown: Vec<_> = lines.iter().map(|line| (text(line, "vers"), line["yanked"] == true)).collect();
            assert_eq!(&shown, versions, "{name}");
            let cloned = std::fs::read_to_string(index.join(&path)).unwrap();
            assert_eq!(cloned, http::get(&format!("{base_url}/index/{path}")).text(), "{name}");
            for (line, (version, yanked)) in lines.iter().zip(versions) {
                let api = format!("{base_url}/api/v1/crates/{name}/{version}");
                let status = http::get(&api).json();
                assert_eq!(status["version"]["state"], "published", "{status}");
                assert_eq!(status["version"]["yanked"], *yanked, "{status}");
                assert_eq!(status["version"]["desired_yanked"], Value::Null, "{status}");
                let file = http::get(&format!("{api}/download")).good().body;
                assert_eq!(Checksum::of(&file).to_string(), text(line, "cksum"));
                assert_eq!(file, Package::new(name, version).crate_file());
            }
        }
    }

    pub fn summary(&self) -> String {
        format!(
            "{} answered, {} of them sent more than once, {} of those had been accepted before; {} crates; lost 0, stuck 0",
            self.answered,
            self.sent_again,
            self.had_been_accepted,
            self.crates.len()
        )
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}

fn git(directory: &std::path::Path, arguments: &[&str]) {
    let output = std::process::Command::new("git").args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
