//! Retry of all dead jobs of a kind, as `supercargo jobs retry` does with several ids.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::notice;
use super::overview::dead_of;
use crate::queue::inspection::{self, JobView};
use crate::queue::intervention;
use crate::queue::listing::{self, JobFilter, Listed};
use crate::web::ApiError;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::parts::form::hidden;
use crate::web::pages::parts::text::{beginning, counted, name, number, text};
use crate::web::pages::visit::leading_to;

/// Jobs that are retried at once.
const AT_ONCE: i64 = 200;
/// Jobs that are named.
const NAMED: usize = 10;

/// The kind in a query or a form.
fn kind_in(sent: &QueryParameters) -> Result<String, ApiError> {
    let kind = sent.text("kind").unwrap_or_default();
    if kind.is_empty() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "no `kind` of jobs is named: open the page from the queue"));
    }
    Ok(kind)
}

pub async fn ask(admin: Admin, query: QueryParameters) -> Result<Response, ApiError> {
    let kind = kind_in(&query)?;
    let filter = JobFilter { state: Listed::Dead, kind: kind.clone(), ..JobFilter::default() };
    let read = admin.app.with_connection(move |connection| {
        let dead = dead_of(&inspection::gauges(connection, &[])?, &filter.kind);
        let newest = listing::page(connection, &filter, None, NAMED)?.jobs;
        Ok::<_, ApiError>((dead, newest))
    });
    let (dead, newest) = read.await?;
    let links = admin.links();
    let content = html! {
        h1 { @if dead == 1 { "Retry the dead job of " } @else { "Retry all dead jobs of " } (name(&kind)) "?" }
        @match (newest.first(), admin.visit.form_token()) {
            (None, _) => { p { "No job of this kind is dead, so there is nothing to retry." } }
            (_, None) => { p { "Changes need a session: " a href=(links.sign_in()) { "sign in" } "." } }
            (Some(last), Some(form_token)) => {
                (consequences(dead))
                (named(links, &newest, dead))
                form class="sign-in" method="post" action=(links.to("/queue/retry-dead")) {
                    (hidden(&form_token, &[("kind", kind.as_str()), ("until", &last.id.to_string())]))
                    button type="submit" class="primary" { "Retry " (counted(dead.min(AT_ONCE), "job")) }
                }
            }
        }
        p { a href=(links.queue(&[])) { "Back to the queue, and change nothing" } }
    };
    Ok(admin.visit.show(Page::new("Retry dead jobs?", content).unlisted()))
}

fn consequences(dead: i64) -> Markup {
    html! {
        @if dead == 1 {
            p {
                "One job of this kind is dead. It becomes pending again, with its attempts reset, and starts as soon as a worker is \
                 free. Its errors stay in its history."
            }
        } @else {
            p {
                (number(dead)) " jobs of this kind are dead. They become pending again, with their attempts reset, and start as soon \
                 as workers are free. Their errors stay in their histories."
                @if dead > AT_ONCE { " The " (AT_ONCE) " oldest are retried at once; come back for the others." }
            }
        }
    }
}

fn named(links: &Links, newest: &[JobView], dead: i64) -> Markup {
    html! {
        @if usize::try_from(dead).is_ok_and(|dead| dead > newest.len()) { p { "The " (newest.len()) " newest of them:" } }
        ul {
            @for job in newest {
                li {
                    a href=(links.job(job.id)) { "job " (job.id) }
                    @if let Some(key) = &job.key { " of " (name(key)) }
                    @if let Some(error) = &job.error { ": " (text(&beginning(error, 120))) }
                }
            }
        }
    }
}

pub async fn retry(admin: Admin, request: Request) -> Result<Response, ApiError> {
    let sent = admin.sent(request).await?;
    let kind = kind_in(&sent)?;
    // Jobs that died after the page was shown were not confirmed.
    let until = sent.parsed("until", "the number of a job: open the page again and send it once more")?;
    let (of, until) = (kind.clone(), until.unwrap_or(i64::MAX));
    let retried = admin.change(move |connection, by| {
        let mut retried = 0;
        for id in listing::dead_of_kind(connection, &of, until, AT_ONCE)? {
            retried += i64::from(intervention::retry_dead(connection, id, by)?);
        }
        Ok(retried)
    });
    let retried = retried.await?;
    tracing::info!(user = admin.caller.user.login, kind, retried, "dead jobs were retried on a page");
    Ok(leading_to(notice::retried(&admin, &kind, retried)))
}
