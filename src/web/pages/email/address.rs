//! `/me/email`: the address of a user, and of what it gets mail.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};
use diesel::PgConnection;
use maud::{Markup, html};

use crate::database::access::caller::Authority;
use crate::database::email::recipients::{self, Recipient};
use crate::email::EmailAddress;
use crate::jobs::email::concerned::GROUPS;
use crate::jobs::email::configure;
use crate::web::ApiError;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::layout::Page;
use crate::web::pages::member::Member;
use crate::web::pages::parts::form::{hidden, why};
use crate::web::pages::parts::text::text;
use crate::web::pages::sign_in::{again, sent};
use crate::web::pages::visit::leading_to;

const PLACE: &str = "/me/email";

/// What was done, by the word in the link.
const NOTICES: [(&str, &str); 4] = [
    ("entered", "A link is on its way to the address. Open it within 24 hours to get mail."),
    ("same", "Nothing was changed: you have confirmed this address already."),
    ("chosen", "Your choice is saved."),
    ("removed", "The address is removed. You get no mail."),
];

/// `GET /me/email`.
pub async fn show(member: Member, query: QueryParameters) -> response::Result<Response> {
    check_on(&member)?;
    let notice = query.get("notice").and_then(|word| NOTICES.iter().find(|(known, _)| *known == word));
    Ok(page(&member, notice.map(|(_, said)| *said), None).await?)
}

async fn page(member: &Member, notice: Option<&str>, refused: Option<&ApiError>) -> Result<Response, ApiError> {
    let user = member.caller.user.id;
    let recipient = member.app.with_connection(move |connection| recipients::find(connection, user)).await?;
    let links = member.links();
    let content = html! {
        h1 { "E-mail" }
        @if let Some(said) = notice { p class="notice good" role="status" { (said) } }
        (why(refused))
        (state(recipient.as_ref()))
        (entry(member, recipient.as_ref()))
        @if let Some(recipient) = &recipient { (choice(member, recipient)) (removal(member)) }
        p { a href=(links.me()) { "Back to your tokens and crates" } }
    };
    let status = refused.map_or(StatusCode::OK, ApiError::status);
    Ok(member.visit.show(Page::new("E-mail", content).unlisted().with_status(status)))
}

fn state(recipient: Option<&Recipient>) -> Markup {
    html! {
        @match recipient {
            None => { p { "You have entered no address, so you get no mail." } }
            Some(Recipient { address, problem: Some(problem), .. }) => {
                p class="notice bad" { "The mail server has refused " strong { (text(address)) } ": " (text(problem)) ". Enter an address that takes mail." }
            }
            Some(Recipient { address, confirmed_at: None, .. }) => {
                p class="notice warn" { "You get mail at " strong { (text(address)) } " as soon as you have opened the link that was sent to it." }
            }
            Some(recipient) if GROUPS.iter().all(|(group, _)| !recipient.wants(group)) => {
                p { "Your address is " strong { (text(&recipient.address)) } ", and you want no mail." }
            }
            Some(Recipient { address, .. }) => { p { "You get mail at " strong { (text(address)) } "." } }
        }
    }
}

fn entry(member: &Member, recipient: Option<&Recipient>) -> Markup {
    let label = if recipient.is_some() { "Another address" } else { "Address" };
    html! {
        form class="sign-in" method="post" action=(member.links().to(PLACE)) {
            (hidden(&member.visit.form_token().unwrap_or_default(), &[]))
            label for="address" { (label) }
            input id="address" name="address" type="email" required maxlength="254" autocomplete="email";
            p class="aside-text" { "Only you and the operators of this registry see it." }
            button type="submit" class="primary" { "Send the link" }
        }
    }
}

fn choice(member: &Member, recipient: &Recipient) -> Markup {
    html! {
        section aria-labelledby="choice" {
            h2 id="choice" { "What you get mail of" }
            form class="sign-in" method="post" action=(member.links().to("/me/email/choice")) {
                (hidden(&member.visit.form_token().unwrap_or_default(), &[]))
                @for (group, about) in GROUPS {
                    p { label { input type="checkbox" name="group" value=(group) checked[recipient.wants(group)]; " " (about) } }
                }
                button type="submit" { "Save" }
            }
        }
    }
}

fn removal(member: &Member) -> Markup {
    html! {
        form class="one" method="post" action=(member.links().to("/me/email/remove")) {
            (hidden(&member.visit.form_token().unwrap_or_default(), &[]))
            button type="submit" { "Remove the address" }
        }
    }
}

/// `POST /me/email`.
pub async fn enter(member: Member, request: Request) -> response::Result<Response> {
    let sent = sent(&member.visit, request).await?;
    check_on(&member)?;
    again::check_proven_to_send(&member.visit, &member.caller, PLACE)?;
    let entered = match sent.get("address").unwrap_or_default().parse::<EmailAddress>() {
        Ok(address) => {
            change(&member, move |connection, authority| {
                Ok(configure::enter(connection, &authority.user, &address, &authority.actor())?)
            })
            .await
        }
        Err(invalid) => Err(ApiError::new(StatusCode::BAD_REQUEST, invalid.to_string())),
    };
    match entered {
        Ok(is_sent) => Ok(back(&member, if is_sent { "entered" } else { "same" })),
        Err(refused) if refused.status().is_client_error() => Ok(page(&member, None, Some(&refused)).await?),
        Err(refused) => Err(refused.into()),
    }
}

/// `POST /me/email/choice`.
pub async fn choose(member: Member, request: Request) -> response::Result<Response> {
    let sent = sent(&member.visit, request).await?;
    check_on(&member)?;
    let wanted: Vec<String> = sent.texts("group");
    change(&member, move |connection, authority| {
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        Ok(configure::choose(connection, &authority.user, &wanted)?)
    })
    .await?;
    Ok(back(&member, "chosen"))
}

/// `POST /me/email/remove`.
pub async fn remove(member: Member, request: Request) -> response::Result<Response> {
    sent(&member.visit, request).await?;
    again::check_proven_to_send(&member.visit, &member.caller, PLACE)?;
    change(&member, move |connection, authority| {
        configure::remove(connection, &authority.user, &authority.actor())?;
        Ok(())
    })
    .await?;
    Ok(back(&member, "removed"))
}

fn back(member: &Member, notice: &str) -> Response {
    leading_to(member.links().with_query(PLACE, &[("notice", notice)]))
}

/// Checks that the registry sends mail.
fn check_on(member: &Member) -> Result<(), ApiError> {
    if member.app.settings.sends_mail {
        return Ok(());
    }
    Err(ApiError::not_found("this registry sends no mail: ask an operator to start it with --smtp-url"))
}

/// A change of the address, in one transaction. A session of a restricted token cannot.
async fn change<T: Send + 'static>(
    member: &Member,
    change: impl FnOnce(&mut PgConnection, &Authority) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let changed = member.change_own(move |connection, authority| {
        authority.unrestricted()?;
        change(connection, authority)
    });
    changed.await
}
