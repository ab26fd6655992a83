//! Position and report of the current run.

use std::time::{Duration, Instant};

use super::context::Context;
use super::difference::Difference;
use super::error::VerifyError;
use super::repair::{Repairs, repair};
use super::report::{Phase, Position, Report};
use super::throttle::Throttle;
use crate::database::upkeep::verify_reports;
use crate::fault;

/// How often the position is saved, apart from the start of each phase.
const SAVE_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Progress<'a> {
    /// None if nothing is to be changed.
    pub repairs: Option<&'a Repairs<'a>>,
    pub report: Report,
    pub bytes: Throttle,
    pub crates: Throttle,
    /// The row of `verify_reports`.
    pub id: i64,
    /// Crates that are in flight and have to be checked again.
    pub in_flight: Vec<(i32, String)>,
    pub saved_at: Option<Instant>,
}

/// Whether the run continues.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Done,
    Stopped,
}

impl Progress<'_> {
    /// Saves that everything up to here was checked, except for the crates in flight.
    pub fn save(&mut self, context: &Context<'_>, phase: Phase, cursor: &str) -> Result<(), VerifyError> {
        context.watch.seen(phase, &self.report);
        fault::point("verify.page")?;
        if self.saved_at.is_some_and(|saved| saved.elapsed() < SAVE_EVERY) && !cursor.is_empty() {
            return Ok(());
        }
        self.saved_at = Some(Instant::now());
        let position = Position { phase, cursor: cursor.to_owned(), in_flight: self.in_flight.clone() };
        let (standing, position) = (self.report.standing(), self.report.to_position(&position));
        let id = self.id;
        context.database(|connection| verify_reports::note(connection, id, &standing, &position))
    }

    /// Repairs differences that a second check confirmed, if that is allowed, and adds them to the report.
    pub fn record(&mut self, context: &Context<'_>, differences: Vec<Difference>) -> Result<(), VerifyError> {
        let differences = match self.repairs {
            Some(repairs) if !differences.is_empty() => repair(context, repairs, differences)?,
            _ => differences,
        };
        self.report.add(differences);
        Ok(())
    }
}
