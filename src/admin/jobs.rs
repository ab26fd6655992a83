//! `supercargo jobs`.

use diesel::PgConnection;
use serde::Serialize;

use super::output::{print_json, print_table, say, time};
pub use super::watch::watch;
use super::{AdminError, check_text};
use crate::database::access::audit::Actor;
use crate::queue::JobId;
use crate::queue::inspection::{self, JobView, Receipt, Selection};
use crate::queue::intervention::{self, Handled};

/// Characters of an error in the table.
const ERROR_WIDTH: usize = 60;

pub fn list(connection: &mut PgConnection, selection: Selection, limit: i64, as_json: bool) -> Result<(), AdminError> {
    let jobs = inspection::list(connection, selection, limit)?;
    if as_json {
        return Ok(print_json(&jobs)?);
    }
    print_table(
        ["ID", "STATE", "KIND", "KEY", "BY", "ATTEMPTS", "CREATED", "DUE OR ENDED", "ERROR OR RESULT"],
        jobs.into_iter().map(|job| {
            let text = job.error.or(job.detail).unwrap_or_default();
            let first_line: String = text.lines().next().unwrap_or_default().chars().take(ERROR_WIDTH).collect();
            let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            [
                job.id.to_string(),
                job.state,
                job.kind,
                dash(job.key),
                dash(job.requested_by),
                job.attempts.to_string(),
                time(Some(job.created_at)),
                time(job.ended_at.or(job.run_at)),
                first_line,
            ]
        }),
    );
    Ok(())
}

/// A job with its history.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    job: JobView,
    receipts: Vec<Receipt>,
}

pub fn show(connection: &mut PgConnection, id: JobId, as_json: bool) -> Result<(), AdminError> {
    let job = inspection::show(connection, id)?.ok_or(AdminError::NoJob(id))?;
    let shown = Shown { job, receipts: inspection::receipts(connection, id)? };
    if as_json {
        return Ok(print_json(&shown)?);
    }
    print_job(&shown.job)?;
    for (place, receipt) in shown.receipts.iter().enumerate() {
        let label = if place == 0 { "history" } else { "" };
        say!("{label:<13}{}", describe(receipt).replace('\n', "\n             "));
    }
    Ok(())
}

/// A history entry on one line: time, outcome, attempt, duration, worker, result.
pub(super) fn describe(receipt: &Receipt) -> String {
    let mut line = format!("{} {}", time(Some(receipt.finished_at)), receipt.outcome);
    if let Some(started) = receipt.started_at {
        let took = (receipt.finished_at - started).num_milliseconds().max(0);
        line.push_str(&format!(", attempt {}, {took} ms", receipt.attempts));
    }
    if let Some(by) = &receipt.finished_by {
        line.push_str(&format!(", by {by}"));
    }
    if let Some(text) = receipt.error.as_ref().or(receipt.detail.as_ref()) {
        line.push_str(&format!(": {text}"));
    }
    line
}

fn print_job(job: &JobView) -> Result<(), AdminError> {
    let payload = job.payload.as_ref().map(serde_json::to_string).transpose()?;
    let lines = [
        ("job", Some(job.id.to_string())),
        ("state", Some(job.state.clone())),
        ("kind", Some(job.kind.clone())),
        ("queue", Some(job.queue.clone())),
        ("about", job.key.clone()),
        ("requested by", job.requested_by.clone()),
        ("request", job.request_id.clone()),
        ("attempts", Some(job.attempts.to_string())),
        ("created", Some(time(Some(job.created_at)))),
        ("due", job.run_at.map(|at| time(Some(at)))),
        ("last started", job.started_at.map(|at| time(Some(at)))),
        ("ended", job.ended_at.map(|at| time(Some(at)))),
        ("worker", job.worker.clone()),
        ("result", job.detail.clone()),
        ("payload", payload),
        ("error", job.error.clone()),
    ];
    for (label, text) in lines {
        if let Some(text) = text {
            say!("{label:<13}{}", text.replace('\n', "\n             "));
        }
    }
    Ok(())
}

pub fn retry(connection: &mut PgConnection, operator: &Actor, ids: &[JobId]) -> Result<(), AdminError> {
    for &id in ids {
        match intervention::retry(connection, id, &operator.name)? {
            Handled::Dead => say!("requeued the dead job {id} with its attempts reset"),
            Handled::Waiting => say!("the waiting job {id} is due now"),
            Handled::Running => return Err(AdminError::JobRuns(id)),
            Handled::Unknown => return Err(AdminError::NoJob(id)),
        }
    }
    Ok(())
}

pub fn discard(connection: &mut PgConnection, operator: &Actor, id: JobId, reason: &str) -> Result<(), AdminError> {
    check_text("the reason", reason)?;
    match intervention::discard(connection, id, &operator.name, reason)? {
        Handled::Dead | Handled::Waiting => say!("discarded the job {id}"),
        Handled::Running => return Err(AdminError::JobRuns(id)),
        Handled::Unknown => return Err(AdminError::NoJob(id)),
    }
    Ok(())
}
