//! `GET /webhooks/{id}`: the page of a webhook, for those who may change it.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::deliveries::Table;
use super::fields::{Entered, fields};
use super::list;
use super::words::{events, state};
use crate::database::catalog::webhook_refusal::MAX_TEXT;
use crate::database::webhooks::deliveries::{self, Delivery, Standing};
use crate::database::webhooks::endpoints::{Subject, Webhook};
use crate::jobs::webhooks::configure;
use crate::jobs::webhooks::rights::Who;
use crate::web::ApiError;
use crate::web::extract::path::{ApiPath, webhook_number};
use crate::web::extract::query::QueryParameters;
use crate::web::pages::layout::Page;
use crate::web::pages::member::Member;
use crate::web::pages::parts::form::{button, hidden, why};
use crate::web::pages::parts::text::{counted, name, text};
use crate::web::pages::parts::time;

/// Deliveries on a page.
const PER_PAGE: usize = 25;

/// How long the previous secret signs as well, in hours.
pub const OVERLAPS: [(&str, &str); 5] =
    [("0", "not any longer"), ("1", "an hour"), ("24", "a day"), ("168", "7 days"), ("720", "30 days")];
/// The choice that a form begins with.
const USUAL_OVERLAP: &str = "24";

/// What was done, by the word in the link.
const NOTICES: [(&str, &str); 6] = [
    ("changed", "The webhook is changed."),
    ("paused", "The webhook is paused: its events wait until it is resumed."),
    ("resumed", "The webhook is active: what waits is being delivered, in its order."),
    ("dropped", "The webhook is active, and what waited is dropped."),
    ("test", "A test is on its way, behind what waits. Reload this page to see whether it is accepted."),
    ("again", "The event is on its way again, behind what waits."),
];

/// A webhook with what its page shows of it.
struct Shown {
    webhook: Webhook,
    standing: Standing,
    /// Those of one page, and whether there are older ones.
    deliveries: (Vec<Delivery>, bool),
}

/// `GET`.
pub async fn show(member: Member, ApiPath(id): ApiPath<String>, query: QueryParameters) -> Result<Response, ApiError> {
    page(&member, webhook_number(&id)?, &query, None).await
}

/// The page. `refused`: what was entered in the form of its changes, and why it was refused.
pub async fn page(
    member: &Member,
    id: i32,
    query: &QueryParameters,
    refused: Option<(&Entered, &ApiError)>,
) -> Result<Response, ApiError> {
    let before: Option<i64> = query.parsed("before", "taken from a link of this list")?;
    let shown = read(member, id, before).await?;
    let (webhook, links) = (&shown.webhook, member.links());
    let notice = query.get("notice").and_then(|word| NOTICES.iter().find(|(known, _)| *known == word));
    let content = html! {
        h1 { "Webhook " (id) }
        @if let Some((_, said)) = notice { p class="notice good" role="status" { (said) } }
        p class="lead" { (name(&webhook.url)) }
        @if let Some(about) = &webhook.description { p { (text(about)) } }
        (trouble(&shown))
        (facts(member, &shown))
        (changes(member, &shown, refused))
        (made(member, &shown, before))
        p {
            @if let Subject::Crate { name, .. } = &webhook.subject {
                a href=(links.to(&list::path(Some(name)))) { "Webhooks of " (name) }
            }
            @if member.caller.admin().is_ok() { " " a href=(links.to(&list::path(None))) { "All webhooks" } }
        }
    };
    let status = refused.map_or(StatusCode::OK, |(_, error)| error.status());
    Ok(member.visit.show(Page::new(format!("Webhook {id}"), content).unlisted().with_status(status)))
}

async fn read(member: &Member, id: i32, before: Option<i64>) -> Result<Shown, ApiError> {
    let caller = member.caller.clone();
    let read = member.app.with_connection(move |connection| {
        // Refuses those who may not change it.
        let webhook = configure::show(connection, id, Who::User(&caller))?;
        let standing = deliveries::standings(connection, &[id])?.pop();
        let standing = standing.ok_or_else(|| ApiError::internal("a webhook has no standing"))?;
        let limit = i64::try_from(PER_PAGE + 1).unwrap_or(i64::MAX);
        let mut made = deliveries::list(connection, id, before, limit)?;
        let has_more = made.len() > PER_PAGE;
        made.truncate(PER_PAGE);
        Ok::<_, ApiError>(Shown { webhook, standing, deliveries: (made, has_more) })
    });
    read.await
}

/// Why no deliveries are made.
fn trouble(shown: &Shown) -> Markup {
    let (webhook, standing) = (&shown.webhook, &shown.standing);
    html! {
        @if let Some(pause) = &webhook.pause {
            p class="notice warn" {
                strong { "Paused" } " " (time::ago(pause.at)) " by "
                @match &pause.by { Some(by) => (name(by)), None => "the registry" }
                @if let Some(reason) = &pause.reason { ": " (text(reason)) }
            }
        } @else if let Some(error) = &standing.error {
            p class="notice bad" {
                strong { "Failing" } " after " (counted(standing.attempts.into(), "attempt")) ": " (text(error)) " "
                @if let Some(at) = standing.next_attempt_at {
                    "The next attempt is made at " time datetime=(time::machine(at)) { (time::exact(at)) } "."
                }
            }
        }
    }
}

fn facts(member: &Member, shown: &Shown) -> Markup {
    let (webhook, standing) = (&shown.webhook, &shown.standing);
    html! {
        dl class="pairs" {
            dt { "State" } dd { (state(webhook, standing)) }
            dt { "Receives" } dd { (events(member.links(), webhook)) }
            dt { "Waiting" }
            dd { (counted(standing.waiting, "event")) @if let Some(at) = standing.waiting_since { ", the oldest " (time::ago(at)) } }
            dt { "Last delivery" } dd { @if let Some(at) = standing.last_delivered_at { (time::ago(at)) } @else { "none" } }
            dt { "Added" }
            dd { (time::day(webhook.created_at)) " by " @match &webhook.created_by { Some(login) => (name(login)), None => "an operator" } }
            @if let Some(until) = webhook.previous_until {
                dt { "Signatures" } dd { "of two secrets, until " (time::exact(until)) }
            }
        }
    }
}

fn changes(member: &Member, shown: &Shown, refused: Option<(&Entered, &ApiError)>) -> Markup {
    let (webhook, links) = (&shown.webhook, member.links());
    let path = |what: &str| links.of_webhook(webhook.id, what);
    let as_it_is = Entered::of(webhook);
    let entered = refused.map_or(&as_it_is, |(entered, _)| entered);
    html! {
        section aria-labelledby="change" {
            h2 id="change" { "Change" }
            (why(refused.map(|(_, error)| error)))
            @if let Some(form_token) = member.visit.form_token() {
                @let hidden = hidden(&form_token, &[]);
                (running(shown, &form_token, &path))
                details open[refused.is_some()] {
                    summary { "URL, events, description" }
                    form class="sign-in" method="post" action=(path("change")) {
                        (hidden)
                        (fields(entered))
                        button type="submit" { "Change the webhook" }
                    }
                }
                (another_secret(&path("secret"), &hidden))
                details {
                    summary { "Remove" }
                    p { "Events that wait are lost, and the list of deliveries, too." }
                    (button(&path("remove"), &hidden, ("danger", &html! { "Remove the webhook" })))
                }
            } @else {
                p { "Changes need a session: " a href=(links.sign_in()) { "sign in" } "." }
            }
        }
    }
}

/// Whether deliveries are made.
fn running(shown: &Shown, form_token: &str, path: &dyn Fn(&str) -> String) -> Markup {
    let (webhook, standing) = (&shown.webhook, &shown.standing);
    let resume = |label: &str, drop: &str, class: &str| {
        button(&path("resume"), &hidden(form_token, &[("drop", drop)]), (class, &html! { (label) }))
    };
    let drops = format!("drop {}", counted(standing.waiting, "waiting event"));
    html! {
        @if webhook.pause.is_some() {
            (resume("Resume", "false", ""))
            @if standing.waiting > 0 { (resume(&format!("Resume, and {drops}"), "true", "danger")) }
        } @else {
            (button(&path("test"), &hidden(form_token, &[]), ("", &html! { "Send a test" })))
            @if standing.error.is_some() {
                (resume("Try again now", "false", ""))
                (resume(&format!("Only {drops}"), "true", "danger"))
            }
            details {
                summary { "Pause" }
                form class="sign-in" method="post" action=(path("pause")) {
                    (hidden(form_token, &[]))
                    label for="reason" { "Reason, if any" }
                    input id="reason" name="reason" maxlength=(MAX_TEXT) autocomplete="off";
                    button type="submit" { "Pause the webhook" }
                }
            }
        }
    }
}

fn another_secret(action: &str, hidden: &Markup) -> Markup {
    html! {
        details {
            summary { "Another secret" }
            form class="sign-in" method="post" action=(action) {
                (hidden)
                label for="overlap" { "The present secret signs as well for" }
                select id="overlap" name="overlap" {
                    @for (hours, label) in OVERLAPS { option value=(hours) selected[hours == USUAL_OVERLAP] { (label) } }
                }
                button type="submit" { "Create another secret" }
            }
        }
    }
}

/// The deliveries, with links to newer and older ones.
fn made(member: &Member, shown: &Shown, before: Option<i64>) -> Markup {
    let (links, id) = (member.links(), shown.webhook.id);
    let (deliveries, has_more) = (&shown.deliveries.0, shown.deliveries.1);
    let form_token = member.visit.form_token().filter(|_| shown.webhook.pause.is_none());
    let sees_queue = member.caller.admin().is_ok();
    let table = Table { links, webhook: id, deliveries, form_token: form_token.as_deref(), sees_queue };
    let next = deliveries.last().filter(|_| has_more).map(|last| last.id.to_string());
    html! {
        section aria-labelledby="deliveries" {
            h2 id="deliveries" { "Deliveries" }
            @if deliveries.is_empty() { p { "There is none." } } @else { (table.show()) }
            @if before.is_some() || next.is_some() {
                nav class="pager" aria-label="Pages" {
                    @if before.is_some() { a rel="first" href=(links.webhook(id)) { "← Newest" } }
                    @if let Some(next) = &next { a rel="next" href=(links.with_query(&format!("/webhooks/{id}"), &[("before", next)])) { "Older →" } }
                }
            }
        }
    }
}
