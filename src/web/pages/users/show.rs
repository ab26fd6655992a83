//! `GET /admin/users/{login}`: the page of a user, with what can be changed.

use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use strum::VariantNames;

use super::list::{role, state};
use super::removal_form;
use crate::database::access::role::Role;
use crate::database::access::sessions::{self, Listed};
use crate::database::access::teams::{self, Team};
use crate::database::access::tokens;
use crate::database::access::users::{User, UserState};
use crate::database::catalog::owners;
use crate::database::catalog::user_changes::ADMIN;
use crate::database::sign_in::identities::{self, Identity};
use crate::database::sign_in::{links, passwords};
use crate::package::CrateName;
use crate::web::ApiError;
use crate::web::administration;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::parts::form;
use crate::web::pages::parts::text::{counted, name, names, text};
use crate::web::pages::parts::time;

/// What a user has.
struct Has {
    user: User,
    identities: Vec<Identity>,
    password_set_at: Option<DateTime<Utc>>,
    link_until: Option<DateTime<Utc>>,
    sessions: Vec<Listed>,
    tokens: i64,
    crates: Vec<CrateName>,
    /// Those that no other active user owns.
    alone: Vec<CrateName>,
    teams: Vec<Team>,
}

/// What was done, by the word in the link.
const NOTICES: [(&str, &str); 7] = [
    ("role", "The role is changed, from the next request on."),
    ("same", "Nothing was changed: it was so already."),
    ("signed-out", "All sessions of this user have ended. Tokens stay valid."),
    ("disabled", "The user is disabled: sessions and tokens are refused until the user is enabled again."),
    ("enabled", "The user is active again, with the tokens of before."),
    ("created", "The user is created."),
    (
        "removed",
        "The user is removed. The log of changes has the tokens that were revoked, and the crates with their new owners.",
    ),
];

pub async fn show(admin: Admin, ApiPath(login): ApiPath<String>, query: QueryParameters) -> Result<Response, ApiError> {
    page(&admin, login, query.get("notice"), None).await
}

/// The page. `refused`: the new owners that were entered, and why the user was not removed.
pub async fn page(
    admin: &Admin,
    login: String,
    notice: Option<&str>,
    refused: Option<(&str, &ApiError)>,
) -> Result<Response, ApiError> {
    let has = read(admin, login).await?;
    let user = &has.user;
    let links = admin.links();
    let notice = notice.and_then(|word| NOTICES.iter().find(|(known, _)| *known == word));
    let content = html! {
        h1 { (name(&user.login)) }
        @if let Some((_, said)) = notice { p class="notice good" role="status" { (said) } }
        (form::why(refused.map(|(_, error)| error)))
        p {
            @if let Some(full) = &user.name { (text(full)) ", " }
            (role(user)) ", " (state(user)) ", created " (time::day(user.created_at)) ". "
            a href=(links.with_query("/admin/audit", &[("actor", &user.login)])) { "What this user changed" }
        }
        (facts(links, &has))
        @if !user.is_machine { (changes(admin, &has, refused.map_or("", |(to, _)| to))) }
        p { a href=(links.to("/admin/users")) { "All users" } }
    };
    let status = refused.map_or(StatusCode::OK, |(_, error)| error.status());
    Ok(admin.visit.show(Page::new(user.login.clone(), content).unlisted().with_status(status)))
}

async fn read(admin: &Admin, login: String) -> Result<Has, ApiError> {
    let read = admin.app.with_connection(move |connection| {
        let user = administration::user(connection, &login)?;
        let id = user.id;
        let mut crates: Vec<_> = owners::crates_of(connection, id)?.into_iter().map(|(_, name)| name).collect();
        crates.sort();
        Ok::<_, ApiError>(Has {
            user,
            identities: identities::of_user(connection, id)?,
            password_set_at: passwords::set_at(connection, id)?,
            link_until: links::end_of(connection, id)?,
            sessions: sessions::of_user(connection, id)?,
            tokens: tokens::count_valid(connection, id)?,
            crates,
            alone: owners::crates_of_alone(connection, id)?,
            teams: teams::of_user(connection, id)?,
        })
    });
    read.await
}

fn facts(links: &Links, has: &Has) -> Markup {
    let crates: Vec<String> = has.crates.iter().map(ToString::to_string).collect();
    html! {
        dl class="pairs" {
            dt { "Signs in with" }
            dd {
                @for identity in &has.identities {
                    (text(&identity.label)) " at " (text(&identity.issuer)) ", last " (time::ago(identity.last_used_at)) br;
                }
                @if let Some(at) = has.password_set_at { "a password, set " (time::ago(at)) br; }
                @if let Some(end) = has.link_until { "a link, until " (time::exact(end)) br; }
                @if has.identities.is_empty() && has.password_set_at.is_none() && has.link_until.is_none() { "tokens alone" }
            }
            dt { "Has" }
            dd { (counted(i64::try_from(has.sessions.len()).unwrap_or(i64::MAX), "session")) ", " (counted(has.tokens, "valid token")) }
            dt { "Owns" }
            dd { @if crates.is_empty() { "no crate" } @else { (names(&crates)) } }
            dt { "Teams" }
            dd {
                @if has.teams.is_empty() { "none" }
                @for (place, team) in has.teams.iter().enumerate() {
                    @if place > 0 { ", " } a href=(links.team(&team.name)) { (name(&team.name)) }
                }
            }
        }
    }
}

fn changes(admin: &Admin, has: &Has, to: &str) -> Markup {
    let (user, links) = (&has.user, admin.links());
    let is_own = admin.caller.user.id == user.id;
    let form_token = match admin.form_token() {
        Ok(form_token) => form_token,
        Err(why) => return html! { h2 { "Change" } (why) },
    };
    let action = |what: &str| format!("{}/{what}", links.user(&user.login));
    let hidden = form::hidden(&form_token, &[]);
    let button =
        |what: &str, label: &str, class: &str| form::button(&action(what), &hidden, (class, &html! { (label) }));
    html! {
        h2 { "Change" }
        @if user.state() == UserState::Active {
            (button("sign-in-link", "Create a sign-in link", ""))
            @if is_own {
                p { "Another admin can change your role, and disable or remove you. Your sessions are on " a href=(links.me()) { "your page" } "." }
            } @else {
                (button("sign-out", "End all sessions", ""))
                form class="sign-in" method="post" action=(action("role")) {
                    (hidden)
                    label for="role" { "Role" }
                    select id="role" name="role" {
                        @for role in Role::VARIANTS { option value=(role) selected[!user.is_admin && *role == user.role.as_str()] { (role) } }
                        option value=(ADMIN) selected[user.is_admin] { (ADMIN) }
                    }
                    button type="submit" { "Change the role" }
                }
                (button("disable", "Disable the user", "danger"))
                p class="aside-text" { "Sessions and tokens are refused until the user is enabled again." }
            }
        } @else {
            (button("enable", "Enable the user", ""))
        }
        @if !is_own && user.state() != UserState::Removed {
            (removal_form::form(admin, (&user.login, &hidden), (&has.crates, &has.alone), to))
        }
    }
}
