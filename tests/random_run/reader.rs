//! Those who read release sets by both protocols, and must never see a part of one.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::RngExt;
use rand::seq::SliceRandom;
use supercargo::package::index_path::index_path;

use crate::model::Model;
use crate::plan::{CLIENTS, Plan};
use crate::tally::Tally;
use crate::world::World;

/// Of the sets, the newest that are read.
const NEWEST: usize = 4;

/// Fetches the git index again and again, and looks at all sets in each state of it.
pub fn fetch(world: &World, model: &Model, ends: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    let directory = tempfile::tempdir().unwrap();
    let clone = directory.path();
    git(clone, &["init", "-q", "--bare", "."]);
    let mut last = Vec::new();
    while !ends.load(Ordering::SeqCst) {
        // Before the fetch: a set that has expired meanwhile may be published in parts.
        let sets = model.sets.lock().unwrap().clone();
        let url = format!("{}/git/index", world.url());
        let is_fetched = git(clone, &["-c", "gc.auto=0", "fetch", "-q", &url, "+refs/heads/*:refs/heads/*"]);
        let head =
            Command::new("git").args(["rev-parse", "-q", "--verify", "main"]).current_dir(clone).output().unwrap();
        if !is_fetched || !head.status.success() || head.stdout == last {
            std::thread::park_timeout(Duration::from_millis(20));
            continue;
        }
        last = head.stdout;
        tally.fetches += 1;
        for set in sets {
            let is_shown = |(name, num): &(String, String)| {
                let file = format!("main:{}", index_path(&name.parse().unwrap()));
                let shown = Command::new("git").args(["cat-file", "blob", &file]).current_dir(clone).output().unwrap();
                String::from_utf8_lossy(&shown.stdout).contains(&format!("\"vers\":\"{num}\""))
            };
            let count = set.iter().filter(|one| is_shown(one)).count();
            if count > 0 && count < set.len() && model.sets.lock().unwrap().contains(&set) {
                tally.diverged += 1;
                tally.violations.push(format!("a commit of the git index has {count} of the versions {set:?}"));
            }
        }
    }
    tally
}

/// Whether git succeeds, with a registry that may be dead.
fn git(directory: &Path, arguments: &[&str]) -> bool {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    git.status().unwrap().success()
}

/// Reads files of the sparse index, those of one set one after the other.
pub fn read(plan: &Plan, world: &World, model: &Model, ends: &AtomicBool) -> Tally {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(5)));
    let agent: ureq::Agent = config.build().into();
    let mut chance = plan.chance(CLIENTS + 1);
    let mut tally = Tally::default();
    while !ends.load(Ordering::SeqCst) {
        let sets: Vec<_> = model.sets.lock().unwrap().iter().rev().take(NEWEST).cloned().collect();
        if sets.is_empty() {
            std::thread::park_timeout(Duration::from_millis(5));
            continue;
        }
        let chosen = &sets[chance.random_range(0..sets.len())];
        let mut set = chosen.clone();
        set.shuffle(&mut chance);
        let mut seen: Option<(String, String)> = None;
        for (name, num) in set {
            let url = format!("{}/index/{}", world.url(), index_path(&name.parse().unwrap()));
            let Ok(mut answer) = agent.get(url).call() else { break };
            let Ok(text) = answer.body_mut().read_to_string() else { break };
            if !matches!(answer.status().as_u16(), 200 | 404) {
                break;
            }
            let is_shown = answer.status() == 200 && text.contains(&format!("\"vers\":\"{num}\""));
            match (&seen, is_shown) {
                // One that has expired is no set any more, and its numbers are free.
                (Some(_), false) if !model.sets.lock().unwrap().contains(chosen) => break,
                (Some(before), false) => {
                    tally.diverged += 1;
                    tally.violations.push(format!(
                        "the index shows {}@{} and then not {name}@{num} of its set",
                        before.0, before.1
                    ));
                    break;
                }
                (None, true) => seen = Some((name, num)),
                _ => {}
            }
        }
        tally.readings += 1;
    }
    tally
}
