//! Somebody who reads release sets, and must never see a part of one.

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
