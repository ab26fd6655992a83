//! How far a long command is, on standard error: a bar on a terminal, otherwise lines in the log.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

/// Interval of the lines in the log.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// A bar that goes when this is dropped, or the time of the last line.
pub struct Shown {
    bar: Option<ProgressBar>,
    logged: Mutex<Instant>,
}

impl Shown {
    /// The template is constant; a bar in another form would show an invalid one.
    pub fn new(template: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            bar.enable_steady_tick(Duration::from_millis(100));
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, logged: Mutex::new(Instant::now()) }
    }

    /// Changes the bar, or writes to the log if it is time.
    pub fn show(&self, change: impl FnOnce(&ProgressBar), log: impl FnOnce()) {
        if let Some(bar) = &self.bar {
            return change(bar);
        }
        let mut logged = self.logged.lock();
        if logged.elapsed() >= LOG_EVERY {
            *logged = Instant::now();
            log();
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
