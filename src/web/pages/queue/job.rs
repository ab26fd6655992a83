//! `GET /queue/jobs/{id}`: a job, its attempts, and what can be done with it.

use axum::extract::State;
use axum::response::Response;
use chrono::Utc;
use diesel::PgConnection;
use maud::{Markup, html};

use super::admin::{Admin, signature};
use super::known::known;
use super::live;
use super::words::{next, tag};
use crate::database::catalog::crate_details;
use crate::package::CrateName;
use crate::queue::JobId;
use crate::queue::inspection::{self, JobView, Receipt};
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::{name, text};
use crate::web::pages::parts::time::{ago, exact, machine};
use crate::web::pages::queue::history::seconds;
use crate::web::pages::visit::Visit;
use crate::web::shortened::shortened;
use crate::web::{ApiError, App};

/// Causes of an error that have lines of their own.
const CAUSES: usize = 40;

/// A job with its history.
struct Seen {
    job: JobView,
    receipts: Vec<Receipt>,
    /// The crate that it is about, if there is one.
    krate: Option<CrateName>,
}

pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Admin(caller): Admin,
    query: QueryParameters,
    ApiPath(id): ApiPath<String>,
) -> Result<Response, ApiError> {
    let (id, known) = (job_id(&id)?, known()?);
    let seen = app.with_connection(move |connection| read(connection, id)).await?;
    let links = visit.links();
    let (job, now) = (&seen.job, Utc::now());
    let state = html! {
        (live::read_at(now, &links.job(id)))
        p class="lead" { span class=(tag(&job.state)) { (text(&job.state)) } " " (next(job, &known.kinds, now)) }
        (actions(links, job))
        (facts(links, &seen))
        @if let Some(error) = &job.error { h2 { "Last error" } (causes(error)) }
        (history(&seen.receipts))
    };
    let state = live::part("job-state", &state);
    if live::is_fragment(&query) {
        return Ok(live::fragment(state));
    }
    let content = html! {
        nav class="crumbs" aria-label="Path" { a href=(links.queue(&[])) { "Queue" } " / job " (id) }
        h1 { "Job " (id) }
        (notice(query.get("notice").unwrap_or_default(), &seen, &signature(&caller)))
        (live::stale())
        (state)
        @if let Some(payload) = &job.payload {
            h2 { "Payload" }
            pre class="plain" { (text(&serde_json::to_string_pretty(payload).unwrap_or_default())) }
        }
    };
    Ok(visit.show(Page::new(format!("Job {id}"), content).unlisted()))
}

/// The number of a job in a path.
pub fn job_id(id: &str) -> Result<JobId, ApiError> {
    id.parse().map_err(|_| ApiError::not_found(format!("there is no job `{}`: jobs have numbers", shortened(id))))
}

/// The error for a job that is not there.
pub fn no_job(id: JobId) -> ApiError {
    ApiError::not_found(format!(
        "there is no job {id}: it was never enqueued, or its receipts are older than the history is kept"
    ))
}

fn read(connection: &mut PgConnection, id: JobId) -> Result<Seen, ApiError> {
    let job = inspection::show(connection, id)?.ok_or_else(|| no_job(id))?;
    let receipts = inspection::receipts(connection, id)?;
    // A key may be the path of a file, which ends with the name of the crate.
    let named = job.key.as_deref().and_then(|key| key.rsplit('/').next()?.parse::<CrateName>().ok());
    let found = named.map(|name| crate_details::find_queued(connection, &name)).transpose()?.flatten();
    Ok(Seen { job, receipts, krate: found.map(|krate| krate.row.name) })
}

/// What an earlier page did, as the receipts and the state have it.
fn notice(said: &str, seen: &Seen, own: &str) -> Markup {
    let last = |outcome: &str| {
        let mut own = seen.receipts.iter().rev().filter(|receipt| receipt.finished_by.as_deref() == Some(own));
        own.find(|receipt| receipt.outcome == outcome).map(|receipt| ago(receipt.finished_at))
    };
    let done = match said {
        "retried" => last("retried").map(|at| html! { "You retried this job " (at) ", with its attempts reset." }),
        "due" => last("retried").map(|at| html! { "You made this job due " (at) "." }),
        "discarded" => last("discarded").map(|at| html! { "You discarded this job " (at) "." }),
        _ => None,
    };
    html! {
        @if let Some(done) = done { p class="notice good" role="status" { (done) } }
        @if said == "unchanged" {
            p class="notice" role="status" {
                "Nothing was changed: meanwhile the job is " strong { (text(&seen.job.state)) } "."
            }
        }
    }
}

/// The changes that are possible.
fn actions(links: &Links, job: &JobView) -> Markup {
    let is_dead = job.state == "dead";
    html! {
        @if is_dead || (job.run_at.is_some() && job.state != "running") {
            p {
                a href=(links.job_change(job.id, "retry")) { @if is_dead { "Retry…" } @else { "Start it now…" } }
                " · "
                a href=(links.job_change(job.id, "discard")) { "Discard…" }
            }
        }
    }
}

fn facts(links: &Links, seen: &Seen) -> Markup {
    let job = &seen.job;
    let time = |at| html! { (ago(at)) ", " time datetime=(machine(at)) { (exact(at)) } };
    let facts = [
        ("Kind", Some(name(&job.kind))),
        ("Queue", Some(name(&job.queue))),
        ("About", about(links, seen)),
        ("Requested by", job.requested_by.as_deref().map(name)),
        ("Request", job.request_id.as_deref().map(|id| html! { code { (name(id)) } })),
        ("Attempts", Some(html! { (job.attempts) })),
        ("Requested", Some(time(job.created_at))),
        ("Due", job.run_at.map(|at| html! { time datetime=(machine(at)) { (exact(at)) } })),
        ("Last started", job.started_at.map(time)),
        ("Ended", job.ended_at.map(time)),
        ("Worker", job.worker.as_deref().map(name)),
        ("Result", job.detail.as_deref().map(text)),
    ];
    html! {
        dl class="review-facts" {
            @for (label, value) in facts {
                @if let Some(value) = value { dt { (label) } dd { (value) } }
            }
        }
    }
}

/// The key, and links to the crate and the version.
fn about(links: &Links, seen: &Seen) -> Option<Markup> {
    let key = seen.job.key.as_deref()?;
    let num = seen.job.payload.as_ref().and_then(|payload| payload.get("num")?.as_str());
    Some(html! {
        @match &seen.krate {
            Some(krate) => {
                a href=(links.krate(krate)) { (name(key)) }
                @if let Some(num) = num { " " a href=(links.version(krate, &num)) { (name(num)) } }
            }
            None => { (name(key)) @if let Some(num) = num { " " (name(num)) } }
        }
        " · " a href=(links.queue(&[("key", key)])) { "other pending jobs" }
        " · " a href=(links.queue(&[("key", key), ("state", "done")])) { "finished ones" }
    })
}

/// An error with its causes, the outermost first. They are stored in one line, with colons between them.
fn causes(error: &str) -> Markup {
    let causes: Vec<&str> = error.splitn(CAUSES, ": ").collect();
    html! { ol class="causes" { @for cause in causes { li { (text(cause)) } } } }
}

/// Every receipt, oldest first.
fn history(receipts: &[Receipt]) -> Markup {
    html! {
        h2 { "History" }
        @if receipts.is_empty() { p class="muted" { "No attempt has ended yet." } } @else {
            div class="scroll" tabindex="0" role="group" aria-label="History" {
                table class="receipts" {
                    caption { "Each attempt that ended, and what was changed by hand, the oldest first" }
                    thead {
                        tr {
                            th scope="col" { "Time" } th scope="col" { "Outcome" } th scope="col" class="n" { "Attempt" }
                            th scope="col" class="n" { "Took" } th scope="col" { "By" } th scope="col" { "Error or result" }
                        }
                    }
                    tbody { @for receipt in receipts { (receipt_row(receipt)) } }
                }
            }
        }
    }
}

fn receipt_row(receipt: &Receipt) -> Markup {
    let took = receipt.started_at.map(|started| (receipt.finished_at - started).as_seconds_f64().max(0.0));
    html! {
        tr {
            td { time datetime=(machine(receipt.finished_at)) { (exact(receipt.finished_at)) } }
            td { span class=(tag(&receipt.outcome)) { (text(&receipt.outcome)) } }
            td class="n" { (receipt.attempts) }
            td class="n" { @if let Some(took) = took { (seconds(took)) } @else { "–" } }
            td class="wrap" { @if let Some(by) = &receipt.finished_by { (name(by)) } @else { "–" } }
            td class="wrap" {
                @if let Some(detail) = &receipt.detail { (text(detail)) }
                @if let Some(error) = &receipt.error { (causes(error)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_a_line_and_the_number_of_lines_is_bounded() {
        let shown = causes("cannot push: https://a.example: <b>").into_string();
        assert_eq!(
            shown,
            "<ol class=\"causes\"><li><bdi>cannot push</bdi></li><li><bdi>https://a.example</bdi></li>\
             <li><bdi>&lt;b&gt;</bdi></li></ol>"
        );
        assert_eq!(causes(&"a: ".repeat(5_000)).into_string().matches("<li>").count(), CAUSES);
    }
}
