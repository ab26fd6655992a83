//! Progress bars of long commands.

use indicatif::{ProgressBar, ProgressStyle};

const BYTES: &str = "{msg} {bar:30} {bytes} of {total_bytes}, {eta} left";
const COUNT: &str = "{msg} {bar:30} {pos} of {len}, {eta} left";

/// A progress bar on standard error, shown only if that is a terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn of_bytes(what: &'static str, total: u64) -> Self {
        Self::new(what, total, BYTES)
    }

    pub(crate) fn of_count(what: &'static str, total: u64) -> Self {
        Self::new(what, total, COUNT)
    }

    /// A spinner for work of unknown length.
    pub(crate) fn of_work(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        Self(bar)
    }

    fn new(what: &'static str, total: u64, template: &str) -> Self {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(total).with_style(style).with_message(what))
    }

    pub(crate) fn advance(&self, by: u64) {
        self.0.inc(by);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
