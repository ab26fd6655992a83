//! `POST /sign-out`.

use axum::extract::{Request, State};
use axum::response::Response;
use diesel::Connection;
use serde_json::json;

use super::sent::read_form;
use super::session::lead_here;
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::of_token;
use crate::database::access::sessions;
use crate::web::pages::cookies;
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

/// `POST /sign-out`.
pub async fn sign_out(State(app): State<App>, visit: Visit, request: Request) -> Result<Response, ApiError> {
    let (parts, content) = request.into_parts();
    let sent = read_form(&parts, content).await?;
    if let Some((secret, caller)) = visit.session().cloned().zip(visit.caller().cloned()) {
        visit.check_form(sent.get("form_token"))?;
        let ended = app.with_connection(move |connection| {
            connection.transaction(|connection| {
                let from = (caller.address.clone(), caller.request_id.clone());
                let actor = of_token(&caller.user, &caller.token, from);
                sessions::end(connection, &secret)?;
                let event = Event::new(Action::SessionEnd).about(&caller.user.login).detail(json!({ "sessions": 1 }));
                event.record(connection, &actor)
            })
        });
        ended.await?;
    }
    Ok(lead_here(visit.links(), "/", [cookies::forget_session(visit.links())]))
}
