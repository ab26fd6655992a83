//! `GET /queue`. With `fragment=1` only the parts that the script refreshes.

use std::path::PathBuf;
use std::sync::Arc;

use axum::response::Response;
use chrono::Utc;
use diesel::PgConnection;
use maud::html;

use super::known::{Known, known};
use super::list::{self, Asked, PER_PAGE};
use super::notice::notice;
use super::subject::{self, Subjects};
use super::{history, live, state};
use crate::checks::finding::Finding;
use crate::checks::{disk, disk_full, of_database};
use crate::queue::inspection::{self, Gauges};
use crate::queue::listing::{self, JobPage};
use crate::queue::recent::{LastDay, RecentHistory};
use crate::web::ApiError;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::layout::Page;

/// The state of the queue.
struct Seen {
    gauges: Vec<Gauges>,
    findings: Vec<Finding>,
    day: Arc<LastDay>,
    page: JobPage,
    /// What the jobs of the page are about.
    subjects: Subjects,
}

/// What is read for the page.
struct Wanted {
    asked: Asked,
    known: &'static Known,
    recent: RecentHistory,
    data_dir: PathBuf,
}

pub async fn show(admin: Admin, query: QueryParameters) -> Result<Response, ApiError> {
    let (asked, known) = (Asked::read(&query)?, known()?);
    let index = admin.app.index.view.index();
    let wanted = Wanted {
        asked: asked.clone(),
        known,
        recent: admin.app.recent_history.clone(),
        data_dir: index.path().parent().unwrap_or(index.path()).to_owned(),
    };
    let seen = admin.app.with_connection(move |connection| wanted.read(connection)).await?;
    let links = admin.links();
    let workers = admin.app.health.workers();
    let upper = html! {
        (live::read_at(Utc::now(), &asked.path(links, asked.from)))
        (state::health(links, &seen.findings))
        (state::counts(links, &seen.gauges, known))
        (state::workers(workers.as_deref(), &seen.findings))
        (history::section(&seen.day))
    };
    let upper = live::part("queue-state", &upper);
    let jobs = live::part("queue-jobs", &list::jobs(links, &asked, &seen.page, &seen.subjects));
    if live::is_fragment(&query) {
        return Ok(live::fragment(html! { (upper) (jobs) }));
    }
    let content = html! {
        h1 { "Queue" }
        (notice(&admin.visit, &query, dead_of(&seen.gauges, &asked.filter.kind)))
        (live::stale())
        (upper)
        section aria-labelledby="jobs" {
            h2 id="jobs" { "List of jobs" }
            (list::filters(links, &asked, &seen.gauges))
            (jobs)
        }
    };
    Ok(admin.visit.show(Page::new("Queue", content).unlisted()))
}

/// How many jobs of a kind are dead.
pub fn dead_of(gauges: &[Gauges], kind: &str) -> i64 {
    gauges.iter().filter(|gauge| gauge.kind == kind).map(|gauge| gauge.dead).sum()
}

impl Wanted {
    fn read(self, connection: &mut PgConnection) -> Result<Seen, ApiError> {
        let known = self.known;
        let mut findings = of_database(connection, &known.judged());
        findings.extend(disk::check(&self.data_dir, known.limits.disk_limit));
        findings.push(disk_full::check(&self.data_dir, None));
        let page = listing::page(connection, &self.asked.filter, self.asked.from, PER_PAGE)?;
        Ok(Seen {
            gauges: inspection::gauges(connection, &known.kinds.with_queues())?,
            findings,
            day: self.recent.look(connection)?,
            subjects: subject::of(connection, &page.jobs)?,
            page,
        })
    }
}
