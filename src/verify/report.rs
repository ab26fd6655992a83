//! What a run has found and checked so far, and its position. Both are saved in the database after each page.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::difference::{Difference, Kind};
use crate::database::upkeep::verify_reports;

/// Differences that a report lists; further ones are only counted.
const LISTED: usize = 10_000;
/// Differences that a row of `verify_reports` holds.
const SAVED: usize = 100;

/// The phases of a run, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The git repository and config.json.
    #[default]
    Repository,
    /// Each crate's rows and its file in the index.
    Crates,
    /// Index files that no crate of the database has.
    IndexFiles,
    /// Crate files.
    CrateFiles,
    /// Files that are kept of upstreams, if they are to be checked.
    UpstreamFiles,
    /// The copy of the index in a bucket, if it is to be checked.
    IndexExport,
    /// Dead jobs.
    Jobs,
}

impl Phase {
    pub(super) const ALL: [Self; 7] = [
        Self::Repository,
        Self::Crates,
        Self::IndexFiles,
        Self::CrateFiles,
        Self::UpstreamFiles,
        Self::IndexExport,
        Self::Jobs,
    ];

    /// What the phase checks, for people.
    pub fn what(self) -> &'static str {
        match self {
            Self::Repository => "the repository",
            Self::Crates => "crates",
            Self::IndexFiles => "index files",
            Self::CrateFiles => "crate files",
            Self::UpstreamFiles => "files of upstreams",
            Self::IndexExport => "the copy of the index",
            Self::Jobs => "jobs",
        }
    }
}

/// Where a run resumes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub phase: Phase,
    /// The last crate, directory or file that was checked; empty at the start of a phase.
    pub cursor: String,
    /// Crates before it that were in flight.
    pub in_flight: Vec<(i32, String)>,
}

/// How much was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub crates: u64,
    pub versions: u64,
    pub index_files: u64,
    pub crate_files: u64,
    /// Bytes of the crate files that were read.
    pub bytes: u64,
    /// Files that are kept of upstreams.
    #[serde(default)]
    pub upstream_index_files: u64,
    #[serde(default)]
    pub upstream_crate_files: u64,
    /// Files of the index that its copy in a bucket was compared with.
    #[serde(default)]
    pub exported_files: u64,
}

/// A crate that had a pending job at every check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    #[serde(rename = "crate")]
    pub crate_name: String,
}

/// The report of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// `full` or `light`.
    pub mode: String,
    pub started_at: DateTime<Utc>,
    /// When the run ended.
    pub finished_at: DateTime<Utc>,
    /// Everything was checked.
    pub complete: bool,
    /// The run resumed an interrupted one.
    pub resumed: bool,
    pub counts: Counts,
    /// Differences of each kind, including repaired ones.
    pub by_kind: BTreeMap<Kind, u64>,
    /// Differences that remain.
    pub left: u64,
    /// Differences that were repaired.
    pub repaired: u64,
    /// The first 10,000 differences.
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
            if self.differences.len() < LISTED {
                self.differences.push(difference);
            }
        }
    }

    /// The number of all differences, including repaired ones.
    pub fn found(&self) -> u64 {
        self.left + self.repaired
    }

    /// Whether no difference remains.
    pub fn agrees(&self) -> bool {
        self.left == 0
    }

    pub(super) fn standing(&self) -> verify_reports::Standing {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let first: Vec<&Difference> = self.differences.iter().take(SAVED).collect();
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

    /// The JSON from which a later run resumes.
    pub(super) fn to_position(&self, position: &Position) -> Value {
        json!({ "position": position, "report": self })
    }

    pub(super) fn from_position(saved: &Value) -> Option<(Position, Self)> {
        let part = |name: &str| saved.get(name).cloned().unwrap_or_default();
        let position = serde_json::from_value(part("position")).ok()?;
        let report: Self = serde_json::from_value(part("report")).ok()?;
        Some((position, Self { resumed: true, ..report }))
    }
}
