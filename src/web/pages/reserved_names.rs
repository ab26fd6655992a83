//! `/admin/reserved-names`: the names that may not be published, for admins. Changes need a fresh proof that it is the admin.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};
use axum::routing::{get, post};
use maud::{Markup, html};

use super::admin::Admin;
use super::layout::Page;
use super::links::Links;
use super::parts::form::{button, hidden, why};
use super::parts::pager::numbered;
use super::parts::text::{name, text};
use super::parts::time;
use super::visit::leading_to;
use crate::database::access::administrator::Administrator;
use crate::database::catalog::refusal::MAX_MESSAGE;
use crate::database::catalog::reserved_names::{self, Taken};
use crate::jobs::name_reservations;
use crate::web::administration::crate_name;
use crate::web::extract::query::QueryParameters;
use crate::web::{ApiError, App};

const PATH: &str = "/admin/reserved-names";

/// Names on a page.
const PER_PAGE: usize = 100;

/// What was done, by the word in the link.
const NOTICES: [(&str, &str); 4] = [
    ("reserved", "The name is reserved."),
    ("reserved-crate", "The name is reserved. The crate that has it is unchanged."),
    ("same", "Nothing was changed: the name is reserved for this reason already."),
    ("released", "The name is released."),
];

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/admin/reserved-names", get(show).post(reserve))
        .route("/admin/reserved-names/release", post(release))
}

/// `GET`.
async fn show(admin: Admin, query: QueryParameters) -> Result<Response, ApiError> {
    page(&admin, &query, None).await
}

/// The list. `refused`: the name and the reason that were entered in its form, and why nothing was changed.
async fn page(
    admin: &Admin,
    query: &QueryParameters,
    refused: Option<([&str; 2], &ApiError)>,
) -> Result<Response, ApiError> {
    let wanted = query.text("q").unwrap_or_default().trim().to_owned();
    let number: usize = query.parsed("page", "the number of a page")?.unwrap_or(1).max(1);
    let offset = i64::try_from((number - 1).saturating_mul(PER_PAGE)).unwrap_or(i64::MAX);
    let part = wanted.clone();
    let read = admin.app.with_connection(move |connection| {
        // One more, to know whether there is another page.
        Ok::<_, ApiError>(reserved_names::taken(connection, &part, (PER_PAGE as i64 + 1, offset))?)
    });
    let mut shown = read.await?;
    let has_more = shown.len() > PER_PAGE;
    shown.truncate(PER_PAGE);
    let links = admin.links();
    let notice = query.get("notice").and_then(|word| NOTICES.iter().find(|(known, _)| *known == word));
    let form_token = admin.form_token();
    let content = html! {
        h1 { "Reserved names" }
        @if let Some((_, said)) = notice { p class="notice good" role="status" { (said) } }
        (why(refused.map(|(_, error)| error)))
        p { "Only admins can publish a new crate under a reserved name. The name of a deleted crate is taken until it is released." }
        form class="sign-in" method="get" action=(links.to(PATH)) {
            label for="find" { "Name" }
            input id="find" type="search" name="q" value=(wanted) maxlength="200" autocomplete="off" spellcheck="false";
            button type="submit" { "Find" }
        }
        @if !shown.is_empty() { (table(links, &shown, form_token.as_ref().ok())) } @else if wanted.is_empty() { p { "There is none." } } @else {
            p { "None of them has " (text(&wanted)) " in it." }
        }
        (neighbours(links, (&wanted, number), has_more))
        section aria-labelledby="new" {
            h2 id="new" { "Reserve a name" }
            @match &form_token { Err(why) => (why), Ok(token) => (new(links, token, refused.map_or(["", ""], |(entered, _)| entered))) }
        }
    };
    let status = refused.map_or(StatusCode::OK, |(_, error)| error.status());
    Ok(admin.visit.show(Page::new("Reserved names", content).unlisted().with_status(status)))
}

fn table(links: &Links, shown: &[Taken], form_token: Option<&String>) -> Markup {
    let action = links.to("/admin/reserved-names/release");
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Reserved names" {
            table {
                caption class="aside" { "Reserved names" }
                thead { tr {
                    th scope="col" { "Name" } th scope="col" { "Because" } th scope="col" { "Reason" } th scope="col" { "By" }
                    th scope="col" { "Since" } @if form_token.is_some() { th scope="col" { "Change" } }
                } }
                tbody { @for taken in shown {
                    tr {
                        th scope="row" class="wrap" { (name(&taken.name)) }
                        td { @if taken.of_deleted { "the crate was deleted" } @else { "reserved" } }
                        td class="wrap" { (text(&taken.reason)) }
                        td class="wrap" { @match &taken.actor { Some(actor) => (name(actor)), None => "unknown" } }
                        td { (time::day(taken.since)) }
                        @if let Some(token) = form_token {
                            @let label = html! { "Release" span class="aside" { " " (taken.name) } };
                            td { (button(&action, &hidden(token, &[("name", &taken.name)]), ("", &label))) }
                        }
                    }
                } }
            }
        }
    }
}

fn neighbours(links: &Links, (wanted, number): (&str, usize), has_more: bool) -> Markup {
    let to = |number: usize| links.with_query(PATH, &[("q", wanted), ("page", &number.to_string())]);
    numbered(number, has_more, to)
}

fn new(links: &Links, form_token: &str, [entered, reason]: [&str; 2]) -> Markup {
    html! {
        form class="sign-in" method="post" action=(links.to(PATH)) {
            (hidden(form_token, &[]))
            label for="name" { "Name" }
            input id="name" name="name" required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false" value=(entered);
            label for="reason" { "Reason" }
            input id="reason" name="reason" required maxlength=(MAX_MESSAGE) autocomplete="off" value=(reason) aria-describedby="about-reason";
            p id="about-reason" class="aside-text" {
                "Users who publish under the name get to know it. Case, " code { "-" } " and " code { "_" } " make no other name; a name \
                 that is reserved already gets this reason."
            }
            button type="submit" { "Reserve the name" }
        }
    }
}

/// `POST`: reserves a name.
async fn reserve(admin: Admin, request: Request) -> response::Result<Response> {
    let sent = admin.sent_with_proof(request, PATH).await?;
    let [entered, reason] = ["name", "reason"].map(|field| sent.text(field).unwrap_or_default().trim().to_owned());
    let (caller, given) = (admin.caller.clone(), reason.clone());
    let reserved = match crate_name(&entered) {
        Ok(name) => {
            let reserved = admin.app.with_connection(move |connection| {
                name_reservations::reserve(connection, &name, &given, Administrator::Admin(&caller))
            });
            reserved.await
        }
        Err(refused) => Err(refused),
    };
    let notice = reserved.map(|reserved| match (reserved.changed, reserved.has_crate) {
        (false, _) => "same",
        (true, false) => "reserved",
        (true, true) => "reserved-crate",
    });
    answer(&admin, notice, [&entered, &reason]).await
}

/// `POST …/release`.
async fn release(admin: Admin, request: Request) -> response::Result<Response> {
    let sent = admin.sent_with_proof(request, PATH).await?;
    let entered = sent.text("name").unwrap_or_default();
    let caller = admin.caller.clone();
    let released = match crate_name(entered.trim()) {
        Ok(name) => {
            let released = admin.app.with_connection(move |connection| {
                name_reservations::release(connection, &name, Administrator::Admin(&caller))
            });
            released.await
        }
        Err(refused) => Err(refused),
    };
    answer(&admin, released.map(|()| "released"), ["", ""]).await
}

/// Leads back with what was done, or shows why nothing was.
async fn answer(admin: &Admin, done: Result<&'static str, ApiError>, entered: [&str; 2]) -> response::Result<Response> {
    match done {
        Ok(notice) => Ok(leading_to(admin.links().with_query(PATH, &[("notice", notice)]))),
        Err(refused) if [StatusCode::BAD_REQUEST, StatusCode::CONFLICT].contains(&refused.status()) => {
            Ok(page(admin, &QueryParameters::parse(""), Some((entered, &refused))).await?)
        }
        Err(refused) => Err(refused.into()),
    }
}
