//! Progress: a bar on a terminal, otherwise lines in the log.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

use super::summary::Summary;

/// Interval of progress lines in the log when there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(30);

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    nouns: &'static str,
    logged: Mutex<Instant>,
}

impl Progress {
    pub(super) fn new(nouns: &'static str, items: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(items as u64);
            let template = format!("{{wide_bar}} {{pos}}/{{len}} {nouns}, {{eta}} left, {{msg}}");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, nouns, logged: Mutex::new(Instant::now()) }
    }

    /// Counts an item that is done.
    pub(super) fn show(&self, summary: &mut Summary) {
        summary.done += 1;
        let missing = summary.missing.len();
        let line = format!("{} fetched ({} MiB), {missing} missing", summary.fetched, summary.bytes >> 20);
        match &self.bar {
            Some(bar) => {
                bar.set_position(summary.done as u64);
                bar.set_message(line);
            }
            None => {
                let mut logged = self.logged.lock();
                if logged.elapsed() >= LOG_EVERY {
                    *logged = Instant::now();
                    tracing::info!("{} {}: {line}", summary.done, self.nouns);
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
