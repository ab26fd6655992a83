//! `GET /admin/webhooks` and `GET /crates/{name}/settings/webhooks`.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::fields::{Entered, fields};
use super::words::{events, state};
use crate::database::catalog::refusal;
use crate::database::webhooks::deliveries::{self, Standing};
use crate::database::webhooks::endpoints::Webhook;
use crate::jobs::webhooks::configure;
use crate::jobs::webhooks::rights::Who;
use crate::package::CrateName;
use crate::web::ApiError;
use crate::web::extract::path::{ApiPath, crate_name};
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::member::Member;
use crate::web::pages::parts::form::{hidden, why};
use crate::web::pages::parts::pager::numbered;
use crate::web::pages::parts::text::{name, number, text};
use crate::web::pages::parts::time;

/// Webhooks on a page.
const PER_PAGE: usize = 100;

/// The webhooks, of a crate or all.
struct Found {
    /// The crate in its own spelling.
    krate: Option<CrateName>,
    /// Those of one page, with how they are doing.
    shown: Vec<(Webhook, Standing)>,
    count: usize,
}

/// `GET /admin/webhooks`.
pub async fn of_registry(admin: Admin, query: QueryParameters) -> Result<Response, ApiError> {
    page(&admin.into_member(), None, &query, None).await
}

/// `GET /crates/{name}/settings/webhooks`.
pub async fn of_crate(
    member: Member,
    ApiPath(given): ApiPath<String>,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    page(&member, Some(crate_name(&given)?), &query, None).await
}

/// The path of the list of a crate, or of all, below the registry's.
pub fn path(krate: Option<&CrateName>) -> String {
    match krate {
        Some(name) => format!("/crates/{name}/settings/webhooks"),
        None => "/admin/webhooks".to_owned(),
    }
}

/// The list. `refused`: what was entered in its form, and why it was refused.
pub async fn page(
    member: &Member,
    krate: Option<CrateName>,
    query: &QueryParameters,
    refused: Option<(&Entered, &ApiError)>,
) -> Result<Response, ApiError> {
    let number: usize = query.parsed("page", "the number of a page")?.unwrap_or(1).max(1);
    let found = read(member, krate, number).await?;
    let (links, krate) = (member.links(), found.krate.as_ref());
    let title = krate.map_or_else(|| "Webhooks".to_owned(), |name| format!("Webhooks of {name}"));
    let content = html! {
        h1 { "Webhooks" @if let Some(name) = krate { " of " a href=(links.krate(name)) { (name) } } }
        @if query.get("notice") == Some("removed") { p class="notice good" role="status" { "The webhook is removed, with what waited for it." } }
        p { "A webhook sends messages about events to another program, in their order and with a signature." }
        @if found.shown.is_empty() { p { "There is none." } } @else { (table(links, &found.shown)) }
        (neighbours(links, krate, (number, found.count)))
        (new(member, krate, refused))
        @if let Some(name) = krate { p { a href=(links.of_crate(name, "settings")) { "Settings of " (name) } } }
    };
    let status = refused.map_or(StatusCode::OK, |(_, error)| error.status());
    Ok(member.visit.show(Page::new(title, content).unlisted().with_status(status)))
}

async fn read(member: &Member, krate: Option<CrateName>, number: usize) -> Result<Found, ApiError> {
    let caller = member.caller.clone();
    let read = member.app.with_connection(move |connection| {
        let krate = krate.map(|name| refusal::find_crate(connection, &name)).transpose()?.transpose()?;
        let krate = krate.map(|krate| krate.name);
        // Refuses those who may not change them.
        let of = krate.as_ref().map(CrateName::as_str);
        let webhooks = configure::list(connection, of, None, Who::User(&caller))?;
        let count = webhooks.len();
        let shown = webhooks.into_iter().skip((number - 1).saturating_mul(PER_PAGE)).take(PER_PAGE);
        let shown: Vec<Webhook> = shown.collect();
        let ids: Vec<i32> = shown.iter().map(|webhook| webhook.id).collect();
        let standings = deliveries::standings(connection, &ids)?;
        Ok::<_, ApiError>(Found { krate, shown: shown.into_iter().zip(standings).collect(), count })
    });
    read.await
}

fn table(links: &Links, shown: &[(Webhook, Standing)]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Webhooks" {
            table {
                caption class="aside" { "Webhooks" }
                thead { tr {
                    th scope="col" { "Webhook" } th scope="col" { "URL" } th scope="col" { "Receives" } th scope="col" { "State" }
                    th scope="col" class="n" { "Waiting" } th scope="col" { "Last delivery" }
                } }
                tbody { @for (webhook, standing) in shown {
                    tr {
                        th scope="row" { a href=(links.webhook(webhook.id)) { (webhook.id) } }
                        td class="wrap" {
                            (name(&webhook.url))
                            @if let Some(about) = &webhook.description { br; span class="muted" { (text(about)) } }
                        }
                        td class="wrap" { (events(links, webhook)) }
                        td { (state(webhook, standing)) }
                        td class="n" { (number(standing.waiting)) }
                        td { @if let Some(at) = standing.last_delivered_at { (time::ago(at)) } @else { "none" } }
                    }
                } }
            }
        }
    }
}

fn neighbours(links: &Links, krate: Option<&CrateName>, (number, count): (usize, usize)) -> Markup {
    let to = |number: usize| links.with_query(&path(krate), &[("page", &number.to_string())]);
    numbered(number, number.saturating_mul(PER_PAGE) < count, to)
}

fn new(member: &Member, krate: Option<&CrateName>, refused: Option<(&Entered, &ApiError)>) -> Markup {
    let links = member.links();
    let nothing = Entered::nothing();
    let entered = refused.map_or(&nothing, |(entered, _)| entered);
    html! {
        section aria-labelledby="new" {
            h2 id="new" { "New webhook" }
            (why(refused.map(|(_, error)| error)))
            @if let Some(form_token) = member.visit.form_token() {
                form class="sign-in" method="post" action=(links.to(&path(krate))) {
                    (hidden(&form_token, &[]))
                    (fields(entered))
                    @if krate.is_none() { (of_what(entered)) }
                    button type="submit" { "Add the webhook" }
                }
                p class="aside-text" { "You get its secret, once, and it gets a test." }
            } @else {
                p { "Changes need a session: " a href=(links.sign_in()) { "sign in" } "." }
            }
        }
    }
}

fn of_what(entered: &Entered) -> Markup {
    html! {
        label for="crate" { "Only events of this crate" }
        input id="crate" name="crate" maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false" value=(entered.krate);
        label for="team" { "Only events of this team and its crates" }
        input id="team" name="team" maxlength="100" autocomplete="off" autocapitalize="none" spellcheck="false" value=(entered.team)
            aria-describedby="about-team";
        p id="about-team" class="aside-text" { "Leave both empty for all events of the registry." }
    }
}
