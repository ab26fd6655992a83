//! Retry and discard of a job. `GET` says what will happen and asks; `POST` does it, with the functions of `supercargo jobs`.
//! A job that has changed meanwhile is no error: its page says what it is now.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use diesel::{PgConnection, QueryResult};
use maud::{Markup, html};

use super::notice;
use super::words::{lost_without, tag};
use crate::database::catalog::version_progress::{self, VersionProgress};
use crate::package::characters::check_line;
use crate::queue::JobId;
use crate::queue::inspection::{self, JobView};
use crate::queue::intervention::{self, Handled};
use crate::web::ApiError;
use crate::web::extract::job_number::{job_id, no_job};
use crate::web::extract::path::ApiPath;
use crate::web::pages::admin::Admin;
use crate::web::pages::layout::Page;
use crate::web::pages::parts::form::hidden;
use crate::web::pages::parts::text::{name, text, with_code};
use crate::web::pages::visit::leading_to;

/// The longest reason, in characters.
const REASON: usize = 500;
/// The reason if none is given.
const NO_REASON: &str = "discarded on a page";

/// What can be done with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Retry,
    Discard,
}

impl Change {
    fn path(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Discard => "discard",
        }
    }
}

/// A job that is to be changed.
struct Asked {
    job: JobView,
    /// The version that it is about, if it is about one.
    version: Option<VersionProgress>,
}

impl Asked {
    async fn read(admin: &Admin, id: JobId) -> Result<Self, ApiError> {
        let read = admin.app.with_connection(move |connection| {
            let job = inspection::show(connection, id)?.ok_or_else(|| no_job(id))?;
            let version = match version_id(&job) {
                Some(version) => version_progress::find_by_id(connection, version)?,
                None => None,
            };
            Ok::<_, ApiError>(Self { job, version })
        });
        read.await
    }

    fn is_dead(&self) -> bool {
        self.job.state == "dead"
    }

    fn is_running(&self) -> bool {
        self.job.state == "running"
    }
}

fn version_id(job: &JobView) -> Option<i32> {
    let id = job.payload.as_ref()?.get("version_id")?.as_i64()?;
    i32::try_from(id).ok()
}

pub async fn ask_retry(admin: Admin, id: ApiPath<String>) -> Result<Response, ApiError> {
    ask(admin, id, Change::Retry).await
}

pub async fn ask_discard(admin: Admin, id: ApiPath<String>) -> Result<Response, ApiError> {
    ask(admin, id, Change::Discard).await
}

async fn ask(admin: Admin, ApiPath(id): ApiPath<String>, change: Change) -> Result<Response, ApiError> {
    let asked = Asked::read(&admin, job_id(&id)?).await?;
    Ok(page(&admin, change, &asked, StatusCode::OK, None))
}

/// The page that asks. `refused` says what is wrong with what was sent.
fn page(admin: &Admin, change: Change, asked: &Asked, status: StatusCode, refused: Option<&str>) -> Response {
    let (links, job) = (admin.links(), &asked.job);
    let title = match change {
        Change::Discard => format!("Discard job {}?", job.id),
        Change::Retry if asked.is_dead() => format!("Retry job {}?", job.id),
        Change::Retry => format!("Start job {} now?", job.id),
    };
    let is_possible = asked.is_dead() || (job.run_at.is_some() && !asked.is_running());
    let content = html! {
        h1 { (title) }
        @if let Some(refused) = refused { p class="notice bad" role="alert" { (text(refused)) } }
        p {
            span class=(tag(&job.state)) { (text(&job.state)) } " " (name(&job.kind))
            @if let Some(key) = &job.key { " of " strong { (name(key)) } }
            @if let Some(version) = &asked.version { " " strong { (name(&version.num.to_string())) } }
            @if let Some(by) = &job.requested_by { ", requested by " (name(by)) }
        }
        @match (is_possible, admin.visit.form_token()) {
            (false, _) if asked.is_running() => { p { "The job is running. It can be changed when its attempt has ended." } }
            (false, _) => { p { "The job is " (text(&job.state)) ", so there is nothing to " (change.path()) "." } }
            (true, None) => { p { "Changes need a session: " a href=(links.sign_in()) { "sign in" } "." } }
            (true, Some(form_token)) => {
                (consequences(change, asked))
                form class="sign-in" method="post" action=(links.job_change(job.id, change.path())) {
                    (hidden(&form_token, &[]))
                    (fields(change, asked))
                }
            }
        }
        p { a href=(links.job(job.id)) { "Back to the job, and change nothing" } }
    };
    admin.visit.show(Page::new(title, content).unlisted().unstored().with_status(status))
}

fn consequences(change: Change, asked: &Asked) -> Markup {
    html! {
        @match change {
            Change::Retry if asked.is_dead() => {
                p {
                    "It becomes pending again, with its attempts reset, and starts as soon as a worker is free. Its errors stay in its \
                     history."
                }
            }
            Change::Retry => { p { "It becomes due at once. Its attempts are still counted." } }
            Change::Discard => {
                p class="notice warn" {
                    "The job is not started again, and its payload is deleted. This cannot be undone. "
                    (with_code(&lost_without(&asked.job.kind, asked.version.as_ref())))
                }
            }
        }
    }
}

fn fields(change: Change, asked: &Asked) -> Markup {
    html! {
        @match change {
            Change::Retry => { button type="submit" class="primary" { @if asked.is_dead() { "Retry" } @else { "Start now" } } }
            Change::Discard => {
                label for="reason" { "Reason, which is kept in the job's history" }
                input id="reason" name="reason" maxlength=(REASON) placeholder=(NO_REASON) autocomplete="off";
                button type="submit" class="danger" { "Discard" }
            }
        }
    }
}

pub async fn retry(admin: Admin, ApiPath(id): ApiPath<String>, request: Request) -> Result<Response, ApiError> {
    let id = job_id(&id)?;
    admin.sent(request).await?;
    let retry = move |connection: &mut PgConnection, by: &str| intervention::retry(connection, id, by);
    let notice = match changed(&admin, id, retry).await? {
        Handled::Dead => "retried",
        Handled::Waiting => "due",
        Handled::Running | Handled::Unknown => "unchanged",
    };
    answer(&admin, id, notice).await
}

pub async fn discard(admin: Admin, ApiPath(id): ApiPath<String>, request: Request) -> Result<Response, ApiError> {
    let id = job_id(&id)?;
    let sent = admin.sent(request).await?;
    let reason = match reason(sent.get("reason").unwrap_or_default().trim()) {
        Ok(reason) => reason,
        Err(refused) => {
            let asked = Asked::read(&admin, id).await?;
            return Ok(page(&admin, Change::Discard, &asked, StatusCode::BAD_REQUEST, Some(&refused)));
        }
    };
    let discard = move |connection: &mut PgConnection, by: &str| intervention::discard(connection, id, by, &reason);
    let notice = match changed(&admin, id, discard).await? {
        Handled::Dead | Handled::Waiting => "discarded",
        Handled::Running | Handled::Unknown => "unchanged",
    };
    answer(&admin, id, notice).await
}

/// The reason for the receipt, or what is wrong with it.
fn reason(given: &str) -> Result<String, String> {
    let length = given.chars().count();
    if length > REASON {
        return Err(format!("The reason has {length} characters, above the limit of {REASON}: shorten it."));
    }
    check_line(given).map_err(|hidden| format!("The reason has {hidden}: remove it."))?;
    Ok(if given.is_empty() { NO_REASON } else { given }.to_owned())
}

/// Changes a job, and logs that.
async fn changed(
    admin: &Admin,
    id: JobId,
    change: impl FnOnce(&mut PgConnection, &str) -> QueryResult<Handled> + Send + 'static,
) -> Result<Handled, ApiError> {
    let handled = admin.change(change).await?;
    tracing::info!(user = admin.caller.user.login, job = id, found = ?handled, "a job was changed on a page");
    Ok(handled)
}

/// Leads to the page of the job, or to the queue if the job is not there any longer.
async fn answer(admin: &Admin, id: JobId, notice: &str) -> Result<Response, ApiError> {
    let is_there = notice != "unchanged"
        || admin.app.with_connection(move |connection| inspection::show(connection, id)).await?.is_some();
    let place = if is_there { format!("{}?notice={notice}", admin.links().job(id)) } else { notice::no_job(admin, id) };
    Ok(leading_to(place))
}
