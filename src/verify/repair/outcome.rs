//! The outcome of a repair.

use crate::queue::{JobId, inspection};
use crate::verify::context::Context;
use crate::verify::difference::Difference;
use crate::verify::error::VerifyError;

/// The outcome of a repair, before the difference is checked again.
pub enum Outcome {
    /// What was done.
    Done(String),
    /// The job that was requested, and what it does.
    Requested(JobId, String),
    /// Why nothing was done.
    Left(String),
}

impl Outcome {
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Requested(job, _) => Some(*job),
            Self::Done(_) | Self::Left(_) => None,
        }
    }

    /// Adds the outcome to the difference. `remaining` holds the differences that still exist.
    pub fn apply(
        self,
        context: &Context<'_>,
        difference: Difference,
        remaining: &[Difference],
    ) -> Result<Difference, VerifyError> {
        let remains = remaining.iter().any(|one| one.is_same(&difference));
        Ok(match self {
            Self::Left(why) => Difference { left: Some(why), ..difference },
            Self::Done(done) if remains => {
                Difference { left: Some(format!("{done}, but the difference remains")), ..difference }
            }
            Self::Done(done) => Difference { repaired: Some(done), ..difference },
            Self::Requested(job, done) => {
                let view = context.database(|connection| inspection::show(connection, job))?;
                match view {
                    Some(view) if view.state == "done" && !remains => {
                        let commit = view.detail.map_or_else(String::new, |detail| format!(", {detail}"));
                        Difference { repaired: Some(format!("{done} (job {job}{commit})")), ..difference }
                    }
                    Some(view) => {
                        let error = view.error.as_deref().and_then(|error| error.lines().next()).unwrap_or("");
                        let left = format!("the job {job} is {} {error}: see `supercargo jobs show {job}`", view.state);
                        Difference { left: Some(left), ..difference }
                    }
                    None => Difference { left: Some(format!("the job {job} no longer exists")), ..difference },
                }
            }
        })
    }
}
