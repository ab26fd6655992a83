//! The outcome of the matrix.

use std::collections::BTreeMap;
use std::fmt;

use super::plan::{KINDS, Kind, OPERATIONS, Operation, POINTS};

/// None: they don't meet.
type Outcome = Option<Result<(), String>>;

#[derive(Default)]
pub struct Table {
    cells: BTreeMap<(&'static str, Kind, Operation), Outcome>,
    verified: BTreeMap<&'static str, Result<(), String>>,
}

impl Table {
    pub fn note(&mut self, point: &'static str, operation: Operation, kind: Kind, outcome: Outcome) {
        self.cells.insert((point, kind, operation), outcome);
    }

    pub fn note_verified(&mut self, point: &'static str, outcome: Result<(), String>) {
        self.verified.insert(point, outcome);
    }

    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// What went wrong, a line each.
    pub fn failures(&self) -> Vec<String> {
        let cells = self.cells.iter().filter_map(|((point, kind, operation), outcome)| match outcome {
            Some(Err(why)) => Some(format!("{point} x {kind:?} x {operation:?}: {why}")),
            _ => None,
        });
        let verified = self.verified.iter().filter_map(|(point, outcome)| match outcome {
            Err(why) => Some(format!("{point}, verified at the end: {why}")),
            Ok(()) => None,
        });
        cells.chain(verified).collect()
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.cells.values().filter(|outcome| which(outcome)).count()
    }

    fn marks(&self, point: &'static str, kind: Kind) -> String {
        let mark = |operation: &Operation| match self.cells.get(&(point, kind, *operation)) {
            Some(Some(Ok(()))) => 'o',
            Some(Some(Err(_))) => 'X',
            Some(None) => '-',
            None => ' ',
        };
        OPERATIONS.iter().map(mark).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Columns: publish a crate, publish a version, yank, unyank, yank and at once unyank, delete a crate, stage a \
             version, replace it, approve a set, approve it beside a publish, reject it, let it expire"
        )?;
        writeln!(f, "o held, X did not, - the operation does not pass there, or nothing is left to fail")?;
        writeln!(f, "{:<23}{:<46}{:<13}{:<13}{:<13}verified", "point", "when", "abort", "error", "stall")?;
        for point in POINTS {
            let Some(verified) = self.verified.get(point.name) else { continue };
            write!(f, "{:<23}{:<46}", point.name, point.when)?;
            for kind in KINDS {
                write!(f, "{:<13}", self.marks(point.name, kind))?;
            }
            writeln!(f, "{}", if verified.is_ok() { "agrees" } else { "DIFFERS" })?;
        }
        let passed = self.count(|outcome| matches!(outcome, Some(Ok(()))));
        let failed = self.count(|outcome| matches!(outcome, Some(Err(_))));
        let apart = self.count(Option::is_none);
        write!(f, "{passed} held, {failed} did not, {apart} don't meet; {} cells", self.cells())
    }
}
