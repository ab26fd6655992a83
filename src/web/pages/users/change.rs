//! What an admin changes about users.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::PgConnection;
use maud::html;

use super::show::{self, ADMIN, no_user};
use crate::database::access::administrator::Administrator;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::role::{Role, UnknownRole};
use crate::database::access::users::{self, User};
use crate::database::catalog::user_changes;
use crate::database::catalog::user_removal::{RemovalError, listed, refuse_last_admin};
use crate::database::sign_in::links::{CreateLinkError, LinkSecret};
use crate::jobs::leaving;
use crate::package::link_segment;
use crate::web::ApiError;
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::layout::Page;
use crate::web::pages::parts::text::name;
use crate::web::pages::parts::{copy, time};
use crate::web::pages::visit::leading_to;

/// How long a link that is created on a page is valid.
const LINK_LASTS: TimeDelta = TimeDelta::days(3);

fn bad(detail: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, detail)
}

fn conflict(detail: String) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, detail)
}

/// The path of a user's page, below the registry's.
fn page_of(login: &str) -> String {
    format!("/admin/users/{}", link_segment::encode(login))
}

/// The user that a path names, whom somebody else changes.
fn other(connection: &mut PgConnection, login: &str, own: i32) -> Result<User, ApiError> {
    let user = users::find(connection, login)?.ok_or_else(|| no_user(login))?;
    if user.id == own {
        return Err(conflict("this is your own user: another admin has to change it".to_owned()));
    }
    if user.is_machine {
        return Err(conflict(format!("`{}` is a machine of trusted publishers, which has none of this", user.login)));
    }
    Ok(user)
}

/// Changes another user, and leads back to the page of that user with what was done.
async fn change_other(
    admin: &Admin,
    (login, request): (String, Request),
    make: impl FnOnce(&mut PgConnection, (&User, &QueryParameters), &Actor) -> Result<&'static str, ApiError>
    + Send
    + 'static,
) -> response::Result<Response> {
    let back = page_of(&login);
    let sent = admin.sent_with_proof(request, &back).await?;
    let own = admin.caller.user.id;
    let notice = admin.administer(move |connection, actor| {
        let user = other(connection, &login, own)?;
        make(connection, (&user, &sent), actor)
    });
    let notice = notice.await?;
    Ok(leading_to(admin.links().with_query(&back, &[("notice", notice)])))
}

/// `POST /admin/users/{login}/role`.
pub async fn role(admin: Admin, ApiPath(login): ApiPath<String>, request: Request) -> response::Result<Response> {
    let make = |connection: &mut PgConnection, (user, sent): (&User, &QueryParameters), actor: &Actor| {
        let wanted = sent.get("role").unwrap_or_default();
        user.check_active().map_err(|inactive| conflict(inactive.to_string()))?;
        let changed = if wanted == ADMIN {
            user_changes::set_admin(connection, user, true, actor)?
        } else {
            let role: Role = wanted.parse().map_err(|unknown: UnknownRole| bad(unknown.to_string()))?;
            refuse_last_admin(connection, user)?;
            let demoted = user_changes::set_admin(connection, user, false, actor)?;
            user_changes::set_role(connection, user, role, actor)? || demoted
        };
        Ok(if changed { "role" } else { "same" })
    };
    change_other(&admin, (login, request), make).await
}

/// `POST /admin/users/{login}/disable`.
pub async fn disable(admin: Admin, ApiPath(login): ApiPath<String>, request: Request) -> response::Result<Response> {
    let make = |connection: &mut PgConnection, (user, _): (&User, &QueryParameters), actor: &Actor| {
        let disabled = user_changes::disable(connection, user, actor)?;
        Ok(if disabled.is_some() { "disabled" } else { "same" })
    };
    change_other(&admin, (login, request), make).await
}

/// `POST /admin/users/{login}/enable`.
pub async fn enable(admin: Admin, ApiPath(login): ApiPath<String>, request: Request) -> response::Result<Response> {
    let make = |connection: &mut PgConnection, (user, _): (&User, &QueryParameters), actor: &Actor| {
        let enabled = user_changes::enable(connection, user, actor)?;
        Ok(if enabled.is_some() { "enabled" } else { "same" })
    };
    change_other(&admin, (login, request), make).await
}

/// `POST /admin/users/{login}/sign-out`.
pub async fn sign_out(admin: Admin, ApiPath(login): ApiPath<String>, request: Request) -> response::Result<Response> {
    let make = |connection: &mut PgConnection, (user, _): (&User, &QueryParameters), actor: &Actor| {
        user_changes::sign_out(connection, user, actor)?;
        Ok("signed-out")
    };
    change_other(&admin, (login, request), make).await
}

/// `POST /admin/users/{login}/remove`.
pub async fn remove(admin: Admin, ApiPath(login): ApiPath<String>, request: Request) -> response::Result<Response> {
    let back = page_of(&login);
    let sent = admin.sent_with_proof(request, &back).await?;
    let to = sent.text("to").unwrap_or_default();
    let named: Vec<String> = to.split([',', ' ']).filter(|login| !login.is_empty()).map(str::to_owned).collect();
    let (caller, leaving) = (admin.caller.clone(), login.clone());
    let removed = admin.app.with_connection(move |connection| {
        let user = other(connection, &leaving, caller.user.id)?;
        let successors = leaving::successors(connection, &named)?;
        let removal = leaving::remove(connection, &user, &successors, Administrator::Admin(&caller))?;
        Ok::<_, ApiError>(removal.is_some())
    });
    match removed.await {
        Ok(changed) => {
            let notice = if changed { "removed" } else { "same" };
            Ok(leading_to(admin.links().with_query(&back, &[("notice", notice)])))
        }
        Err(refused)
            if [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST, StatusCode::CONFLICT].contains(&refused.status()) =>
        {
            Ok(show::page(&admin, login, None, Some((&to, &refused))).await?)
        }
        Err(refused) => Err(refused.into()),
    }
}

/// `POST /admin/users/{login}/sign-in-link`.
pub async fn sign_in_link(
    admin: Admin,
    ApiPath(login): ApiPath<String>,
    request: Request,
) -> response::Result<Response> {
    admin.sent_with_proof(request, &page_of(&login)).await?;
    let created = admin.administer(move |connection, actor| {
        let user = users::find(connection, &login)?.ok_or_else(|| no_user(&login))?;
        user.check_active().map_err(|inactive| conflict(inactive.to_string()))?;
        link_for(connection, user, actor)
    });
    Ok(link_page(&admin, &created.await?))
}

/// `POST /admin/users`: a new user, with a link.
pub async fn create(admin: Admin, request: Request) -> response::Result<Response> {
    let sent = admin.sent_with_proof(request, "/admin/users").await?;
    let login = sent.get("login").unwrap_or_default().trim().to_owned();
    let created = admin.administer(move |connection, actor| {
        let user = users::create(connection, &login, None).map_err(|error| match error {
            users::CreateUserError::Database(error) => error.into(),
            users::CreateUserError::Exists(_) => conflict(error.to_string()),
            users::CreateUserError::Login(_) => bad(error.to_string()),
        })?;
        Event::new(Action::UserCreate).about(&user.login).record(connection, actor)?;
        link_for(connection, user, actor)
    });
    Ok(link_page(&admin, &created.await?))
}

struct Created {
    user: User,
    secret: LinkSecret,
    expires_at: DateTime<Utc>,
}

fn link_for(connection: &mut PgConnection, user: User, actor: &Actor) -> Result<Created, ApiError> {
    let expires_at = Utc::now() + LINK_LASTS;
    let secret = user_changes::create_link(connection, &user, expires_at, actor).map_err(|error| match error {
        CreateLinkError::Service(_) => conflict(error.to_string()),
        CreateLinkError::Database(error) => error.into(),
        CreateLinkError::Randomness(error) => ApiError::internal(error),
    })?;
    Ok(Created { user, secret, expires_at })
}

/// The link, which is shown once.
fn link_page(admin: &Admin, created: &Created) -> Response {
    let links = admin.links();
    let url = format!("{}/sign-in/link?code={}", links.base_url(), created.secret.reveal());
    let content = html! {
        h1 { "A sign-in link for " (name(&created.user.login)) }
        p class="notice good" role="status" { "Copy it now. The registry keeps only its hash, so it cannot be shown again." }
        (copy::block("link", &url))
        p {
            "It signs " (name(&created.user.login)) " in once, until " (time::exact(created.expires_at)) ". Send it to this user alone, in a \
             way that others cannot read. Any link of before is void."
        }
        p { a href=(links.user(&created.user.login)) { "Done" } }
    };
    admin.visit.show(Page::new("Sign-in link", content).unlisted().unstored())
}

impl From<RemovalError> for ApiError {
    fn from(error: RemovalError) -> Self {
        match error {
            RemovalError::Database(error) => error.into(),
            RemovalError::Denied(denied) => denied.into(),
            RemovalError::Successor(refusal) => (*refusal).into(),
            RemovalError::OnlyOwner { login, crates } => conflict(format!(
                "`{login}` is the only active user among the owners of {}: name a user who becomes an owner, because teams cannot change \
                 owners",
                listed(&crates)
            )),
            RemovalError::Itself { login } => {
                conflict(format!("`{login}` cannot take over its own crates: name another user or team"))
            }
            error => conflict(error.to_string()),
        }
    }
}
