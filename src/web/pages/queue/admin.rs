//! Who may see and change the queue: admins with a token without restrictions, who may also read the whole audit log. There
//! is no role that only reads.
//!
//! Everybody else gets the same answer at every path below `/queue`, before anything is looked up.

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use diesel::PgConnection;

use crate::database::access::caller::{Caller, Denied};
use crate::web::pages::entrance::{challenges, sign_in_first};
use crate::web::pages::visit::{Visit, wants_html};
use crate::web::{ApiError, App};

/// An admin who looks at the queue.
pub struct Admin(pub Caller);

impl FromRequestParts<App> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let Ok(visit) = Visit::from_request_parts(parts, app).await;
        let Some(caller) = visit.caller().cloned() else {
            if wants_html(&parts.headers) && [Method::GET, Method::HEAD].contains(&parts.method) {
                return Err(sign_in_first(visit.links(), parts));
            }
            let detail = format!("the queue is for admins: sign in at {}/sign-in", app.settings.base_url);
            return Err(ApiError::challenge(detail, challenges(app)).into_response());
        };
        match caller.admin() {
            Ok(()) => Ok(Self(caller)),
            Err(denied) => Err(ApiError::from(denied).into_response()),
        }
    }
}

/// Confirms within a transaction that somebody is still an admin, and returns the name for the receipts of jobs.
pub fn confirmed(connection: &mut PgConnection, caller: &Caller) -> Result<String, ApiError> {
    let authority = caller.confirm(connection)?.map_err(ApiError::from)?;
    authority.admin().map_err(|denied: Denied| ApiError::from(denied))?;
    Ok(signature(&authority))
}

/// The name in the receipts of what an admin changes on a page. An operator's is `account@host`.
pub fn signature(caller: &Caller) -> String {
    format!("admin {} on a page", caller.user.login)
}
