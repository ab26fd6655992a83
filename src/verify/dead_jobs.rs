//! Jobs that failed too often. What they should have done is not done.

use super::difference::{Difference, Kind};
use super::run::{Flow, Run, VerifyError};
use crate::queue::inspection::{self, JobView};

/// Jobs that are read at once.
const PAGE: i64 = 500;

impl Run<'_> {
    pub(super) fn look_at_dead_jobs(&mut self) -> Result<Flow, VerifyError> {
        let mut after = i64::MIN;
        loop {
            let page = self.verifier.database(|connection| inspection::dead_after(connection, after, PAGE))?;
            let Some(last) = page.last() else { return Ok(Flow::Done) };
            after = last.id;
            if self.verifier.is_stopped() {
                return Ok(Flow::Stopped);
            }
            self.settled(page.iter().map(tell).collect())?;
        }
    }
}

fn tell(job: &JobView) -> Difference {
    let field = |name: &str| job.payload.as_ref().and_then(|payload| payload.get(name));
    let text = |name: &str| field(name).and_then(|value| value.as_str()).map(str::to_owned);
    let error = job.error.as_deref().and_then(|error| error.lines().next()).unwrap_or("no error");
    let found = format!("job {}, {}, dead after {} attempts: {error}", job.id, job.kind, job.attempts);
    let mut difference = Difference::new(Kind::DeadJob, found, "no dead job").at(format!("job {}", job.id));
    difference.crate_name = text("name").or_else(|| job.key.clone());
    difference.version = text("num");
    difference.subject.job = Some(job.id);
    difference
}
