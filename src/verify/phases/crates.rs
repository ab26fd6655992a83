//! Each crate's rows and its file in the index.

use std::time::{Duration, Instant};

use crate::database::upkeep::crate_states;
use crate::verify::context::Context;
use crate::verify::error::VerifyError;
use crate::verify::progress::{Flow, Progress};
use crate::verify::recheck::counts;
use crate::verify::recheck::crates::{CrateCheck, differences, recheck};
use crate::verify::report::{InFlight, Phase};

/// Pause between two checks of the crates in flight.
const CHECK_EVERY: Duration = Duration::from_millis(50);

/// Checks the crates after the one of the cursor.
pub fn check(context: &Context<'_>, progress: &mut Progress<'_>, cursor: &str) -> Result<Flow, VerifyError> {
    let mut after: i32 = cursor.parse().unwrap_or(0);
    loop {
        let crates = context.database(|connection| crate_states::page(connection, after, context.settings.page))?;
        let Some(last) = crates.last() else { break };
        after = last.id;
        let head = context.index.head()?;
        let mut found = Vec::new();
        for krate in &crates {
            progress.crates.take(1, &|| context.is_stopped());
            if context.is_stopped() {
                return Ok(Flow::Stopped);
            }
            // This can be wrong, because the rows are older than the head.
            if !differences(context.index, krate, &head, &[])?.is_empty() {
                match recheck(context, krate.id)? {
                    CrateCheck::Differences(differences) => found.extend(differences),
                    CrateCheck::InFlight => progress.in_flight.push((krate.id, krate.name.to_string())),
                }
            }
            progress.report.counts.crates += 1;
            progress.report.counts.versions += krate.versions.len() as u64;
        }
        progress.record(context, found)?;
        progress.save(context, Phase::Crates, &after.to_string())?;
    }
    if settle(context, progress)? == Flow::Stopped {
        return Ok(Flow::Stopped);
    }
    progress.record(context, counts::check(context)?)?;
    Ok(Flow::Done)
}

/// Checks the crates in flight again until none is left or the patience of the settings ends.
fn settle(context: &Context<'_>, progress: &mut Progress<'_>) -> Result<Flow, VerifyError> {
    let until = Instant::now() + context.settings.patience;
    loop {
        let mut found = Vec::new();
        for (id, name) in std::mem::take(&mut progress.in_flight) {
            match recheck(context, id)? {
                CrateCheck::Differences(differences) => found.extend(differences),
                CrateCheck::InFlight => progress.in_flight.push((id, name)),
            }
        }
        progress.record(context, found)?;
        if context.is_stopped() {
            return Ok(Flow::Stopped);
        }
        if progress.in_flight.is_empty() || Instant::now() >= until {
            break;
        }
        std::thread::sleep(CHECK_EVERY);
    }
    let left = progress.in_flight.drain(..).map(|(_, crate_name)| InFlight { crate_name });
    progress.report.in_flight.extend(left);
    Ok(Flow::Done)
}
