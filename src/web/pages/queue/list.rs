//! The list of jobs on `/queue`: pending ones in the order of their arrival, dead and finished ones newest first.

use maud::{Markup, html};
use strum::VariantNames;

use super::subject::Subjects;
use super::words::tag;
use crate::queue::inspection::{Gauges, JobView};
use crate::queue::listing::{JobFilter, JobPage, LOOKED_THROUGH, Listed};
use crate::web::ApiError;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::{beginning, name, number, text};
use crate::web::pages::parts::time::ago;

/// Jobs on a page.
pub const PER_PAGE: usize = 50;
/// The longest value of a filter, in characters.
const LONGEST: usize = 400;
/// Characters of an error in the list.
const ERROR: usize = 120;

/// Which jobs are asked for, and from where on.
#[derive(Clone, Debug)]
pub struct Asked {
    pub filter: JobFilter,
    pub from: Option<i64>,
}

impl Asked {
    pub fn read(query: &QueryParameters) -> Result<Self, ApiError> {
        let given = |name: &str| query.text(name).unwrap_or_default().trim().chars().take(LONGEST).collect::<String>();
        let state = match query.get("state") {
            None | Some("") => Listed::default(),
            Some(_) => query.choice("state")?.unwrap_or_default(),
        };
        let filter = JobFilter { state, kind: given("kind"), key: given("key"), requested_by: given("by") };
        Ok(Self { filter, from: query.parsed("seek", "taken from a link of this list")? })
    }

    /// The link to this list from a place on.
    pub fn path(&self, links: &Links, from: Option<i64>) -> String {
        let from = from.map(|from| from.to_string()).unwrap_or_default();
        let state = if self.filter.state == Listed::default() { "" } else { self.filter.state.as_str() };
        let filter = &self.filter;
        links.queue(&[
            ("state", state),
            ("kind", &filter.kind),
            ("key", &filter.key),
            ("by", &filter.requested_by),
            ("seek", &from),
        ])
    }

    fn is_narrowed(&self) -> bool {
        let filter = &self.filter;
        [&filter.kind, &filter.key, &filter.requested_by].iter().any(|text| !text.is_empty())
    }
}

/// The fields that narrow the list.
pub fn filters(links: &Links, asked: &Asked, gauges: &[Gauges]) -> Markup {
    let filter = &asked.filter;
    let mut kinds: Vec<&str> = gauges.iter().map(|gauge| &*gauge.kind).collect();
    if !filter.kind.is_empty() && !kinds.contains(&&*filter.kind) {
        kinds.push(&filter.kind);
    }
    html! {
        form class="filters" action=(links.queue(&[])) method="get" aria-label="Narrow the list of jobs" {
            div {
                label for="state" { "State" }
                select id="state" name="state" {
                    @for state in Listed::VARIANTS {
                        option value=(state) selected[*state == filter.state.as_str()] { (state) }
                    }
                }
            }
            div {
                label for="kind" { "Kind" }
                select id="kind" name="kind" {
                    option value="" selected[filter.kind.is_empty()] { "all kinds" }
                    @for kind in kinds { option value=(kind) selected[kind == filter.kind] { (kind) } }
                }
            }
            (field("key", "Crate or key", &filter.key))
            (field("by", "Requested by", &filter.requested_by))
            div {
                button type="submit" { "Show" }
                @if asked.is_narrowed() || filter.state != Listed::default() { " " a href=(links.queue(&[])) { "Show all pending jobs" } }
            }
        }
    }
}

fn field(id: &str, label: &str, value: &str) -> Markup {
    html! {
        div {
            label for=(id) { (label) }
            input id=(id) name=(id) value=(value) maxlength=(LONGEST) autocapitalize="none" autocomplete="off" spellcheck="false";
        }
    }
}

/// The jobs.
pub fn jobs(links: &Links, asked: &Asked, page: &JobPage, subjects: &Subjects) -> Markup {
    let state = asked.filter.state;
    html! {
        @if page.jobs.is_empty() {
            p {
                @if asked.is_narrowed() { "No such job is " } @else { "No job is " }
                (state.as_str())
                @if page.is_cut { " among the receipts that were looked through" }
                "."
            }
        } @else {
            div class="scroll" { (table(links, state, page, subjects)) }
        }
        @if page.is_cut {
            p class="muted" { "For this page " (number(LOOKED_THROUGH)) " receipts were looked through. There are older ones." }
        }
        @if asked.from.is_some() || page.next.is_some() {
            nav class="pager" aria-label="Pages" {
                @if asked.from.is_some() { a rel="first" href=(asked.path(links, None)) { "← First page" } }
                @if page.next.is_some() { a rel="next" href=(asked.path(links, page.next)) { "Next →" } }
            }
        }
    }
}

fn caption(state: Listed) -> &'static str {
    match state {
        Listed::Done => "Finished and discarded jobs, the newest first",
        Listed::Dead => "Dead jobs, the newest first",
        _ => "Jobs in the order of their arrival",
    }
}

/// The roles stay when a narrow screen shows the cells below each other, which takes them from the elements.
fn table(links: &Links, state: Listed, page: &JobPage, subjects: &Subjects) -> Markup {
    const COLUMNS: [&str; 7] = ["Job", "State", "Kind", "About", "Requested", "Attempts", "Error or result"];
    html! {
        table class="jobs" role="table" {
            caption { (caption(state)) }
            thead role="rowgroup" {
                tr role="row" {
                    @for column in COLUMNS {
                        th scope="col" role="columnheader" class=[(column == "Attempts").then_some("n")] { (column) }
                    }
                }
            }
            tbody role="rowgroup" { @for job in &page.jobs { (row(links, job, subjects)) } }
        }
    }
}

fn row(links: &Links, job: &JobView, subjects: &Subjects) -> Markup {
    let said = job.error.as_deref().or(job.detail.as_deref()).unwrap_or_default();
    html! {
        tr role="row" {
            th scope="row" role="rowheader" { a href=(links.job(job.id)) { (job.id) } }
            td role="cell" { span class=(tag(&job.state)) { (text(&job.state)) } }
            td role="cell" { (name(&job.kind)) }
            td role="cell" class="wrap" {
                @if let Some(key) = &job.key { (name(key)) } @else { "–" }
                @if let Some(num) = subjects.get(&job.id) { " " (name(num)) }
            }
            td role="cell" { (ago(job.created_at)) @if let Some(by) = &job.requested_by { " by " (name(by)) } }
            td role="cell" class="n" { (job.attempts) }
            td role="cell" class="wrap" { (text(&beginning(said, ERROR))) }
        }
    }
}
