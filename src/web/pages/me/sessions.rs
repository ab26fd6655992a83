//! Ends sessions of the user.

use axum::extract::Request;
use axum::response::Response;
use serde_json::json;

use super::overview::back;
use crate::database::access::audit::{Action, Event};
use crate::database::access::sessions;
use crate::web::ApiError;
use crate::web::extract::path::ApiPath;
use crate::web::pages::member::Member;
use crate::web::pages::sign_in::sent;

/// `POST /me/sessions/{id}/end`.
pub async fn end(member: Member, ApiPath(id): ApiPath<String>, request: Request) -> Result<Response, ApiError> {
    sent(&member.visit, request).await?;
    let id = id.parse().map_err(|_| no_session())?;
    if end_some(&member, Some(id)).await? == 0 {
        return Err(no_session());
    }
    Ok(back(&member, "ended"))
}

/// `POST /me/sessions/end-others`.
pub async fn end_others(member: Member, request: Request) -> Result<Response, ApiError> {
    sent(&member.visit, request).await?;
    end_some(&member, None).await?;
    Ok(back(&member, "ended-others"))
}

/// Ends a session of the user, or all but this one; returns how many.
async fn end_some(member: &Member, which: Option<i32>) -> Result<usize, ApiError> {
    let own = member.visit.session().cloned();
    let ended = member.change_own(move |connection, authority| {
        authority.unrestricted()?;
        let but = own.as_ref().filter(|_| which.is_none());
        let ended = sessions::end_of_user(connection, authority.user.id, which, but)?;
        if ended > 0 {
            let event =
                Event::new(Action::SessionEnd).about(&authority.user.login).detail(json!({ "sessions": ended }));
            event.record(connection, &authority.actor())?;
        }
        Ok(ended)
    });
    ended.await
}

fn no_session() -> ApiError {
    ApiError::not_found("you have no such session, or it has ended: see the list of your sessions")
}
