//! A reader of two crates that are published together, who must never see one of them alone; or none of them at all.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use supercargo::package::index_path::index_path;

use crate::support::process::Served;

/// What both crates have then.
const NUMBER: &str = "\"vers\":\"1.1.0\"";

/// Reads both indexes again and again.
pub struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<usize, String>>,
}

impl Reader {
    /// The registry may get another address when it starts again, so that is read each time.
    pub fn start(served: &Served, names: [&String; 2], may_be_seen: bool) -> Self {
        let paths = names.map(|name| index_path(&name.parse().unwrap()));
        let data = served.data_dir();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut readings = 0;
            while !stopped.load(Ordering::Relaxed) {
                readings += usize::from(look(&data, &paths, readings % 2 == 0, may_be_seen)?);
                std::thread::park_timeout(Duration::from_millis(1));
            }
            Ok(readings)
        });
        Self { stop, thread }
    }

    /// What it saw that must not be.
    pub fn stop(self) -> Result<(), String> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join().unwrap()? {
            0 => Err("the reader read nothing".to_owned()),
            _ => Ok(()),
        }
    }
}

/// One reading of each index; false if the registry did not answer.
fn look(data: &Path, paths: &[String; 2], forwards: bool, may_be_seen: bool) -> Result<bool, String> {
    let [one, other] = if forwards { [&paths[0], &paths[1]] } else { [&paths[1], &paths[0]] };
    let in_git = {
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            let output =
                git.args(["-c", "safe.directory=*", "--git-dir"]).arg(data.join("index.git")).args(arguments).output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        let head = git(&["rev-parse", "main"]).trim().to_owned();
        [one, other].map(|path| git(&["show", &format!("{head}:{path}")]).contains(NUMBER))
    };
    if in_git[0] != in_git[1] {
        return Err(format!("git shows a part of the set: {one} {}, {other} {}", in_git[0], in_git[1]));
    }
    if in_git[0] && !may_be_seen {
        return Err(format!("git shows what was never approved: {one} and {other}"));
    }
    let Ok(url) = std::fs::read_to_string(data.join("url")) else { return Ok(false) };
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(2)))
        .build()
        .into();
    let read = |path: &str| {
        let mut answer = agent.get(format!("{}/index/{path}", url.trim())).call().ok()?;
        match answer.status().as_u16() {
            404 => Some(String::new()),
            _ => answer.body_mut().read_to_string().ok(),
        }
    };
    let (Some(first), Some(second)) = (read(one), read(other)) else { return Ok(false) };
    if !may_be_seen && [&first, &second].iter().any(|text| text.contains(NUMBER)) {
        return Err(format!("the sparse index shows what was never approved: {one} or {other}"));
    }
    // The second one is read later.
    if first.contains(NUMBER) && !second.contains(NUMBER) {
        return Err(format!("the sparse index shows a part of the set: {one}, and not {other}"));
    }
    Ok(true)
}
