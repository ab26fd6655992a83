//! `POST /sign-in`: a session with the rights of a token, which stays on the server no longer than it takes to look it up.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use diesel::Connection;

use super::form;
use super::sent::read_form;
use super::session::{arrival, begun};
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::{Caller, of_token};
use crate::database::access::role::Role;
use crate::database::access::sessions::{self, SessionSecret};
use crate::web::extract::auth;
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

/// `POST /sign-in`.
pub async fn sign_in(State(app): State<App>, visit: Visit, request: Request) -> Result<Response, ApiError> {
    let (parts, content) = request.into_parts();
    let sent = read_form(&parts, content).await?;
    form::check(&visit, sent.get("form_token"))?;
    let to = sent.get("to").unwrap_or_default();
    let caller = match find(&app, &parts, sent.get("token").unwrap_or_default()).await? {
        Ok(caller) => caller,
        Err(refused) => return Ok(form::refused(form::page(&app, &visit, to, Some(&refused))?, refused)),
    };
    let secret = SessionSecret::random().map_err(ApiError::internal)?;
    let (begins, id, arrival) = (secret.clone(), caller.token.id, arrival(&visit, &parts));
    let (user, token) = (caller.user.clone(), caller.token.clone());
    app.with_connection(move |connection| {
        connection.transaction(|connection| {
            if let Some(before) = &arrival.before {
                sessions::end(connection, before)?;
            }
            sessions::begin(connection, &begins, id, &arrival.origin)?;
            let actor = of_token(&user, &token, arrival.from.clone());
            let event = Event::new(Action::SignIn).about(&user.login).detail(serde_json::json!({ "with": "token" }));
            event.record(connection, &actor)
        })
    })
    .await?;
    tracing::info!(user = caller.user.login, token = caller.token.name, "signed in on a page");
    Ok(begun(visit.links(), to, &secret))
}

/// The user of a token that was entered, or why it cannot be used on pages.
pub(super) async fn find(app: &App, parts: &Parts, entered: &str) -> Result<Result<Caller, ApiError>, ApiError> {
    let refused = |status, detail| Ok(Err(ApiError::new(status, detail)));
    if !app.settings.sign_in.token {
        return refused(StatusCode::FORBIDDEN, "this registry takes no tokens for the pages: sign in in another way");
    }
    let token = entered.trim().to_owned();
    if token.is_empty() || token.len() > 1024 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refused(StatusCode::BAD_REQUEST, "this is no token: tokens begin with `sct_`");
    }
    match auth::look_up(app, parts, token).await? {
        Ok(caller) if caller.token.trusted.is_some() => {
            refused(StatusCode::FORBIDDEN, "this token is of a machine, which has no pages: use one of a user")
        }
        Ok(caller) if caller.user.role == Role::Service => refused(
            StatusCode::FORBIDDEN,
            "this token is of a service account, which has no pages: use one of a person",
        ),
        Ok(caller) => Ok(Ok(caller)),
        Err(refused) => Ok(Err(ApiError::refused_token(StatusCode::FORBIDDEN, refused, Vec::new()))),
    }
}
