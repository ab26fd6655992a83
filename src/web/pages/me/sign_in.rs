//! How a user signs in from now on: the password, and the accounts at identity providers. All of it needs a fresh proof that it is the
//! user.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};
use diesel::PgConnection;
use maud::html;
use serde_json::json;

use super::overview::back;
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::Authority;
use crate::database::access::sessions;
use crate::database::sign_in::{identities, links, passwords};
use crate::web::ApiError;
use crate::web::extract::path::ApiPath;
use crate::web::pages::layout::Page;
use crate::web::pages::member::Member;
use crate::web::pages::parts::form::{hidden, why};
use crate::web::pages::parts::new_password;
use crate::web::pages::sign_in::{again, password, provider, sent};

/// `GET /me/password`.
pub async fn show_password(member: Member) -> response::Result<Response> {
    new_password::check_allowed(&member.app)?;
    member.caller.person()?;
    again::check_proven(&member.visit, &member.caller, "/me/password")?;
    Ok(password_page(&member, None))
}

fn password_page(member: &Member, refused: Option<&ApiError>) -> Response {
    let links = member.links();
    let content = html! {
        h1 { "Set a password" }
        (why(refused))
        form class="sign-in" method="post" action=(links.to("/me/password")) {
            (hidden(&member.visit.form_token().unwrap_or_default(), &[]))
            (new_password::fields(&member.caller.user.login))
            p class="aside-text" { "Your other sessions end. Tokens stay valid." }
            button type="submit" class="primary" { "Set the password" }
        }
        p { a href=(links.me()) { "Back, and change nothing" } }
    };
    let status = refused.map_or(StatusCode::OK, ApiError::status);
    member.visit.show(Page::new("Set a password", content).unlisted().with_status(status))
}

/// `POST /me/password`.
pub async fn set_password(member: Member, request: Request) -> response::Result<Response> {
    let sent = sent(&member.visit, request).await?;
    again::check_proven_to_send(&member.visit, &member.caller, "/me/password")?;
    member.caller.person()?;
    let hash = match new_password::read(&member.app, &sent, &member.caller.user.login).await {
        Ok(hash) => hash,
        Err(refused) if refused.status() == StatusCode::BAD_REQUEST => {
            return Ok(password_page(&member, Some(&refused)));
        }
        Err(refused) => return Err(refused.into()),
    };
    let own = member.visit.session().cloned();
    change(&member, move |connection, authority| {
        passwords::set(connection, authority.user.id, &hash)?;
        sessions::end_of_user(connection, authority.user.id, None, own.as_ref())?;
        links::revoke(connection, authority.user.id)?;
        Ok(Event::new(Action::PasswordSet).about(&authority.user.login).record(connection, &authority.actor())?)
    })
    .await?;
    Ok(back(&member, "password-set"))
}

/// `POST /me/password/remove`.
pub async fn remove_password(member: Member, request: Request) -> response::Result<Response> {
    sent(&member.visit, request).await?;
    again::check_proven_to_send(&member.visit, &member.caller, "/me")?;
    let own = member.visit.session().cloned();
    change(&member, move |connection, authority| {
        let user = authority.user.id;
        if identities::of_user(connection, user)?.is_empty() {
            return Err(only_way());
        }
        if passwords::remove(connection, user)? {
            sessions::end_begun_with(connection, user, password::WITH, own.as_ref())?;
            let event = Event::new(Action::PasswordRemove).about(&authority.user.login);
            event.record(connection, &authority.actor())?;
        }
        Ok(())
    })
    .await?;
    Ok(back(&member, "password-removed"))
}

/// `POST /me/accounts/connect`.
pub async fn connect(member: Member, request: Request) -> response::Result<Response> {
    let sent = sent(&member.visit, request).await?;
    member.caller.person()?;
    again::check_proven_to_send(&member.visit, &member.caller, "/me")?;
    let name = sent.get("provider").unwrap_or_default();
    Ok(provider::connect(&member.app, &member.visit, name, "/me?notice=connected").await?)
}

/// `POST /me/accounts/{id}/disconnect`.
pub async fn disconnect(member: Member, ApiPath(id): ApiPath<String>, request: Request) -> response::Result<Response> {
    sent(&member.visit, request).await?;
    again::check_proven_to_send(&member.visit, &member.caller, "/me")?;
    let none = || ApiError::not_found("you have no such account: it may be disconnected already");
    let id: i32 = id.parse().map_err(|_| none())?;
    let own = member.visit.session().cloned();
    change(&member, move |connection, authority| {
        let user = authority.user.id;
        let removed = identities::remove(connection, user, id)?.ok_or_else(none)?;
        if identities::of_user(connection, user)?.is_empty() && passwords::set_at(connection, user)?.is_none() {
            return Err(only_way());
        }
        sessions::end_begun_with(connection, user, &removed.issuer, own.as_ref())?;
        let detail = json!({ "issuer": removed.issuer, "subject": removed.subject, "account": removed.label });
        let event = Event::new(Action::IdentityRemove).about(&authority.user.login).detail(detail);
        Ok(event.record(connection, &authority.actor())?)
    })
    .await?;
    Ok(back(&member, "disconnected"))
}

fn only_way() -> ApiError {
    let detail = "this is the only way in which you sign in: set a password, or connect another account, first";
    ApiError::new(StatusCode::CONFLICT, detail)
}

/// Changes how the user signs in, in one transaction. A session that began with a token cannot.
async fn change(
    member: &Member,
    change: impl FnOnce(&mut PgConnection, &Authority) -> Result<(), ApiError> + Send + 'static,
) -> Result<(), ApiError> {
    let changed = member.change_own(move |connection, authority| {
        authority.person()?;
        change(connection, authority)
    });
    changed.await
}
