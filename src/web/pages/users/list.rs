//! `GET /admin/users`.

use std::collections::HashSet;

use axum::response::Response;
use maud::{Markup, html};

use crate::database::access::users::{self, User, UserState};
use crate::database::sign_in::{identities, passwords};
use crate::web::ApiError;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::parts::form::hidden;
use crate::web::pages::parts::pager::numbered;
use crate::web::pages::parts::text::{name, text};
use crate::web::pages::parts::time;

/// Users on a page.
const PER_PAGE: usize = 100;

pub async fn show(admin: Admin, query: QueryParameters) -> Result<Response, ApiError> {
    let wanted = query.text("q").unwrap_or_default();
    let page: usize = query.parsed("page", "the number of a page")?.unwrap_or(1).max(1);
    let offset = i64::try_from((page - 1).saturating_mul(PER_PAGE)).unwrap_or(i64::MAX);
    let part = wanted.trim().to_owned();
    let read = admin.app.with_connection(move |connection| {
        let found = users::page(connection, &part, (PER_PAGE as i64, offset))?;
        let with_account: HashSet<i32> = identities::users(connection)?.into_iter().collect();
        let with_password: HashSet<i32> = passwords::users(connection)?.into_iter().collect();
        Ok::<_, ApiError>((found, with_account, with_password))
    });
    let ((shown, count), with_account, with_password) = read.await?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let links = admin.links();
    let ways = |user: &User| match (user.is_machine, with_account.contains(&user.id), with_password.contains(&user.id))
    {
        (true, _, _) => "ID tokens",
        (_, true, true) => "provider, password",
        (_, true, false) => "provider",
        (_, false, true) => "password",
        (_, false, false) => "tokens alone",
    };
    let content = html! {
        h1 { "Users" }
        form class="sign-in" method="get" action=(links.to("/admin/users")) {
            label for="find" { "Login or name" }
            input id="find" type="search" name="q" value=(wanted) maxlength="200" autocomplete="off" spellcheck="false";
            button type="submit" { "Find" }
        }
        @if shown.is_empty() { p { "No user has " (text(&wanted)) " in login or name." } } @else { (table(links, &shown, ways)) }
        (neighbours(links, (&wanted, page), count))
        (new_user(&admin))
    };
    Ok(admin.visit.show(Page::new("Users", content).unlisted()))
}

fn table(links: &Links, users: &[User], ways: impl Fn(&User) -> &'static str) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Users" {
            table {
                caption class="aside" { "Users" }
                thead { tr {
                    th scope="col" { "Login" } th scope="col" { "Name" } th scope="col" { "Role" } th scope="col" { "State" }
                    th scope="col" { "Signs in with" } th scope="col" { "Created" }
                } }
                tbody { @for user in users {
                    tr {
                        th scope="row" class="wrap" { a href=(links.user(&user.login)) { (name(&user.login)) } }
                        td class="wrap" { @if let Some(full) = &user.name { (text(full)) } }
                        td { (role(user)) }
                        td { (state(user)) }
                        td { (ways(user)) }
                        td { (time::day(user.created_at)) }
                    }
                } }
            }
        }
    }
}

pub(super) fn role(user: &User) -> &'static str {
    if user.is_machine {
        "machine"
    } else if user.is_admin {
        "admin"
    } else {
        user.role.as_str()
    }
}

pub(super) fn state(user: &User) -> Markup {
    html! {
        @match user.state() {
            UserState::Active => "active",
            other => span class="tag bad" { (other.as_str()) },
        }
    }
}

fn neighbours(links: &Links, (wanted, page): (&str, usize), count: usize) -> Markup {
    let to = |page: usize| links.with_query("/admin/users", &[("q", wanted), ("page", &page.to_string())]);
    numbered(page, page.saturating_mul(PER_PAGE) < count, to)
}

fn new_user(admin: &Admin) -> Markup {
    html! {
        section aria-labelledby="new" {
            h2 id="new" { "New user" }
            @match admin.form_token() {
                Err(why) => (why),
                Ok(form_token) => {
                    form class="sign-in" method="post" action=(admin.links().to("/admin/users")) {
                        (hidden(&form_token, &[]))
                        label for="login" { "Login" }
                        input id="login" name="login" required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false"
                            aria-describedby="about-login";
                        p id="about-login" class="aside-text" {
                            "You get a link to send to the new user, who chooses how to sign in. A login stays taken, also after its user \
                             was removed."
                        }
                        button type="submit" { "Create the user" }
                    }
                }
            }
        }
    }
}
