//! Dead jobs, whose work is not done.

use crate::queue::inspection::{self, JobView};
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;
use crate::verify::progress::{Flow, Progress};

/// Jobs per page.
const PAGE: i64 = 500;

pub fn check(context: &Context<'_>, progress: &mut Progress<'_>) -> Result<Flow, VerifyError> {
    let mut after = i64::MIN;
    loop {
        let page = context.database(|connection| inspection::dead_after(connection, after, PAGE))?;
        let Some(last) = page.last() else { return Ok(Flow::Done) };
        after = last.id;
        if context.is_stopped() {
            return Ok(Flow::Stopped);
        }
        progress.record(context, page.iter().map(difference).collect())?;
    }
}

fn difference(job: &JobView) -> Difference {
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
