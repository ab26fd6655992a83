//! `/oauth/device`: a user allows a device to get a token, after a fresh proof that it is the user.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};
use axum::routing::get;
use maud::{Markup, html};

use super::layout::Page;
use super::member::Member;
use super::parts::form::hidden;
use super::parts::text::{name, text, with_code};
use super::parts::time;
use super::sign_in::{again, sent};
use crate::database::sign_in::devices::{self, UserCode, Waiting};
use crate::web::extract::query::QueryParameters;
use crate::web::{ApiError, App};

const NONE_WAITS: &str = "No device waits with this code: it may have expired. Look at the device again.";

pub(super) fn router() -> Router<App> {
    Router::new().route("/oauth/device", get(show).post(decide))
}

/// `GET`.
async fn show(member: Member, query: QueryParameters) -> response::Result<Response> {
    member.caller.may_make_token_until(None)?;
    let typed = query.text("user_code").unwrap_or_default();
    let back = member.links().with_query("/oauth/device", &[("user_code", &typed)]);
    let back = back.strip_prefix(member.links().base()).unwrap_or(&back);
    again::check_proven(&member.visit, &member.caller, back)?;
    if typed.is_empty() {
        return Ok(ask(&member, "", None));
    }
    let found = match UserCode::parse(&typed) {
        Some(code) => {
            let wanted = code.clone();
            let found = member.app.with_connection(move |connection| devices::find(connection, &wanted)).await?;
            found.map(|waiting| (code, waiting))
        }
        None => None,
    };
    Ok(match found {
        Some((code, waiting)) => page(&member, "Allow a device?", StatusCode::OK, question(&member, &code, &waiting)),
        None => ask(&member, &typed, Some(NONE_WAITS)),
    })
}

fn page(member: &Member, title: &str, status: StatusCode, content: Markup) -> Response {
    member.visit.show(Page::new(title, content).unlisted().with_status(status))
}

fn ask(member: &Member, typed: &str, problem: Option<&str>) -> Response {
    let content = html! {
        h1 { "Enter the code of your device" }
        @if let Some(problem) = problem { p class="notice bad" role="alert" { (problem) } }
        form class="sign-in" method="get" action=(member.links().to("/oauth/device")) {
            label for="user_code" { "Code, such as " code { "WDJB-MJHT" } }
            input id="user_code" name="user_code" required value=(typed) maxlength="20" autocomplete="off" autocapitalize="characters"
                spellcheck="false" autofocus;
            button type="submit" class="primary" { "Continue" }
        }
    };
    let status = if problem.is_some() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    page(member, "Enter the code of your device", status, content)
}

fn question(member: &Member, code: &UserCode, waiting: &Waiting) -> Markup {
    html! {
        h1 { "Allow " (text(&waiting.name)) " to act as you?" }
        p class="notice warn" {
            "Allow it only if you have just run " code { "cargo login" } " yourself, and your terminal shows the code "
            strong { (code.shown()) } ". Somebody who has sent you here with a link would get your rights."
        }
        dl class="pairs" {
            dt { "Device" } dd { (text(&waiting.name)) }
            dt { "Asked from" } dd { (text(waiting.address.as_deref().unwrap_or("an unknown address"))) ", " (time::ago(waiting.created_at)) }
            dt { "May" }
            dd { @match &waiting.scopes { Some(scopes) => { (scopes) } None => "everything that you may" } }
            dt { "User" } dd { (name(&member.caller.user.login)) }
        }
        @match member.visit.form_token() {
            None => { p { "This needs a session: " a href=(member.links().sign_in()) { "sign in" } "." } }
            Some(form_token) => {
                form class="sign-in" method="post" action=(member.links().to("/oauth/device")) {
                    (hidden(&form_token, &[("user_code", &code.shown())]))
                    button type="submit" name="decision" value="allow" class="primary" { "Allow" }
                    button type="submit" name="decision" value="deny" { "Deny" }
                }
            }
        }
    }
}

/// `POST`.
async fn decide(member: Member, request: Request) -> response::Result<Response> {
    let sent = sent(&member.visit, request).await?;
    member.caller.may_make_token_until(None)?;
    let typed = sent.get("user_code").unwrap_or_default();
    let code = UserCode::parse(typed);
    let shown = code.as_ref().map(UserCode::shown).unwrap_or_default();
    again::check_proven_to_send(&member.visit, &member.caller, &format!("/oauth/device?user_code={shown}"))?;
    let allow = match sent.get("decision") {
        Some("allow") => true,
        Some("deny") => false,
        _ => {
            let detail = "`decision` is neither allow nor deny: send the form of the page";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, detail).into());
        }
    };
    let Some(code) = code else {
        return Ok(ask(&member, typed, Some("This is no code of a device.")));
    };
    let decided = member.change_own(move |connection, authority| {
        // It is renewed without an end, so no token with an end may be behind it.
        authority.may_make_token_until(None)?;
        Ok(devices::decide(connection, &code, allow, authority)?)
    });
    if !decided.await? {
        return Ok(ask(&member, typed, Some(NONE_WAITS)));
    }
    let (title, said) = match allow {
        true => (
            "Allowed",
            "The device has its token in a moment: go back to it. The token is among yours, where you can revoke it.",
        ),
        false => ("Denied", "The device gets no token."),
    };
    let content = html! {
        h1 { (title) }
        p class="notice good" role="status" { (with_code(said)) }
        p { a href=(member.links().me()) { "Your tokens" } }
    };
    Ok(page(&member, title, StatusCode::OK, content))
}
