//! What a run has found so far, and where it stands: told at the end, and noted in the database after each page.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::difference::{Difference, Kind};
use crate::database::upkeep::verify_reports;

/// Differences that are told one by one; more are counted.
const TOLD: usize = 10_000;
/// Differences that a row of the table holds.
const NOTED: usize = 100;

/// The parts of a run, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The git repository and config.json.
    #[default]
    Repository,
    /// Each crate's rows and its file in the index.
    Crates,
    /// Files of the index that no crate of the database has.
    IndexFiles,
    /// Crate files.
    CrateFiles,
    /// Dead jobs.
    Jobs,
}

impl Phase {
    pub(super) const ALL: [Self; 5] = [Self::Repository, Self::Crates, Self::IndexFiles, Self::CrateFiles, Self::Jobs];

    /// What is looked at, for people.
    pub fn what(self) -> &'static str {
        match self {
            Self::Repository => "the repository",
            Self::Crates => "crates",
            Self::IndexFiles => "files of the index",
            Self::CrateFiles => "crate files",
            Self::Jobs => "jobs",
        }
    }
}

/// Where a run goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub phase: Phase,
    /// The last crate, directory or file that was done; empty at the beginning of a phase.
    pub cursor: String,
    /// Crates before it that were in flight.
    #[serde(default)]
    pub pending: Vec<(i32, String)>,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub crates: u64,
    pub versions: u64,
    pub index_files: u64,
    pub crate_files: u64,
    /// Of crate files that were read.
    pub bytes: u64,
}

/// A crate that was never without a job while it was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    #[serde(rename = "crate")]
    pub crate_name: String,
}

/// What a run found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// `full` or `light`.
    pub mode: String,
    pub started_at: DateTime<Utc>,
    /// When this was told.
    pub finished_at: DateTime<Utc>,
    /// Everything was looked at.
    pub complete: bool,
    /// It went on where an earlier one had been interrupted.
    pub resumed: bool,
    pub counts: Counts,
    /// Differences of each kind, those that were repaired included.
    pub by_kind: BTreeMap<Kind, u64>,
    /// Differences that are left.
    pub left: u64,
    /// Differences that were repaired.
    pub repaired: u64,
    /// The differences, at most 10,000 of them.
    pub differences: Vec<Difference>,
    pub in_flight: Vec<InFlight>,
}

impl Report {
    pub(super) fn new(mode: &str) -> Self {
        let now = Utc::now();
        Self {
            mode: mode.to_owned(),
            started_at: now,
            finished_at: now,
            complete: false,
            resumed: false,
            counts: Counts::default(),
            by_kind: BTreeMap::new(),
            left: 0,
            repaired: 0,
            differences: Vec::new(),
            in_flight: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, differences: Vec<Difference>) {
        for difference in differences {
            *self.by_kind.entry(difference.kind).or_default() += 1;
            *if difference.remains() { &mut self.left } else { &mut self.repaired } += 1;
            if self.differences.len() < TOLD {
                self.differences.push(difference);
            }
        }
    }

    /// All differences that were met.
    pub fn found(&self) -> u64 {
        self.left + self.repaired
    }

    /// Nothing differs, or nothing any more.
    pub fn agrees(&self) -> bool {
        self.left == 0
    }

    pub(super) fn standing(&self) -> verify_reports::Standing {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let first: Vec<&Difference> = self.differences.iter().take(NOTED).collect();
        verify_reports::Standing {
            crates: count(self.counts.crates),
            files: count(self.counts.crate_files),
            differences: count(self.left),
            summary: json!({
                "counts": self.counts, "by_kind": self.by_kind, "repaired": self.repaired, "differences": first,
                "in_flight": self.in_flight.len(), "complete": self.complete,
            }),
        }
    }

    /// As it is noted, to be gone on with.
    pub(super) fn to_position(&self, position: &Position) -> Value {
        json!({ "position": position, "report": self })
    }

    pub(super) fn from_position(noted: &Value) -> Option<(Position, Self)> {
        let part = |name: &str| noted.get(name).cloned().unwrap_or_default();
        let position = serde_json::from_value(part("position")).ok()?;
        let report: Self = serde_json::from_value(part("report")).ok()?;
        Some((position, Self { resumed: true, ..report }))
    }
}
