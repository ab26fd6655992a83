//! The part of the page that changes: a sentence, the steps, and what is known of the jobs.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::web::pages::links::Links;
use crate::web::pages::parts::text::{counted, text, with_code};
use crate::web::pages::parts::time;
use crate::web::views::StatusView;
use crate::web::views::status::{RequestView, StageView};

/// The title of the page.
pub fn title(view: &StatusView) -> String {
    format!("{} {}: {}", view.krate, view.num, headline(view).to_lowercase())
}

/// The part. The script replaces the content of each of its elements that changed, so that a screen reader says the new
/// sentence, and nothing else.
pub fn part(links: &Links, view: &StatusView) -> Markup {
    html! {
        div id="status-now" role="status" {
            p class={ "notice " (class(view)) } { strong { (headline(view)) "." } " " (with_code(&view.message)) }
        }
        div id="status-more" data-title=(title(view)) data-done=[view.is_done().then_some("")] {
            @if let Some(reason) = &view.deletion_reason { p { "Reason of the deletion: " (text(reason)) } }
            @if let Some(message) = &view.yank_message { p { "Reason of the yank: " (text(message)) } }
            (states(view))
            (steps(view))
            (prospects(view))
            (requests(links, view))
            @if !view.is_done() {
                p { a href=(links.of_version(&view.krate, &view.num, "status")) { "Look again" } }
            }
        }
    }
}

fn headline(view: &StatusView) -> &'static str {
    match (view.progress, view.awaited) {
        ("done", _) if view.state == "deleted" => "Deleted",
        ("done", _) if view.yanked => "Yanked",
        ("done", _) => "Published",
        _ if view.without_worker => "Waiting for a worker",
        ("running", _) => "Being written",
        ("failing", _) => "Delayed",
        ("stopped", _) => "Stopped",
        (_, Some("yank")) => "Yank queued",
        (_, Some("unyank")) => "Unyank queued",
        (_, Some("delete")) => "Deletion queued",
        _ => "Queued",
    }
}

fn class(view: &StatusView) -> &'static str {
    match view.progress {
        "done" if view.state == "published" && !view.yanked => "good",
        "done" | "stopped" => "bad",
        _ => "warn",
    }
}

/// What was requested beside what cargo sees, while they differ.
fn states(view: &StatusView) -> Markup {
    let wanted = match view.awaited {
        Some("delete") => "deleted",
        Some(_) if view.desired_yanked => "yanked",
        Some(_) => "published",
        None => return html! {},
    };
    let seen = match view.state {
        "queued" => "nothing of this version",
        _ if view.yanked => "yanked",
        _ => "published, not yanked",
    };
    html! {
        dl class="review-facts" {
            dt { "Requested" } dd { (wanted) }
            dt { "Cargo sees" } dd { (seen) }
        }
    }
}

fn steps(view: &StatusView) -> Markup {
    html! {
        ol class="stages" {
            @for stage in &view.stages {
                li class=(stage.state) aria-current=[(stage.state == "current").then_some("step")] {
                    (step(view, stage))
                    span class="aside" {
                        @match stage.state { "done" => { " (done)" } "current" => { " (now)" } "failed" => { " (failed)" } _ => { " (not yet)" } }
                    }
                }
            }
        }
    }
}

/// One step, with what is known of it.
fn step(view: &StatusView, stage: &StageView) -> Markup {
    let is_deletion = view.deletion_reason.is_some();
    html! {
        @match stage.stage {
            "accepted" => {
                "Accepted"
                @if let Some(at) = stage.at { " " (time::ago(at)) }
                @if let Some(by) = accepted_by(view) { " by " (by) }
            }
            "queued" => { "Queued" }
            "index" => {
                @if is_deletion { "Removed from the index" } @else { "Written to the index" }
                // It is the commit of the publish.
                @if let Some(commit) = view.index_commit.as_ref().filter(|_| view.is_done() && !is_deletion) {
                    @if view.yanked { ", published in commit " } @else { ": commit " }
                    code { (commit) }
                }
            }
            _ => {
                @match view.awaited {
                    Some("yank") => { "Yanked for cargo" }
                    Some("unyank") => { "No longer yanked for cargo" }
                    _ if is_deletion => { "Deleted" }
                    _ => { "Published" }
                }
                @if let Some(at) = stage.at { " " (time::ago(at)) }
            }
        }
    }
}

/// Who requested what is awaited, or published what is not awaited any more.
fn accepted_by(view: &StatusView) -> Option<&str> {
    match view.awaited {
        Some("yank" | "unyank") => {
            view.requests.iter().rfind(|one| Some(one.change) == view.awaited)?.requested_by.as_deref()
        }
        _ if view.deletion_reason.is_some() => None,
        _ => view.published_by.as_deref(),
    }
}

/// What is before the job, and how long it usually takes.
fn prospects(view: &StatusView) -> Markup {
    html! {
        @if let Some(ahead) = view.jobs_ahead.filter(|_| !view.without_worker) {
            p {
                @match (ahead, view.jobs_ahead_at_least) {
                    (0, false) => { "It is next in the queue." }
                    (ahead, false) => { (counted(ahead, "job")) " before it in the queue." }
                    (ahead, true) => { (counted(ahead, "job")) " or more before it in the queue." }
                }
            }
        }
        @if let Some(seconds) = view.usual_seconds.filter(|_| matches!(view.progress, "queued" | "running") && !view.without_worker) {
            p class="muted" { "Lately this took " (duration(seconds)) " from the request to the index." }
        }
    }
}

/// A time in its largest unit.
fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as i64;
    match whole {
        0 => "less than a second".to_owned(),
        1..120 => counted(whole, "second"),
        120..7200 => counted(whole / 60, "minute"),
        _ => counted(whole / 3600, "hour"),
    }
}

fn requests(links: &Links, view: &StatusView) -> Markup {
    html! {
        @if !view.requests.is_empty() {
            h3 { "Requests that are not done" }
            ol {
                @for request in &view.requests { li { (request_line(view.shows_queue.then_some(links), request)) } }
            }
            @if view.requests.len() > 1 { p class="muted" { "The first job that runs writes the result of all of them." } }
        }
    }
}

/// A request; with links, its job leads to the queue's page.
fn request_line(links: Option<&Links>, request: &RequestView) -> Markup {
    let change = match request.change {
        "publish" => "Publish",
        "yank" => "Yank",
        "unyank" => "Unyank",
        _ => "Deletion",
    };
    let state = match request.state {
        "running" => "running",
        "failing" => "failed",
        "dead" => "given up",
        _ => "queued",
    };
    html! {
        (change) ", accepted " (time::ago(request.accepted_at))
        @if let Some(by) = &request.requested_by { " by " (by) }
        ": " (state) " ("
        @match links {
            Some(links) => { a href=(links.job(request.job)) { "job " (request.job) } }
            None => { "job " (request.job) }
        }
        ")"
        @if request.attempts > 0 && request.state != "queued" {
            ", attempt " (request.attempts) " of " (request.max_attempts)
        }
        @if let Some(at) = request.next_attempt_at { "; next attempt " (clock(at)) }
        "."
        @if let Some(problem) = request.problem { div class="muted" { "The problem: " (problem) "." } }
        @if let Some(error) = &request.error {
            details {
                summary { "The recorded error, which owners and admins see" }
                pre class="plain" { (text(error)) }
            }
        }
    }
}

/// A time of today or soon.
fn clock(at: DateTime<Utc>) -> Markup {
    html! {
        time datetime=(time::machine(at)) title=(time::exact(at)) {
            @if at <= Utc::now() { "now" } @else { "at " (at.format("%H:%M:%S UTC")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_its_largest_unit() {
        let texts = [0.2, 1.2, 119.0, 120.0, 7_300.0].map(duration);
        assert_eq!(texts, ["less than a second", "1 second", "119 seconds", "2 minutes", "2 hours"]);
    }
}
