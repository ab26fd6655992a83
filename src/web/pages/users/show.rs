//! `GET /admin/users/{login}`: the page of a user, with what can be changed.

use axum::response::Response;
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use strum::VariantNames;

use super::list::{role, state};
use crate::database::access::role::Role;
use crate::database::access::sessions::{self, Listed};
use crate::database::access::teams::{self, Team};
use crate::database::access::tokens;
use crate::database::access::users::{self, User, UserState};
use crate::database::catalog::owners;
use crate::database::sign_in::identities::{self, Identity};
use crate::database::sign_in::{links, passwords};
use crate::package::CrateName;
use crate::web::ApiError;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::layout::Page;
use crate::web::pages::parts::form;
use crate::web::pages::parts::text::{counted, name, names, text, with_code};
use crate::web::pages::parts::time;
use crate::web::shortened::shortened;

/// What a user has.
struct Has {
    user: User,
    identities: Vec<Identity>,
    password_set_at: Option<DateTime<Utc>>,
    link_until: Option<DateTime<Utc>>,
    sessions: Vec<Listed>,
    tokens: i64,
    crates: Vec<CrateName>,
    teams: Vec<Team>,
}

/// What was done, by the word in the link.
const NOTICES: [(&str, &str); 6] = [
    ("role", "The role is changed, from the next request on."),
    ("same", "Nothing was changed: it was so already."),
    ("signed-out", "All sessions of this user have ended. Tokens stay valid."),
    ("disabled", "The user is disabled: sessions and tokens are refused until the user is enabled again."),
    ("enabled", "The user is active again, with the tokens of before."),
    ("created", "The user is created."),
];

pub async fn show(admin: Admin, ApiPath(login): ApiPath<String>, query: QueryParameters) -> Result<Response, ApiError> {
    let has = read(&admin, login).await?;
    let user = &has.user;
    let links = admin.links();
    let notice = query.get("notice").and_then(|word| NOTICES.iter().find(|(known, _)| *known == word));
    let content = html! {
        h1 { (name(&user.login)) }
        @if let Some((_, said)) = notice { p class="notice good" role="status" { (said) } }
        p {
            @if let Some(full) = &user.name { (text(full)) ", " }
            (role(user)) ", " (state(user)) ", created " (time::day(user.created_at)) ". "
            a href=(links.with_query("/admin/audit", &[("actor", &user.login)])) { "What this user changed" }
        }
        (facts(&has))
        @if !user.is_machine { (changes(&admin, &has)) }
        p { a href=(links.to("/admin/users")) { "All users" } }
    };
    Ok(admin.visit.show(Page::new(user.login.clone(), content).unlisted()))
}

async fn read(admin: &Admin, login: String) -> Result<Has, ApiError> {
    let read = admin.app.with_connection(move |connection| {
        let user = users::find(connection, &login)?.ok_or_else(|| no_user(&login))?;
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
            teams: teams::of_user(connection, id)?,
        })
    });
    read.await
}

pub(super) fn no_user(login: &str) -> ApiError {
    ApiError::not_found(format!("there is no user {}: see the list of users", shortened(login)))
}

fn facts(has: &Has) -> Markup {
    let teams: Vec<String> = has.teams.iter().map(|team| team.name.clone()).collect();
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
            dd { @if teams.is_empty() { "none" } @else { (names(&teams)) } }
        }
    }
}

fn changes(admin: &Admin, has: &Has) -> Markup {
    let (user, links) = (&has.user, admin.links());
    let is_own = admin.caller.user.id == user.id;
    let action = |what: &str| format!("{}/{what}", links.user(&user.login));
    let hidden = form::hidden(&admin.visit.form_token().unwrap_or_default(), &[]);
    let button =
        |what: &str, label: &str, class: &str| form::button(&action(what), &hidden, (class, &html! { (label) }));
    html! {
        h2 { "Change" }
        @if admin.visit.session().is_none() {
            p { "Changes need a session: " a href=(links.sign_in()) { "sign in" } "." }
        } @else if let Err(denied) = admin.caller.person() {
            p { "You cannot change users here: " (with_code(&denied.to_string())) "." }
        } @else if user.state() == UserState::Active {
            (button("sign-in-link", "Create a sign-in link", ""))
            @if is_own {
                p { "Another admin can change your role, or disable you. Your sessions are on " a href=(links.me()) { "your page" } "." }
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
                p class="aside-text" {
                    "Sessions and tokens are refused until the user is enabled again. To hand over the crates of somebody who leaves, an \
                     operator runs " code { "supercargo admin user remove" } "."
                }
            }
        } @else {
            (button("enable", "Enable the user", ""))
        }
    }
}

/// The role of admins in the form.
pub(super) const ADMIN: &str = "admin";
