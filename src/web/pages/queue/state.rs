//! The state of the queue: its health, its numbers, and who works.

use maud::{Markup, html};
use serde_json::Value;

use super::known::Known;
use crate::checks::finding::{Finding, Severity, span};
use crate::checks::{DEAD_JOBS, VERIFICATION, worst};
use crate::queue::QueueWorkers;
use crate::queue::inspection::Gauges;
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::{name, number, text, with_code};

/// The findings of the checks, as a line and as a table.
pub fn health(links: &Links, findings: &[Finding]) -> Markup {
    let severity = worst(findings);
    let mut wrong: Vec<&Finding> = findings.iter().filter(|finding| finding.severity > Severity::Ok).collect();
    wrong.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let look = match severity {
        Severity::Critical | Severity::Unknown => "notice bad",
        Severity::Warning => "notice warn",
        Severity::Ok | Severity::Skipped => "notice good",
    };
    html! {
        section aria-labelledby="health" {
            h2 id="health" { "Health" }
            p class=(look) {
                strong { (severity.word()) } " "
                @if wrong.is_empty() { "No check found a problem." }
                @for (place, finding) in wrong.iter().enumerate() { @if place > 0 { "; " } (with_code(&finding.summary)) }
                @if wrong.iter().any(|finding| finding.check == DEAD_JOBS) {
                    " " a href=(format!("{}#jobs", links.queue(&[("state", "dead")]))) { "Show dead jobs" }
                }
            }
            (verification(findings))
            details id="checks" {
                summary { "All checks" }
                div class="scroll" tabindex="0" role="group" aria-label="Checks" {
                    table {
                        caption { "What this process found just now" }
                        thead { tr { th scope="col" { "Check" } th scope="col" { "State" } th scope="col" { "Finding" } } }
                        tbody {
                            @for finding in findings {
                                tr {
                                    th scope="row" { (finding.check) }
                                    td {
                                        @if is_never_verified(finding) { span class="tag" { "NEVER RUN" } }
                                        @else { span class=(tag(finding.severity)) { (finding.severity.word()) } }
                                    }
                                    td class="wrap" { (with_code(&finding.summary)) }
                                }
                            }
                        }
                    }
                }
                p class="muted" {
                    "These are the checks of " code { "supercargo monitor" } " that need the database or the disk, with its \
                     default limits. Only the monitor itself applies the limits that you gave it, checks the certificate, the \
                     index's remote, a crate store elsewhere and the answer of " code { "/health/ready" } ", and sends alerts."
                }
            }
        }
    }
}

fn tag(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::Unknown => "tag bad",
        Severity::Warning => "tag warn",
        Severity::Ok => "tag good",
        Severity::Skipped => "tag",
    }
}

/// Whether this is the check of the verification, and there was none. Without a limit for its age that is no problem, but it
/// does not show that all is well either.
fn is_never_verified(finding: &Finding) -> bool {
    finding.check == VERIFICATION && finding.severity <= Severity::Ok && finding.details.is_null()
}

/// The last verification, as the check has found it.
fn verification(findings: &[Finding]) -> Markup {
    let Some(found) = findings.iter().find(|finding| finding.check == VERIFICATION) else { return html! {} };
    let of = |field: &str| found.details.get(field).and_then(Value::as_str).unwrap_or_default();
    html! {
        @if is_never_verified(found) {
            p {
                "Never verified: run " code { "supercargo verify" } ", which compares the index, the database and the crate files."
            }
        } @else {
            p {
                "Verification: " (with_code(&found.summary))
                @if !of("mode").is_empty() { " (" (text(of("mode"))) ", requested by " (text(of("requested_by"))) ")" }
                "."
            }
        }
    }
}

/// The numbers of jobs by kind, with links to the jobs.
pub fn counts(links: &Links, gauges: &[Gauges], known: &Known) -> Markup {
    let total = |of: fn(&Gauges) -> i64| gauges.iter().map(of).sum::<i64>();
    let oldest = gauges.iter().map(|gauge| gauge.oldest_seconds).fold(0.0, f64::max);
    html! {
        section aria-labelledby="counts" {
            h2 id="counts" { "Jobs" }
            div class="scroll" tabindex="0" role="group" aria-label="Jobs by kind" {
                table class="counts" {
                    caption { "Jobs by kind; running, failing and delayed ones are pending as well" }
                    thead {
                        tr {
                            th scope="col" { "Kind" } th scope="col" { "Queue" }
                            @for column in COLUMNS { th scope="col" class="n" { (column) } }
                            th scope="col" class="n" { "oldest" }
                        }
                    }
                    tbody {
                        @for gauge in gauges { (row(links, gauge, known.kinds.policy_of(&gauge.kind).is_some())) }
                        tr {
                            th scope="row" { "all" }
                            td {}
                            @for count in [total(|g| g.pending), total(|g| g.running), total(|g| g.failing), total(|g| g.delayed),
                                           total(|g| g.dead)] {
                                td class="n" { (number(count)) }
                            }
                            td class="n" { (age(oldest)) }
                        }
                    }
                }
            }
        }
    }
}

const COLUMNS: [&str; 5] = ["pending", "running", "failing", "delayed", "dead"];

fn row(links: &Links, gauge: &Gauges, is_known: bool) -> Markup {
    let counts = [gauge.pending, gauge.running, gauge.failing, gauge.delayed, gauge.dead];
    html! {
        tr {
            th scope="row" {
                (name(&gauge.kind))
                @if !is_known { " " span class="tag warn" { "unknown here" } }
            }
            td { (name(&gauge.queue)) }
            @for (column, count) in COLUMNS.into_iter().zip(counts) {
                td class="n" {
                    @if count > 0 {
                        a href=(format!("{}#jobs", links.queue(&[("state", column), ("kind", &gauge.kind)]))) {
                            (number(count)) span class="aside" { " " (column) }
                        }
                    } @else { "0" }
                    @if column == "dead" && count > 0 {
                        " " a href=(links.retry_dead(&gauge.kind)) { "retry" span class="aside" { " all dead jobs of " (name(&gauge.kind)) } }
                    }
                }
            }
            td class="n" { (age(gauge.oldest_seconds)) }
        }
    }
}

fn age(seconds: f64) -> String {
    if seconds > 0.0 { span(seconds) } else { "–".to_owned() }
}

/// Who works: this process, and those that are connected to the database.
pub fn workers(here: Option<&[QueueWorkers]>, findings: &[Finding]) -> Markup {
    let found = findings.iter().find(|finding| finding.check == "workers");
    let processes = found.and_then(|finding| finding.details.get("workers")).and_then(Value::as_array);
    let processes: Vec<&str> = processes.into_iter().flatten().filter_map(Value::as_str).collect();
    html! {
        section aria-labelledby="workers" {
            h2 id="workers" { "Workers" }
            @if processes.is_empty() {
                p { "No process with workers is connected to the database: jobs wait until one is started." }
            } @else {
                p {
                    @if processes.len() == 1 { "One process with workers is" } @else { (processes.len()) " processes with workers are" }
                    " connected"
                    ": " @for (place, process) in processes.iter().enumerate() { @if place > 0 { ", " } (name(process)) } "."
                }
            }
            @match here {
                None => { p class="muted" { "This process runs no jobs." } }
                Some(queues) => {
                    div class="scroll" tabindex="0" role="group" aria-label="Workers" {
                        table {
                            caption { "Threads of this process" }
                            thead {
                                tr {
                                    th scope="col" { "Queue" }
                                    @for column in ["threads", "connected", "hung"] { th scope="col" class="n" { (column) } }
                                }
                            }
                            tbody {
                                @for one in queues {
                                    tr {
                                        th scope="row" { (one.queue) }
                                        @for count in [one.threads, one.connected, one.hung] { td class="n" { (count) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
