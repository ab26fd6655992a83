//! What came of a run.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Serialize;

use crate::admin::output::{complain, print_json, say};
use crate::process::CommandError;
use crate::web::upstreams::{NotObtained, Obtained};

/// The exit code after an interruption.
const INTERRUPTED: u8 = 130;

/// Counts, and what is missing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Items that are done, and those that are left after an interruption.
    #[serde(skip)]
    pub done: usize,
    pub left: usize,
    /// Versions whose files were in the cache, and that were fetched, with their bytes.
    pub kept: u64,
    pub fetched: u64,
    pub bytes: u64,
    /// Versions that were pinned and were not before.
    pub pinned: u64,
    /// Versions that this registry does not pass on, with the reason.
    pub refused: BTreeMap<String, String>,
    /// What is not in the cache, with the reason.
    pub missing: BTreeMap<String, String>,
    /// What was left out, which is no failure, with the reason.
    pub left_out: BTreeMap<String, String>,
    pub interrupted: bool,
    /// Why the run ended early.
    pub ended_by: Option<String>,
}

impl Summary {
    pub fn add(&mut self, other: Self) {
        self.kept += other.kept;
        self.fetched += other.fetched;
        self.bytes += other.bytes;
        self.pinned += other.pinned;
        self.refused.extend(other.refused);
        self.missing.extend(other.missing);
        self.left_out.extend(other.left_out);
    }

    pub fn obtained(&mut self, obtained: Obtained) {
        if obtained.is_new {
            self.fetched += 1;
            self.bytes += obtained.size;
        } else {
            self.kept += 1;
        }
    }

    /// Notes why something is missing, unless that ends the run.
    pub fn note(&mut self, label: &str, error: NotObtained) -> Result<(), NotObtained> {
        match error {
            error if error.ends_all() => return Err(error),
            NotObtained::Refused(why) => self.refused.insert(label.to_owned(), why),
            error => self.missing.insert(label.to_owned(), error.to_string()),
        };
        Ok(())
    }

    /// Whether all is there that was wanted. What this registry refuses is missing, unless `refused` is expected.
    pub fn is_complete(&self, refused_is_expected: bool) -> bool {
        self.missing.is_empty()
            && (refused_is_expected || self.refused.is_empty())
            && self.ended_by.is_none()
            && !self.interrupted
    }

    fn to_text(&self) -> String {
        let all = self.kept + self.fetched;
        let mut text = format!(
            "{all} versions are in the cache: {} were there, {} were fetched ({} KiB)",
            self.kept,
            self.fetched,
            self.bytes.div_ceil(1024)
        );
        if self.pinned > 0 {
            text.push_str(&format!(", {} were pinned", self.pinned));
        }
        let lists = [("refused", &self.refused), ("missing", &self.missing), ("left out", &self.left_out)];
        for (what, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            text.push_str(&format!("\n\n{what} ({}):", list.len()));
            list.iter().for_each(|(label, why)| text.push_str(&format!("\n  {label}: {why}")));
        }
        text
    }
}

/// Prints a summary; the exit code of the command.
pub fn finish(summary: &Summary, (as_json, refused_is_expected): (bool, bool)) -> Result<ExitCode, CommandError> {
    if as_json {
        print_json(summary)?;
    } else {
        say!("{}", summary.to_text());
    }
    if let Some(why) = &summary.ended_by {
        return Err(CommandError::new(format!("ended early, with {} left: {why}", summary.left)));
    }
    if summary.interrupted {
        complain!("interrupted, with {} left: run the same command again to continue", summary.left);
        return Ok(ExitCode::from(INTERRUPTED));
    }
    if summary.is_complete(refused_is_expected) {
        return Ok(ExitCode::SUCCESS);
    }
    let refused = if refused_is_expected { 0 } else { summary.refused.len() };
    Err(CommandError::new(format!("{} versions are not in the cache (listed above)", summary.missing.len() + refused)))
}
