//! `GET /me`: everything that a user has.

use axum::response::Response;
use chrono::{DateTime, Utc};
use diesel::PgConnection;
use maud::{Markup, html};

use super::invitations;
use crate::database::access::caller::Caller;
use crate::database::access::role::Role;
use crate::database::access::sessions::{self, Listed};
use crate::database::access::teams::{self, Team};
use crate::database::access::tokens::{Token, TokenState};
use crate::database::catalog::invitation_answer;
use crate::database::catalog::invitations::Invitation;
use crate::database::catalog::owners;
use crate::database::catalog::ownership::OwnersError;
use crate::database::sign_in::identities::{self, Identity};
use crate::database::sign_in::passwords;
use crate::package::CrateName;
use crate::web::pages::layout::Page;
use crate::web::pages::member::Member;
use crate::web::pages::parts::form;
use crate::web::pages::parts::text::{name, names, text, with_code};
use crate::web::pages::parts::time;
use crate::web::pages::visit::leading_to;
use crate::web::{ApiError, own_tokens};

/// What a user has.
struct Has {
    tokens: Vec<Token>,
    sessions: Vec<Listed>,
    identities: Vec<Identity>,
    password_set_at: Option<DateTime<Utc>>,
    crates: Vec<CrateName>,
    teams: Vec<Team>,
    /// Those that the token of the session covers.
    invitations: Vec<Invitation>,
}

impl Has {
    async fn read(member: &Member) -> Result<Self, ApiError> {
        let tokens = own_tokens::list(&member.app, &member.caller).await?;
        let (user, caller) = (member.caller.user.id, member.caller.clone());
        let read = member.app.with_connection(move |connection| {
            let mut crates: Vec<_> = owners::crates_of(connection, user)?.into_iter().map(|(_, name)| name).collect();
            crates.sort();
            Ok::<_, ApiError>(Self {
                tokens,
                sessions: sessions::of_user(connection, user)?,
                identities: identities::of_user(connection, user)?,
                password_set_at: passwords::set_at(connection, user)?,
                crates,
                teams: teams::of_user(connection, user)?,
                invitations: own_invitations(connection, &caller)?,
            })
        });
        read.await
    }
}

/// None for a session of a token that may not see them.
fn own_invitations(connection: &mut PgConnection, caller: &Caller) -> Result<Vec<Invitation>, ApiError> {
    match invitation_answer::of_caller(connection, caller) {
        Err(OwnersError::Refused(_)) => Ok(Vec::new()),
        read => Ok(read?),
    }
}

/// What was done, by the word in the link.
const NOTICES: [(&str, &str); 9] = [
    ("accepted", "You have accepted: the crate is yours, too."),
    ("declined", "You have declined the invitation."),
    ("revoked", "The token is revoked, and refused from now on."),
    ("ended", "The session has ended."),
    ("ended-others", "All your other sessions have ended."),
    ("password-set", "The password is set. Your other sessions have ended."),
    ("password-removed", "The password is removed."),
    ("connected", "The account is connected: you can sign in with it from now on."),
    ("disconnected", "The account is disconnected: it can no longer sign in as you."),
];

/// Leads back to the overview, which says what was done.
pub fn back(member: &Member, notice: &str) -> Response {
    leading_to(member.links().with_query("/me", &[("notice", notice)]))
}

pub async fn show(member: &Member, notice: Option<&str>) -> Result<Response, ApiError> {
    let has = Has::read(member).await?;
    let user = &member.caller.user;
    let form_token = member.visit.form_token().unwrap_or_default();
    let notice = notice.and_then(|word| NOTICES.iter().find(|(known, _)| *known == word));
    let content = html! {
        h1 { (name(&user.login)) }
        @if let Some((_, said)) = notice { p class="notice good" role="status" { (said) } }
        p {
            @if let Some(full) = &user.name { (text(full)) ". " }
            @match user.role {
                _ if user.is_admin => "You are an admin of this registry.",
                Role::Member => "Your role is member.",
                Role::Auditor => "Your role is auditor: you read, and see the audit log.",
                // It cannot sign in, and this session ends.
                Role::Service => "This is a service account.",
                Role::ReadOnly => "Your role is read-only: you read, and change nothing but your own tokens and sign-in.",
            }
        }
        (invitations::section(member, &has.invitations, &form_token))
        @match member.caller.unrestricted() {
            Ok(()) => { (tokens(member, &has.tokens)) }
            Err(denied) => { h2 { "Tokens" } p { "Your session cannot show or create tokens: " (with_code(&denied.to_string())) "." } }
        }
        (crates(member, &has))
        @if member.app.settings.sends_mail {
            section aria-labelledby="email" {
                h2 id="email" { "E-mail" }
                p { a href=(member.links().to("/me/email")) { "Where you get mail, and of what" } }
            }
        }
        @if member.caller.unrestricted().is_ok() {
            (ways(member, &has, &form_token))
            (sessions_of(member, &has.sessions, &form_token))
        }
    };
    Ok(member.visit.show(Page::new(user.login.clone(), content).unlisted()))
}

fn tokens(member: &Member, tokens: &[Token]) -> Markup {
    let links = member.links();
    html! {
        section aria-labelledby="tokens" {
            h2 id="tokens" { "Tokens" }
            p { a class="button primary" href=(links.to("/me/tokens/new")) { "New token" } }
            @if tokens.is_empty() {
                p { "You have no token. cargo needs one to publish: create it here, and enter it in " code { "cargo login --registry supercargo" } "." }
            } @else {
                div class="scroll" tabindex="0" role="group" aria-label="Tokens" {
                    table {
                        thead { tr {
                            th scope="col" { "Name" } th scope="col" { "May" } th scope="col" { "Crates" } th scope="col" { "Created" }
                            th scope="col" { "Last used" } th scope="col" { "Expires" } th scope="col" { span class="aside" { "Change" } }
                        } }
                        tbody { @for token in tokens.iter().rev() { (row(member, token)) } }
                    }
                }
            }
        }
    }
}

fn row(member: &Member, token: &Token) -> Markup {
    let revoke = member.links().to(&format!("/me/tokens/{}/revoke", token.id));
    html! {
        tr {
            td class="wrap" { (text(&token.name)) }
            td class="wrap" { @match &token.scopes { Some(scopes) => (scopes), None => "everything that you may" } }
            td class="wrap" { @match &token.crate_patterns { Some(patterns) => (patterns), None => "all" } }
            td { (time::ago(token.created_at)) }
            td { @match token.last_used_at { Some(at) => (time::ago(at)), None => "never" } }
            td {
                @match (token.state(), token.end()) {
                    (_, _) if token.renewable_until.is_some_and(|until| until > Utc::now()) => "renewed when it is used",
                    (TokenState::Expired, _) => span class="tag bad" { "expired" },
                    (_, Some(end)) => (time::day(end)),
                    (_, None) => "never",
                }
            }
            td { a href=(revoke) { "Revoke" span class="aside" { " the token " (token.name) } } }
        }
    }
}

fn crates(member: &Member, has: &Has) -> Markup {
    let links = member.links();
    let teams: Vec<String> = has.teams.iter().map(|team| team.name.clone()).collect();
    html! {
        section aria-labelledby="crates" {
            h2 id="crates" { "Crates and teams" }
            @if has.crates.is_empty() { p { "You own no crate." } } @else {
                ul class="names" { @for krate in &has.crates { li { a href=(links.krate(krate)) { (krate) } } } }
            }
            @if !teams.is_empty() {
                p {
                    "You are a member of " (names(&teams))
                    @if member.caller.user.role.changes() { ", and may publish and yank what these teams own" } "."
                }
            }
        }
    }
}

fn ways(member: &Member, has: &Has, form_token: &str) -> Markup {
    let (app, links) = (&member.app, member.links());
    let others = app.providers.iter().filter(|one| has.identities.iter().all(|own| own.issuer != one.settings.issuer));
    let is_person = member.caller.is_person();
    html! {
        section aria-labelledby="ways" {
            h2 id="ways" { "How you sign in" }
            @if !is_person {
                p {
                    "This session began with a token, so you cannot change here how you sign in: somebody who has found a token could \
                     keep your user by it. Sign in in another way, or ask an admin for a sign-in link; an operator prints one with "
                    code { "supercargo admin user sign-in-link " (member.caller.user.login) } "."
                }
            }
            ul class="ways" {
                @for identity in &has.identities {
                    li {
                        (title(member, &identity.issuer)) " as " strong { (text(&identity.label)) } ", last " (time::ago(identity.last_used_at)) " "
                        @if is_person { (button(form_token, &links.to(&format!("/me/accounts/{}/disconnect", identity.id)), "Disconnect", &[])) }
                    }
                }
                @if let Some(at) = has.password_set_at {
                    li {
                        "Password, set " (time::ago(at)) " "
                        @if is_person {
                            @if app.settings.sign_in.password { a href=(links.to("/me/password")) { "Change" } " " }
                            (button(form_token, &links.to("/me/password/remove"), "Remove the password", &[]))
                        }
                    }
                }
            }
            @for provider in others.filter(|_| is_person) {
                @let settings = &provider.settings;
                (button(form_token, &links.to("/me/accounts/connect"), &format!("Connect {}", settings.title()), &[("provider", &settings.name)]))
            }
            @if is_person && app.settings.sign_in.password && has.password_set_at.is_none() {
                p { a class="button" href=(links.to("/me/password")) { "Set a password" } }
            }
        }
    }
}

fn sessions_of(member: &Member, sessions: &[Listed], form_token: &str) -> Markup {
    let links = member.links();
    let is_this = |session: &Listed| member.visit.session().is_some_and(|secret| session.is(secret));
    html! {
        section aria-labelledby="sessions" {
            h2 id="sessions" { "Sessions" }
            p { "A session ends after twelve hours without use, and after seven days." }
            div class="scroll" tabindex="0" role="group" aria-label="Sessions" {
                table {
                    thead { tr {
                        th scope="col" { "Browser" } th scope="col" { "From" } th scope="col" { "Signed in with" } th scope="col" { "Began" }
                        th scope="col" { "Last used" } th scope="col" { span class="aside" { "Change" } }
                    } }
                    tbody {
                        @for session in sessions {
                            tr {
                                td class="wrap" { (text(&session.browser.as_deref().map_or_else(|| "unknown".to_owned(), browser))) }
                                td { (text(session.address.as_deref().unwrap_or("unknown"))) }
                                td class="wrap" { @match &session.sign_in { Some(with) => (text(&title(member, with))), None => { "the token " (text(&session.token)) } } }
                                td { (time::ago(session.created_at)) }
                                td { (time::ago(session.last_used_at)) }
                                td {
                                    @if is_this(session) { "this one" } @else {
                                        (button(form_token, &links.to(&format!("/me/sessions/{}/end", session.id)), "End", &[]))
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if sessions.len() > 1 { (button(form_token, &links.to("/me/sessions/end-others"), "End all others", &[])) }
        }
    }
}

/// What people call a way to sign in.
fn title(member: &Member, sign_in: &str) -> String {
    let provider = member.app.providers.iter().find(|provider| provider.settings.issuer == sign_in);
    provider.map_or_else(|| sign_in.to_owned(), |provider| provider.settings.title().to_owned())
}

/// What a browser calls itself, as people call it: `Firefox on Linux`.
fn browser(agent: &str) -> String {
    let first = |names: &[(&'static str, &'static str)]| {
        names.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name)
    };
    let program = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        _ => agent.chars().take(60).collect(),
    }
}

/// A form that is one button.
fn button(form_token: &str, action: &str, label: &str, fields: &[(&str, &str)]) -> Markup {
    form::button(action, &form::hidden(form_token, fields), ("", &html! { (label) }))
}
