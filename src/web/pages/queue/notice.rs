//! What a change did to more than one job, or to one that is not there: said once more by the page that the change leads to.
//! The link has what was done, sealed for the session, so that neither a later change nor a made-up link says something else.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::queue::JobId;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::{counted, name};
use crate::web::pages::parts::time::ago;
use crate::web::pages::visit::Visit;

/// What was done.
#[derive(Debug, PartialEq, Eq)]
enum Done {
    /// So many dead jobs were retried.
    Retried(i64),
    /// There was no job with this number.
    NoJob(JobId),
}

/// The parameters of a link. Their order is that of the sealed text.
const NOTICE: &str = "notice";
const COUNT: &str = "count";
const AT: &str = "at";
const SEAL: &str = "seal";

/// The link that says how many dead jobs of a kind were just retried.
pub fn retried(admin: &Admin, kind: &str, count: i64) -> String {
    place(admin, "retried-dead", kind, count)
}

/// The link that says that there is no such job.
pub fn no_job(admin: &Admin, id: JobId) -> String {
    place(admin, "no-job", "", id)
}

fn place(admin: &Admin, notice: &str, kind: &str, count: i64) -> String {
    let (count, at) = (count.to_string(), Utc::now().timestamp().to_string());
    let seal = admin.visit.seal(&sealed([notice, &count, &at, kind]));
    admin.links().queue(&[("kind", kind), (NOTICE, notice), (COUNT, &count), (AT, &at), (SEAL, &seal)])
}

/// The text that is sealed. Only the last part may have spaces.
fn sealed(parts: [&str; 4]) -> String {
    parts.join(" ")
}

/// What a link says, and when it was done; None if the link was not made for this session.
fn said(visit: &Visit, query: &QueryParameters) -> Option<(Done, DateTime<Utc>)> {
    let of = |name| query.get(name).unwrap_or_default();
    let statement = sealed([of(NOTICE), of(COUNT), of(AT), of("kind")]);
    if !visit.has_sealed(&statement, of(SEAL)) {
        return None;
    }
    let count = of(COUNT).parse().ok()?;
    let done = if of(NOTICE) == "no-job" { Done::NoJob(count) } else { Done::Retried(count) };
    Some((done, DateTime::from_timestamp(of(AT).parse().ok()?, 0)?))
}

/// What the change did that led here; nothing on other ways. `dead` jobs of the kind are dead now.
pub fn notice(visit: &Visit, query: &QueryParameters, dead: i64) -> Markup {
    let kind = query.get("kind").unwrap_or_default();
    html! {
        @match said(visit, query) {
            Some((Done::Retried(0), at)) => {
                p class="notice" role="status" {
                    "Your retry " (ago(at)) " changed nothing: none of the jobs of " (name(kind)) " that it named was dead any longer."
                }
            }
            Some((Done::Retried(count), at)) => { (after_retry(visit.links(), (kind, count), at, dead)) }
            Some((Done::NoJob(id), at)) => {
                p class="notice" role="status" {
                    "Nothing was changed " (ago(at)) ": job " (id) " is neither pending nor dead, and the history does not have it. It may \
                     have ended longer ago than the history is kept."
                }
            }
            None => {}
        }
    }
}

fn after_retry(links: &Links, (kind, count): (&str, i64), at: DateTime<Utc>, dead: i64) -> Markup {
    html! {
        p class="notice good" role="status" {
            "You retried " (counted(count, "dead job")) " of " (name(kind)) " " (ago(at))
            @if count == 1 { ", with its attempts reset. " } @else { ", with their attempts reset. " }
            @if dead > 0 {
                (counted(dead, "job")) " of this kind " @if dead == 1 { "is" } @else { "are" } " dead now: "
                a href=(links.retry_dead(kind)) { "retry" @if dead == 1 { " it" } @else { " them" } } ". "
            }
            a href=(links.queue(&[])) { "Show all pending jobs" }
        }
    }
}
