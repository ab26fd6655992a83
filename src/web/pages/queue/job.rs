//! `GET /queue/jobs/{id}`: a job, its attempts, and what can be done with it.

use axum::response::Response;
use chrono::Utc;
use diesel::PgConnection;
use maud::{Markup, html};

use super::known::known;
use super::words::{next, tag};
use super::{live, receipts, subject};
use crate::database::catalog::crate_details;
use crate::package::CrateName;
use crate::queue::JobId;
use crate::queue::inspection::{self, JobView, Receipt};
use crate::web::ApiError;
use crate::web::extract::job_number::{job_id, no_job};
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::{name, text};
use crate::web::pages::parts::time::{ago, exact, machine};

/// A job with its history.
struct Seen {
    job: JobView,
    receipts: Vec<Receipt>,
    /// The crate that it is about, if there is one.
    krate: Option<CrateName>,
    /// The version that it is about.
    num: Option<String>,
}

pub async fn show(admin: Admin, query: QueryParameters, ApiPath(id): ApiPath<String>) -> Result<Response, ApiError> {
    let (id, known) = (job_id(&id)?, known()?);
    let seen = admin.app.with_connection(move |connection| read(connection, id)).await?;
    let links = admin.links();
    let (job, now) = (&seen.job, Utc::now());
    let state = html! {
        (live::read_at(now, &links.job(id)))
        p class="lead" { span class=(tag(&job.state)) { (text(&job.state)) } " " (next(job, &known.kinds, now)) }
        (actions(links, job))
        (facts(links, &seen))
        @if let Some(error) = &job.error { h2 { "Last error" } (receipts::causes(error)) }
        (receipts::history(&seen.receipts))
    };
    let state = live::part("job-state", &state);
    if live::is_fragment(&query) {
        return Ok(live::fragment(state));
    }
    let content = html! {
        nav class="crumbs" aria-label="Path" { a href=(links.queue(&[])) { "Queue" } " / job " (id) }
        h1 { "Job " (id) }
        (notice(query.get("notice").unwrap_or_default(), &seen, &admin.signature()))
        (live::stale())
        (state)
        @if let Some(payload) = &job.payload {
            h2 { "Payload" }
            pre class="plain" { (text(&serde_json::to_string_pretty(payload).unwrap_or_default())) }
        }
    };
    Ok(admin.visit.show(Page::new(format!("Job {id}"), content).unlisted()))
}

fn read(connection: &mut PgConnection, id: JobId) -> Result<Seen, ApiError> {
    let job = inspection::show(connection, id)?.ok_or_else(|| no_job(id))?;
    let receipts = inspection::receipts(connection, id)?;
    let named = subject::krate(&job);
    let found = named.map(|name| crate_details::find_queued(connection, &name)).transpose()?.flatten();
    let num = subject::of(connection, std::slice::from_ref(&job))?.remove(&id);
    Ok(Seen { job, receipts, krate: found.map(|krate| krate.row.name), num })
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
    let (by, said) = if job.state == "discarded" { ("Discarded by", "Reason") } else { ("Worker", "Result") };
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
        (by, job.worker.as_deref().map(name)),
        (said, job.detail.as_deref().map(text)),
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
    let num = seen.num.as_deref();
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
