//! Jobs that a repair requests or requeues.

use std::time::{Duration, Instant};

use super::outcome::Outcome;
use super::repairs::Repairs;
use crate::queue::{JobId, inspection, intervention};
use crate::verify::context::Context;
use crate::verify::difference::Difference;
use crate::verify::error::VerifyError;

/// Pause between two checks of requested jobs.
const CHECK_EVERY: Duration = Duration::from_millis(20);
/// How long a repair waits for its jobs.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn retry_dead(
    context: &Context<'_>,
    repairs: &Repairs<'_>,
    difference: &Difference,
) -> Result<Outcome, VerifyError> {
    if !repairs.retry_dead {
        return Ok(Outcome::Left(difference.kind.remedy().to_owned()));
    }
    let job = difference.subject.job.unwrap_or_default();
    context.database(|connection| intervention::retry(connection, job, &repairs.actor.name))?;
    Ok(Outcome::Requested(job, "the job was requeued".to_owned()))
}

/// Waits until the jobs have ended. Other workers have the grace time to run them; after that they are run here.
pub fn wait_for(context: &Context<'_>, repairs: &Repairs<'_>, jobs: &[JobId]) -> Result<(), VerifyError> {
    let are_pending = || context.database(|connection| inspection::any_of_pending(connection, jobs));
    let started = Instant::now();
    while !jobs.is_empty() && are_pending()? && started.elapsed() < PATIENCE && !context.is_stopped() {
        if started.elapsed() >= repairs.grace {
            (repairs.perform)().map_err(VerifyError::Perform)?;
            if repairs.grace.is_zero() {
                return Ok(());
            }
        }
        std::thread::sleep(CHECK_EVERY);
    }
    Ok(())
}
