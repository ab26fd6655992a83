//! `GET /queue`. With `fragment=1` only the parts that the script refreshes.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::{TimeDelta, Utc};
use diesel::PgConnection;
use maud::{Markup, html};

use super::admin::{Admin, signature};
use super::known::{Known, known};
use super::list::{self, Asked, PER_PAGE};
use super::{history, live, state};
use crate::checks::finding::Finding;
use crate::checks::{disk, disk_full, of_database};
use crate::queue::inspection::{self, Gauges};
use crate::queue::listing::{self, JobPage};
use crate::queue::recent::{LastDay, RecentHistory};
use crate::web::extract::query::QueryParameters;
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::{counted, name};
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

/// Receipts among which those of a change are counted.
const LATEST: i64 = 1000;

/// The state of the queue.
struct Seen {
    gauges: Vec<Gauges>,
    findings: Vec<Finding>,
    day: Arc<LastDay>,
    page: JobPage,
    /// Dead jobs of a kind that this admin has retried a moment ago, if the page is to say so.
    retried: Option<i64>,
}

/// What is read for the page.
struct Wanted {
    asked: Asked,
    known: &'static Known,
    recent: RecentHistory,
    data_dir: PathBuf,
    /// The kind and the name in receipts, after dead jobs were retried.
    retried: Option<(String, String)>,
}

pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Admin(caller): Admin,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let (asked, known) = (Asked::read(&query)?, known()?);
    let index = app.index.view.index();
    let noticed = query.get("notice") == Some("retried-dead");
    let wanted = Wanted {
        asked: asked.clone(),
        known,
        recent: app.recent_history.clone(),
        data_dir: index.path().parent().unwrap_or(index.path()).to_owned(),
        retried: noticed.then(|| (asked.filter.kind.clone(), signature(&caller))),
    };
    let seen = app.with_connection(move |connection| wanted.read(connection)).await?;
    let links = visit.links();
    let workers = app.health.workers();
    let upper = html! {
        (live::read_at(Utc::now(), &asked.path(links, asked.from)))
        (state::health(&seen.findings))
        (state::counts(links, &seen.gauges, known))
        (state::workers(workers.as_deref(), &seen.findings))
        (history::section(&seen.day))
    };
    let upper = live::part("queue-state", &upper);
    let jobs = live::part("queue-jobs", &list::jobs(links, &asked, &seen.page));
    if live::is_fragment(&query) {
        return Ok(live::fragment(html! { (upper) (jobs) }));
    }
    let content = html! {
        h1 { "Queue" }
        (notice(links, &query, &seen))
        (live::stale())
        (upper)
        section aria-labelledby="jobs" {
            h2 id="jobs" { "List of jobs" }
            (list::filters(links, &asked, &seen.gauges))
            (jobs)
        }
    };
    Ok(visit.show(Page::new("Queue", content).unlisted()))
}

impl Wanted {
    fn read(self, connection: &mut PgConnection) -> Result<Seen, ApiError> {
        let known = self.known;
        let mut findings = of_database(connection, &known.judged());
        findings.extend(disk::check(&self.data_dir, known.limits.disk_limit));
        findings.push(disk_full::check(&self.data_dir, None));
        let retried = match self.retried {
            Some((kind, by)) => Some(retried_now(connection, &kind, &by)?),
            None => None,
        };
        Ok(Seen {
            gauges: inspection::gauges(connection, &known.kinds.with_queues())?,
            findings,
            day: self.recent.look(connection)?,
            page: listing::page(connection, &self.asked.filter, self.asked.from, PER_PAGE)?,
            retried,
        })
    }
}

/// How many jobs of a kind this admin has retried within a minute.
fn retried_now(connection: &mut PgConnection, kind: &str, by: &str) -> Result<i64, ApiError> {
    let since = Utc::now() - TimeDelta::minutes(1);
    let receipts = inspection::latest_receipts(connection, LATEST)?;
    let own = receipts.iter().filter(|receipt| receipt.outcome == "retried" && receipt.kind == kind);
    let own = own.filter(|receipt| receipt.finished_at > since && receipt.finished_by.as_deref() == Some(by));
    Ok(i64::try_from(own.count()).unwrap_or(i64::MAX))
}

/// What a change did, as the receipts have it.
fn notice(links: &Links, query: &QueryParameters, seen: &Seen) -> Markup {
    let job = query.get("job").and_then(|job| job.parse::<i64>().ok());
    html! {
        @match (query.get("notice"), seen.retried, job) {
            (_, Some(0), _) => {
                p class="notice" role="status" { "Nothing was changed: no job of this kind was dead any longer." }
            }
            (_, Some(count), _) => {
                p class="notice good" role="status" {
                    (counted(count, "dead job")) " of " (name(query.get("kind").unwrap_or_default()))
                    " were retried, with their attempts reset. "
                    a href=(links.queue(&[])) { "Show all pending jobs" }
                }
            }
            (Some("no-job"), _, Some(job)) => {
                p class="notice" role="status" {
                    "Nothing was changed: there is no job " (job) " any longer. Its receipts may be older than the history is kept."
                }
            }
            _ => {}
        }
    }
}
