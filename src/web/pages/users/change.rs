//! What an admin changes about users.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::PgConnection;
use maud::html;

use super::show;
use crate::database::access::administrator::Administrator;
use crate::database::access::audit::Actor;
use crate::database::access::users::User;
use crate::database::catalog::user_changes::{self, Rank, UnknownRank};
use crate::database::sign_in::links::LinkSecret;
use crate::jobs::leaving;
use crate::package::link_segment;
use crate::web::ApiError;
use crate::web::administration::{self, bad, other_user};
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::admin::Admin;
use crate::web::pages::layout::Page;
use crate::web::pages::parts::text::name;
use crate::web::pages::parts::{copy, time};
use crate::web::pages::visit::leading_to;

/// How long a link that is created on a page is valid.
const LINK_LASTS: TimeDelta = TimeDelta::days(3);

/// The path of a user's page, below the registry's.
fn page_of(login: &str) -> String {
    format!("/admin/users/{}", link_segment::encode(login))
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
        let user = other_user(connection, &login, own)?;
        make(connection, (&user, &sent), actor)
    });
    let notice = notice.await?;
    Ok(leading_to(admin.links().with_query(&back, &[("notice", notice)])))
}

/// `POST /admin/users/{login}/role`.
pub async fn role(admin: Admin, ApiPath(login): ApiPath<String>, request: Request) -> response::Result<Response> {
    let make = |connection: &mut PgConnection, (user, sent): (&User, &QueryParameters), actor: &Actor| {
        let rank: Rank =
            sent.get("role").unwrap_or_default().parse().map_err(|unknown: UnknownRank| bad(unknown.to_string()))?;
        let changed = user_changes::set_rank(connection, user, rank, actor)?;
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
        let user = other_user(connection, &leaving, caller.user.id)?;
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
        let user = administration::user(connection, &login)?;
        user.check_active()?;
        link_for(connection, user, actor)
    });
    Ok(link_page(&admin, &created.await?))
}

/// `POST /admin/users`: a new user, with a link.
pub async fn create(admin: Admin, request: Request) -> response::Result<Response> {
    let sent = admin.sent_with_proof(request, "/admin/users").await?;
    let login = sent.get("login").unwrap_or_default().trim().to_owned();
    let created = admin.administer(move |connection, actor| {
        let user = user_changes::create(connection, &login, actor)?;
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
    let secret = user_changes::create_link(connection, &user, expires_at, actor)?;
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
