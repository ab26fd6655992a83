//! Retry and discard of a job. `GET` says what will happen and asks; `POST` does it, with the functions of `supercargo jobs`.
//! A job that has changed meanwhile is no error: its page says what it is now.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use diesel::{Connection, PgConnection};
use maud::{Markup, html};

use super::admin::{Admin, confirmed};
use super::job::{job_id, no_job};
use super::words::{lost_without, tag};
use crate::database::access::caller::Caller;
use crate::package::characters::check_line;
use crate::queue::JobId;
use crate::queue::inspection::{self, JobView};
use crate::queue::intervention::{self, Handled};
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::parts::text::{name, text};
use crate::web::pages::sign_in::read_form;
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

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

pub async fn ask_retry(app: State<App>, visit: Visit, admin: Admin, id: ApiPath<String>) -> Result<Response, ApiError> {
    ask(app, visit, admin, id, Change::Retry).await
}

pub async fn ask_discard(
    app: State<App>,
    visit: Visit,
    admin: Admin,
    id: ApiPath<String>,
) -> Result<Response, ApiError> {
    ask(app, visit, admin, id, Change::Discard).await
}

async fn ask(
    State(app): State<App>,
    visit: Visit,
    _: Admin,
    ApiPath(id): ApiPath<String>,
    change: Change,
) -> Result<Response, ApiError> {
    let id = job_id(&id)?;
    let job = app.with_connection(move |connection| inspection::show(connection, id)).await?;
    Ok(page(&visit, change, &job.ok_or_else(|| no_job(id))?, StatusCode::OK, None))
}

/// The page that asks. `refused` says what is wrong with what was sent.
fn page(visit: &Visit, change: Change, job: &JobView, status: StatusCode, refused: Option<&str>) -> Response {
    let links = visit.links();
    let title = match (change, &*job.state) {
        (Change::Discard, _) => format!("Discard job {}?", job.id),
        (Change::Retry, "dead") => format!("Retry job {}?", job.id),
        (Change::Retry, _) => format!("Start job {} now?", job.id),
    };
    let is_possible = job.state == "dead" || (job.run_at.is_some() && job.state != "running");
    let content = html! {
        h1 { (title) }
        @if let Some(refused) = refused { p class="notice bad" role="alert" { (text(refused)) } }
        p {
            span class=(tag(&job.state)) { (text(&job.state)) } " " (name(&job.kind))
            @if let Some(key) = &job.key { " of " strong { (name(key)) } }
            @if let Some(by) = &job.requested_by { ", requested by " (name(by)) }
        }
        @match (is_possible, visit.form_token()) {
            (false, _) => { p { "The job is " (text(&job.state)) ", so there is nothing to " (change.path()) "." } }
            (true, None) => { p { "Changes need a session: " a href=(links.sign_in()) { "sign in" } "." } }
            (true, Some(form_token)) => {
                (consequences(change, job))
                form class="sign-in" method="post" action=(links.job_change(job.id, change.path())) {
                    input type="hidden" name="form_token" value=(form_token);
                    (fields(change, job))
                }
            }
        }
        p { a href=(links.job(job.id)) { "Back to the job, and change nothing" } }
    };
    let mut response = visit.show(Page::new(title, content).unlisted().with_status(status));
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

fn consequences(change: Change, job: &JobView) -> Markup {
    html! {
        @match (change, &*job.state) {
            (Change::Retry, "dead") => {
                p { "It is pending again, with its attempts reset, and starts as soon as a worker is free. Its errors stay in its history." }
            }
            (Change::Retry, _) => { p { "It is due at once. Its attempts are kept." } }
            (Change::Discard, _) => {
                p class="notice warn" {
                    "The job ends without being run, and its payload is deleted. This cannot be undone. " (lost_without(&job.kind))
                }
            }
        }
    }
}

fn fields(change: Change, job: &JobView) -> Markup {
    html! {
        @match change {
            Change::Retry => { button type="submit" class="primary" { @if job.state == "dead" { "Retry" } @else { "Start now" } } }
            Change::Discard => {
                label for="reason" { "Reason, which is kept in the job's history" }
                input id="reason" name="reason" maxlength=(REASON) placeholder=(NO_REASON) autocomplete="off";
                button type="submit" class="danger" { "Discard" }
            }
        }
    }
}

pub async fn retry(
    State(app): State<App>,
    visit: Visit,
    Admin(caller): Admin,
    ApiPath(id): ApiPath<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let id = job_id(&id)?;
    checked(&visit, request).await?;
    let retried = change_job(&app, caller, id, move |connection, by| intervention::retry(connection, id, by)).await?;
    let notice = match retried {
        Handled::Dead => "retried",
        Handled::Waiting => "due",
        Handled::Running | Handled::Unknown => "unchanged",
    };
    answer(&app, visit.links(), id, notice).await
}

pub async fn discard(
    State(app): State<App>,
    visit: Visit,
    Admin(caller): Admin,
    ApiPath(id): ApiPath<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let id = job_id(&id)?;
    let sent = checked(&visit, request).await?;
    let reason = sent.get("reason").unwrap_or_default().trim().to_owned();
    let refused = if reason.chars().count() > REASON {
        Some(format!("The reason has more than {REASON} characters: shorten it."))
    } else {
        check_line(&reason).err().map(|hidden| format!("The reason has {hidden}: remove it."))
    };
    if let Some(refused) = refused {
        let job = app.with_connection(move |connection| inspection::show(connection, id)).await?;
        let job = job.ok_or_else(|| no_job(id))?;
        return Ok(page(&visit, Change::Discard, &job, StatusCode::BAD_REQUEST, Some(&refused)));
    }
    let reason = if reason.is_empty() { NO_REASON.to_owned() } else { reason };
    let discard = move |connection: &mut PgConnection, by: &str| intervention::discard(connection, id, by, &reason);
    let notice = match change_job(&app, caller, id, discard).await? {
        Handled::Dead | Handled::Waiting => "discarded",
        Handled::Running | Handled::Unknown => "unchanged",
    };
    answer(&app, visit.links(), id, notice).await
}

/// Reads a form that a page of this session has sent.
pub async fn checked(visit: &Visit, request: Request) -> Result<QueryParameters, ApiError> {
    let (parts, content) = request.into_parts();
    let sent = read_form(&parts, content).await?;
    visit.check_form(sent.get("form_token"))?;
    Ok(sent)
}

/// Changes a job in the name of somebody who is still an admin when it happens.
async fn change_job(
    app: &App,
    caller: Caller,
    id: JobId,
    change: impl FnOnce(&mut PgConnection, &str) -> diesel::QueryResult<Handled> + Send + 'static,
) -> Result<Handled, ApiError> {
    let login = caller.user.login.clone();
    let changed = app.with_connection(move |connection| {
        connection.transaction(|connection| {
            let by = confirmed(connection, &caller)?;
            Ok::<_, ApiError>(change(connection, &by)?)
        })
    });
    let handled = changed.await?;
    tracing::info!(user = login, job = id, found = ?handled, "a job was changed on a page");
    Ok(handled)
}

/// Leads to the page of the job, or to the queue if the job is not there any longer.
async fn answer(app: &App, links: &Links, id: JobId, notice: &str) -> Result<Response, ApiError> {
    let is_there = notice != "unchanged"
        || app.with_connection(move |connection| inspection::show(connection, id)).await?.is_some();
    let place = if is_there {
        format!("{}?notice={notice}", links.job(id))
    } else {
        links.queue(&[("notice", "no-job"), ("job", &id.to_string())])
    };
    Ok(leading_to(place))
}

pub fn leading_to(place: String) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}
