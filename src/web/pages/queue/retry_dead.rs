//! Retry of all dead jobs of a kind, as `supercargo jobs retry` does with several ids.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use diesel::Connection;
use maud::html;

use super::admin::{Admin, confirmed};
use super::change::{checked, leading_to};
use crate::queue::inspection;
use crate::queue::intervention;
use crate::queue::listing::{self, JobFilter, Listed};
use crate::web::extract::query::QueryParameters;
use crate::web::pages::layout::Page;
use crate::web::pages::parts::text::{beginning, counted, name, text};
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

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

pub async fn ask(State(app): State<App>, visit: Visit, _: Admin, query: QueryParameters) -> Result<Response, ApiError> {
    let kind = kind_in(&query)?;
    let filter = JobFilter { state: Listed::Dead, kind: kind.clone(), ..JobFilter::default() };
    let read = app.with_connection(move |connection| {
        let gauges = inspection::gauges(connection, &[])?;
        let dead: i64 = gauges.iter().filter(|gauge| gauge.kind == filter.kind).map(|gauge| gauge.dead).sum();
        let newest = listing::page(connection, &filter, None, NAMED)?.jobs;
        Ok::<_, ApiError>((dead, newest))
    });
    let (dead, newest) = read.await?;
    let links = visit.links();
    let content = html! {
        h1 { "Retry all dead jobs of " (name(&kind)) "?" }
        @match (newest.first(), visit.form_token()) {
            (None, _) => { p { "No job of this kind is dead, so there is nothing to retry." } }
            (_, None) => { p { "Changes need a session: " a href=(links.sign_in()) { "sign in" } "." } }
            (Some(last), Some(form_token)) => {
                p {
                    (counted(dead, "job")) " of this kind " @if dead == 1 { "is" } @else { "are" } " dead. They are pending again, \
                     with their attempts reset, and start as soon as workers are free. Their errors stay in their histories."
                    @if dead > AT_ONCE { " The " (AT_ONCE) " oldest are retried at once; come back for the others." }
                }
                p { "The newest:" }
                ul {
                    @for job in &newest {
                        li {
                            a href=(links.job(job.id)) { (job.id) } " "
                            @if let Some(key) = &job.key { (name(key)) " " }
                            (text(&beginning(job.error.as_deref().unwrap_or_default(), 120)))
                        }
                    }
                }
                form class="sign-in" method="post" action=(links.to("/queue/retry-dead")) {
                    input type="hidden" name="form_token" value=(form_token);
                    input type="hidden" name="kind" value=(kind);
                    input type="hidden" name="until" value=(last.id);
                    button type="submit" class="primary" { "Retry them" }
                }
            }
        }
        p { a href=(links.queue(&[])) { "Back to the queue, and change nothing" } }
    };
    Ok(visit.show(Page::new("Retry dead jobs?", content).unlisted()))
}

pub async fn retry(
    State(app): State<App>,
    visit: Visit,
    Admin(caller): Admin,
    request: Request,
) -> Result<Response, ApiError> {
    let sent = checked(&visit, request).await?;
    let kind = kind_in(&sent)?;
    // Jobs that died after the page was shown were not confirmed.
    let until: i64 = sent.parsed("until", "the number of a job")?.unwrap_or(i64::MAX);
    let (login, of) = (caller.user.login.clone(), kind.clone());
    let retried = app.with_connection(move |connection| {
        connection.transaction(|connection| {
            let by = confirmed(connection, &caller)?;
            let mut retried = 0;
            for id in listing::dead_of_kind(connection, &of, until, AT_ONCE)? {
                retried += i64::from(intervention::retry_dead(connection, id, &by)?);
            }
            Ok::<_, ApiError>(retried)
        })
    });
    let retried = retried.await?;
    tracing::info!(user = login, kind, retried, "dead jobs were retried on a page");
    Ok(leading_to(visit.links().queue(&[("kind", &kind), ("notice", "retried-dead")])))
}
