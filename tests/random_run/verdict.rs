//! What must hold when everything has been made good.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use diesel::{Connection, PgConnection};
use serde_json::Value;
use supercargo::package::Checksum;
use supercargo::package::index_path::index_path;
use supercargo::queue::inspection;

use crate::model::{Crate, Model};
use crate::plan::Plan;
use crate::support::http;
use crate::support::package::Package;
use crate::tally::Tally;
use crate::world::World;

/// The longest that jobs may wait after the last disturbance: the longest backoff that a run of this length can reach.
const PATIENCE: Duration = Duration::from_secs(180);

pub fn judge(plan: &Plan, world: &World, model: &Model) -> Tally {
    let mut tally = Tally::default();
    if let Err(why) = come_to_rest(world) {
        tally.stuck += 1;
        tally.violations.push(format!("seed {} ({:?}): {why}", plan.seed, plan.shape));
    }
    if let Err(why) = verify(world) {
        tally.diverged += 1;
        tally.violations.push(format!("verify: {why}"));
    }
    let clone = tempfile::tempdir().unwrap();
    let index = clone.path().join("index");
    git(clone.path(), &["clone", "-q", &format!("{}/git/index", world.url()), "index"]);
    git(&index, &["fsck", "--full", "--strict"]);
    let at_remote = world.remote().map(|remote| {
        git(clone.path(), &["clone", "-q", &remote.display().to_string(), "remote"]);
        clone.path().join("remote")
    });
    for (name, num) in &*model.gone.lock().unwrap() {
        let path = index_path(&name.parse().unwrap());
        let sparse = http::get(&format!("{}/index/{path}", world.url()));
        let is_shown = |text: &str| text.contains(&format!("\"vers\":\"{num}\""));
        let in_git = std::fs::read_to_string(index.join(&path)).unwrap_or_default();
        if is_shown(&sparse.text()) || is_shown(&in_git) {
            tally.diverged += 1;
            tally.violations.push(format!("{name}@{num} is in the index, and its set was never approved"));
        }
    }
    for (name, krate) in &*model.crates.lock().unwrap() {
        look_at(world, &index, name, krate, &mut tally);
        if let Some(remote) = &at_remote {
            let path = index_path(&name.parse().unwrap());
            if std::fs::read_to_string(remote.join(&path)).ok() != std::fs::read_to_string(index.join(&path)).ok() {
                tally.diverged += 1;
                tally.violations.push(format!("{name}: the remote and its mirror differ"));
            }
        }
    }
    tally
}

/// What `supercargo verify` finds.
fn verify(world: &World) -> Result<(), String> {
    let mut verify = world.command("verify");
    if let Some(remote) = world.remote() {
        verify.arg("--index-remote").arg(remote);
    }
    let output = verify.arg("--json").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(format!("{}: {}", output.status, String::from_utf8_lossy(&said))) }
}

/// Whether serve's mirror is where the remote is.
fn mirrors_remote(world: &World) -> bool {
    let Some(remote) = world.remote() else { return true };
    let head = |repository: &Path| {
        let mut git = Command::new("git");
        git.args(["-c", "safe.directory=*", "--git-dir"]).arg(repository).args(["rev-parse", "refs/heads/main"]);
        git.output().unwrap().stdout
    };
    head(&remote) == head(&world.data_dir().join("index.git"))
}

fn come_to_rest(world: &World) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    let mut seen = (0, 0);
    while Instant::now() < until {
        world.revive();
        if let Some(mut connection) = world.database_url().and_then(|url| PgConnection::establish(&url).ok())
            && let Ok(counts) = inspection::count(&mut connection)
        {
            seen = counts;
            if seen == (0, 0) && mirrors_remote(world) {
                return Ok(());
            }
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    Err(format!("{} jobs are pending and {} are dead", seen.0, seen.1))
}

fn look_at(world: &World, clone: &Path, name: &str, krate: &Crate, tally: &mut Tally) {
    let path = index_path(&name.parse().unwrap());
    let sparse = http::get(&format!("{}/index/{path}", world.url()));
    let text = if sparse.status == 404 { String::new() } else { sparse.good().text() };
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut shown = BTreeMap::new();
    for line in &lines {
        let num = line["vers"].as_str().unwrap().to_owned();
        if shown.insert(num.clone(), line).is_some() {
            tally.diverged += 1;
            tally.violations.push(format!("{name}@{num} is in the index twice"));
        }
    }
    for (num, yanked) in &krate.versions {
        match shown.remove(num) {
            None => {
                tally.lost += 1;
                tally.violations.push(format!("{name}@{num} was answered and is not in the index"));
            }
            Some(line) => {
                if let Err(why) = look_at_version(world, name, num, *yanked, line) {
                    tally.diverged += 1;
                    tally.violations.push(format!("{name}@{num}: {why}"));
                }
            }
        }
    }
    for num in shown.keys() {
        tally.diverged += 1;
        tally.violations.push(format!("{name}@{num} is in the index, and nobody was told so"));
    }
    if std::fs::read_to_string(clone.join(&path)).unwrap_or_default() != text {
        tally.diverged += 1;
        tally.violations.push(format!("{name}: the git index and the sparse index differ"));
    }
    look_at_owners(world, name, krate, tally);
}

fn look_at_version(world: &World, name: &str, num: &str, yanked: bool, line: &Value) -> Result<(), String> {
    let api = format!("{}/api/v1/crates/{name}/{num}", world.url());
    let version = http::get(&api).json()["version"].take();
    let file = http::get(&format!("{api}/download")).body;
    let found = [
        ("the index's yank state", line["yanked"].clone(), Value::from(yanked)),
        ("the state", version["state"].clone(), Value::from("published")),
        ("the effective yank state", version["yanked"].clone(), Value::from(yanked)),
        ("the wanted yank state", version["desired_yanked"].clone(), Value::Null),
        ("the checksum", Value::from(Checksum::of(&file).to_string()), line["cksum"].clone()),
    ];
    for (what, found, wanted) in found {
        if found != wanted {
            return Err(format!("{what} is {found}, and was to be {wanted}"));
        }
    }
    if file == Package::new(name, num).crate_file() { Ok(()) } else { Err("another file than was sent".to_owned()) }
}

fn look_at_owners(world: &World, name: &str, krate: &Crate, tally: &mut Tally) {
    let answer = http::get_as(&format!("{}/api/v1/crates/{name}/owners", world.url()), world.token()).good().json();
    let owners: Vec<_> = answer["users"].as_array().unwrap().iter().map(|user| user["login"].clone()).collect();
    for (login, is_owner) in &krate.owners {
        if owners.contains(&Value::from(login.as_str())) != *is_owner {
            tally.diverged += 1;
            tally.violations.push(format!("{name}: that {login} is an owner was to be {is_owner}"));
        }
    }
}

fn git(directory: &Path, arguments: &[&str]) {
    let output = Command::new("git").args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
