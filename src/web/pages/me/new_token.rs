//! `/me/tokens/new`: the form of a new token, and the token, which is shown once.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};
use chrono::{TimeDelta, Utc};
use maud::{Markup, html};

use crate::database::access::new_token::{MAX_NAME, NewToken, PlainToken};
use crate::database::access::scope::{Scope, UnknownScope};
use crate::database::access::tokens::Token;
use crate::package::crate_pattern::{CratePattern, InvalidPattern};
use crate::web::extract::query::QueryParameters;
use crate::web::pages::layout::Page;
use crate::web::pages::member::Member;
use crate::web::pages::parts::form::{hidden, why};
use crate::web::pages::parts::text::text;
use crate::web::pages::parts::{copy, time};
use crate::web::pages::sign_in::{again, sent};
use crate::web::{ApiError, own_tokens};

/// The scopes, with what they are for.
const SCOPES: [(Scope, &str); 11] = [
    (Scope::PublishNew, "publish new crates"),
    (Scope::PublishUpdate, "publish new versions"),
    (Scope::Yank, "yank and unyank"),
    (Scope::ChangeOwners, "add and remove owners"),
    (Scope::StageNew, "stage new crates in release sets"),
    (Scope::StageUpdate, "stage new versions in release sets"),
    (Scope::Approve, "approve and reject release sets"),
    (Scope::TrustedPublishing, "say which CI systems publish"),
    (Scope::PublishDocs, "upload documentation"),
    (Scope::Administer, "change users, teams and names by the API"),
    (Scope::Read, "only read"),
];
/// How long a token may be valid, in days.
const DAYS: [(&str, &str); 5] =
    [("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "for ever")];
const USUAL_DAYS: &str = "90";
const PATH: &str = "/me/tokens/new";

/// `GET`.
pub async fn show(member: Member, query: QueryParameters) -> response::Result<Response> {
    member.caller.unrestricted()?;
    again::check_proven(&member.visit, &member.caller, PATH)?;
    Ok(form(&member, &query, None))
}

fn form(member: &Member, sent: &QueryParameters, refused: Option<&ApiError>) -> Response {
    let links = member.links();
    let days = sent.get("days").unwrap_or(USUAL_DAYS);
    let content = html! {
        h1 { "New token" }
        (why(refused))
        form class="sign-in" method="post" action=(links.to(PATH)) {
            (hidden(&member.visit.form_token().unwrap_or_default(), &[]))
            label for="name" { "Name, by which you recognise it" }
            input id="name" name="name" required maxlength=(MAX_NAME) autocomplete="off" value=(sent.get("name").unwrap_or_default()) autofocus;
            label for="days" { "Valid for" }
            select id="days" name="days" {
                @for (value, label) in DAYS { option value=(value) selected[value == days] { (label) } }
            }
            (scopes(sent, member.caller.user.is_admin && member.caller.is_person()))
            label for="crates" { "Only for these crates" }
            input id="crates" name="crates" autocomplete="off" spellcheck="false" value=(sent.get("crates").unwrap_or_default())
                maxlength="4000" aria-describedby="about-crates";
            p id="about-crates" class="aside-text" { "Names, or beginnings with " code { "*" } " such as " code { "acme-*" } ", separated by spaces. Leave it empty for all." }
            button type="submit" class="primary" { "Create the token" }
        }
        p { a href=(links.me()) { "Back, and create nothing" } }
    };
    let status = refused.map_or(StatusCode::OK, ApiError::status);
    member.visit.show(Page::new("New token", content).unlisted().with_status(status))
}

fn scopes(sent: &QueryParameters, is_admin: bool) -> Markup {
    let chosen = sent.texts("scope");
    html! {
        fieldset {
            legend { "What it may do; every token reads" }
            label { input type="checkbox" name="everything" value="true" checked[sent.get("everything").is_some()];
                " Everything that you may, now and later"
                @if is_admin { ", except for changing users, teams and names" }
                ". Keep such a token to yourself."
            }
            @for (scope, what) in SCOPES.into_iter().filter(|(scope, _)| is_admin || *scope != Scope::Administer) {
                label { input type="checkbox" name="scope" value=(scope) checked[chosen.iter().any(|one| one == scope.as_str())]; " " (what) }
            }
        }
    }
}

/// `POST`.
pub async fn create(member: Member, request: Request) -> response::Result<Response> {
    let sent = sent(&member.visit, request).await?;
    again::check_proven_to_send(&member.visit, &member.caller, PATH)?;
    let created = match wanted(&sent) {
        Ok(wanted) => own_tokens::create(&member.app, member.caller.clone(), wanted).await,
        Err(refused) => Err(refused),
    };
    match created {
        Ok((token, plain)) => Ok(shown(&member, &token, &plain)),
        Err(refused) if refused.status() == StatusCode::BAD_REQUEST => Ok(form(&member, &sent, Some(&refused))),
        Err(refused) => Err(refused.into()),
    }
}

fn wanted(sent: &QueryParameters) -> Result<NewToken, ApiError> {
    let bad = |detail: String| ApiError::new(StatusCode::BAD_REQUEST, detail);
    let days: Option<i64> = match sent.get("days").unwrap_or(USUAL_DAYS) {
        "" => None,
        text => Some(
            text.parse()
                .ok()
                .filter(|days| (1..=3650).contains(days))
                .ok_or_else(|| bad(format!("{text:?} is no number of days: use 1 to 3650, or leave it empty")))?,
        ),
    };
    let scopes: Vec<Scope> = sent
        .texts("scope")
        .iter()
        .map(|scope| scope.parse().map_err(|unknown: UnknownScope| bad(unknown.to_string())))
        .collect::<Result<_, _>>()?;
    let everything = sent.flag("everything")?.unwrap_or(false);
    let patterns: Vec<CratePattern> = sent
        .get("crates")
        .unwrap_or_default()
        .split([' ', ',', '\n', '\t', '\r'])
        .filter(|pattern| !pattern.is_empty())
        .map(|pattern| pattern.parse().map_err(|invalid: InvalidPattern| bad(invalid.to_string())))
        .collect::<Result<_, _>>()?;
    let scopes = match (everything, scopes.is_empty()) {
        (true, true) => None,
        (true, false) => return Err(bad("everything, and some of it: choose one or the other".to_owned())),
        (false, true) => {
            return Err(bad("nothing is chosen that the token may do: choose at least to read".to_owned()));
        }
        (false, false) => Some(scopes),
    };
    Ok(NewToken {
        name: sent.get("name").unwrap_or_default().to_owned(),
        scopes,
        crate_patterns: Some(patterns).filter(|patterns| !patterns.is_empty()),
        expires_at: days.map(|days| Utc::now() + TimeDelta::days(days)),
    })
}

fn shown(member: &Member, token: &Token, plain: &PlainToken) -> Response {
    let links = member.links();
    let content = html! {
        h1 { "The token " (text(&token.name)) }
        p class="notice good" role="status" { "Copy it now. The registry keeps only its hash, so it cannot be shown again." }
        (copy::block("token", plain.reveal()))
        @if token.scopes.as_ref().is_some_and(|scopes| scopes.0.iter().all(|scope| *scope == Scope::Read)) {
            p class="notice warn" { "It may only read: cargo cannot publish with it." }
        }
        p { "Enter it when this command asks for it:" }
        (copy::block("login", "cargo login --registry supercargo"))
        p {
            @match token.end() { Some(end) => { "It expires on " (time::day(end)) "." } None => { "It does not expire." } }
            " The " a href=(links.home()) { "home page" } " has the configuration of the registry for cargo."
        }
        p { a href=(links.me()) { "Done" } }
    };
    member.visit.show(Page::new("New token", content).unlisted().unstored())
}
