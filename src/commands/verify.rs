//! `supercargo verify`.
//!
//! The exit code is 0 when everything agrees, 1 when something differs, 2 when that could not be found out, and 130 when the
//! run was interrupted.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

use super::operate::operator;
use super::signals::Signals;
use super::{CommandError, Storage};
use crate::config::VerifyOptions;
use crate::crate_store::CrateStore;
use crate::verify::{Depth, Ended, Phase, Report, Settings, Verifier, Watch};

const DIFFERS: u8 = 1;
const FAILED: u8 = 2;
const INTERRUPTED: u8 = 130;

/// How often a log line says how far it is, where there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(30);

pub(super) fn verify(options: &VerifyOptions) -> ExitCode {
    match try_to(options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("supercargo: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn try_to(options: &VerifyOptions) -> Result<u8, CommandError> {
    let signals = Signals::block()?;
    let storage = Storage::attach_or_start(&options.storage)?;
    let ended = run(options, &storage, signals);
    let closed = storage.close();
    let ended = ended?;
    closed?;
    if options.output.json {
        let mut document = ended.report.to_json();
        document["interrupted"] = ended.interrupted.into();
        println!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        print!("{}", ended.report.to_text());
    }
    Ok(match (ended.interrupted, ended.report.agrees()) {
        (true, _) => INTERRUPTED,
        (false, true) => 0,
        (false, false) => DIFFERS,
    })
}

fn run(options: &VerifyOptions, storage: &Storage, signals: Signals) -> Result<Ended, CommandError> {
    let stopped = stop_on_signal(signals)?;
    let index = storage.index(&options.storage)?;
    let directory = storage.data_dir.crates();
    std::fs::create_dir_all(&directory)?;
    let crate_store = CrateStore::beside(&directory)?;
    let pool = storage.pool(&options.storage);
    let settings = Settings {
        depth: if options.light { Depth::Light } else { Depth::Full },
        all_objects: options.all_objects,
        orphan_age: options.orphan_age,
        patience: options.patience,
        max_rate: options.max_rate,
        max_crates: options.max_crates,
        resume: options.resume,
        requested_by: operator().name,
        ..Settings::default()
    };
    let verifier = Verifier {
        pool: &pool,
        index: &index,
        crate_store: &crate_store,
        crates_directory: Some(directory),
        settings,
        watch: &Watcher::new(stopped),
    };
    // One for the whole run, instead of one for each file.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = runtime.enter();
    Ok(verifier.run()?)
}

/// The first signal stops the run where it can go on, the second one ends the program.
fn stop_on_signal(signals: Signals) -> Result<Arc<AtomicBool>, CommandError> {
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    std::thread::Builder::new().name("signal".to_owned()).spawn(move || {
        if signals.wait().is_ok() {
            stop.store(true, Ordering::Relaxed);
            // Without this thread the process is left to its end.
            let _ = signals.leave_at_the_next();
        }
    })?;
    Ok(stopped)
}

/// Shows how far it is: a bar on a terminal, else a line of the log now and then.
struct Watcher {
    stopped: Arc<AtomicBool>,
    bar: Option<ProgressBar>,
    told: Mutex<Instant>,
}

impl Watcher {
    fn new(stopped: Arc<AtomicBool>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(100));
            // A style that can't be read is one that a test would have found.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { stopped, bar, told: Mutex::new(Instant::now()) }
    }
}

impl Watch for Watcher {
    fn seen(&self, phase: Phase, report: &Report) {
        let counts = &report.counts;
        let line = format!(
            "{}: {} crates, {} index files, {} crate files ({} MiB), {} differences",
            phase.what(),
            counts.crates,
            counts.index_files,
            counts.crate_files,
            counts.bytes >> 20,
            report.found()
        );
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None => {
                let mut told = self.told.lock();
                if told.elapsed() >= LOG_EVERY {
                    *told = Instant::now();
                    tracing::info!("verifying {line}");
                }
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
