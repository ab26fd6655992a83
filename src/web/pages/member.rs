//! A page for users who are signed in.

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use diesel::{Connection, PgConnection};

use crate::database::access::caller::{Authority, Caller};
use crate::web::pages::entrance::{challenges, sign_in_first};
use crate::web::pages::links::Links;
use crate::web::pages::visit::{Visit, wants_html};
use crate::web::{ApiError, App};

/// The request of a user. Handlers take it as an argument.
pub struct Member {
    pub app: App,
    pub visit: Visit,
    pub caller: Caller,
}

impl Member {
    pub fn links(&self) -> &Links {
        self.visit.links()
    }

    /// Changes what the user alone has, such as tokens and sessions, in one transaction.
    pub async fn change_own<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut PgConnection, &Authority) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let caller = self.caller.clone();
        let changed = self.app.with_connection(move |connection| {
            connection.transaction(|connection| {
                let authority = caller.confirm_alone(connection)??;
                change(connection, &authority)
            })
        });
        changed.await
    }
}

impl FromRequestParts<App> for Member {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        signed_in(parts, app, "users").await
    }
}

/// The request of a user, to a page that is for them. Others are led to the sign-in.
pub(super) async fn signed_in(parts: &mut Parts, app: &App, for_whom: &str) -> Result<Member, Response> {
    let Ok(visit) = Visit::from_request_parts(parts, app).await;
    if let Some(caller) = visit.caller().cloned() {
        return Ok(Member { app: app.clone(), visit, caller });
    }
    if wants_html(&parts.headers) && [Method::GET, Method::HEAD].contains(&parts.method) {
        return Err(sign_in_first(visit.links(), parts));
    }
    let detail = format!("this page is for {for_whom}: sign in at {}/sign-in", app.settings.base_url);
    Err(ApiError::challenge(detail, challenges(app)).into_response())
}
