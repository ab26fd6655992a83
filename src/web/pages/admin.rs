//! Pages for admins with a session or a token without restrictions: the queue, users, teams, and names.
//!
//! Everybody else gets the same answer at every path below `/queue` and `/admin`, before anything is looked up.

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::{self, IntoResponse, Response};
use diesel::{Connection, PgConnection};
use maud::{Markup, html};

use crate::database::access::audit::Actor;
use crate::database::access::caller::{Caller, Denied};
use crate::web::administration::administer;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::links::Links;
use crate::web::pages::member::{Member, signed_in};
use crate::web::pages::parts::text::with_code;
use crate::web::pages::sign_in::{again, sent};
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

/// The request of an admin. Handlers of these pages take it.
pub struct Admin {
    pub app: App,
    pub visit: Visit,
    pub caller: Caller,
}

impl FromRequestParts<App> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let Member { app, visit, caller } = signed_in(parts, app, "admins").await?;
        match caller.admin() {
            Ok(()) => Ok(Self { app, visit, caller }),
            Err(denied) => Err(denied.into_response()),
        }
    }
}

impl Admin {
    pub fn links(&self) -> &Links {
        self.visit.links()
    }

    /// The same as the request of a user, for what users and admins have.
    pub fn into_member(self) -> Member {
        Member { app: self.app, visit: self.visit, caller: self.caller }
    }

    /// The name in the receipts of what this admin changes.
    pub fn signature(&self) -> String {
        signature(&self.caller)
    }

    /// Reads a form that a page of this session has sent.
    pub async fn sent(&self, request: Request) -> Result<QueryParameters, ApiError> {
        sent(&self.visit, request).await
    }

    /// Reads the form of a dangerous change: the admin has signed in without a token, and has just proved to be the admin. The page for
    /// that leads to a path below the registry's.
    pub async fn sent_with_proof(&self, request: Request, back: &str) -> response::Result<QueryParameters> {
        let sent = self.sent(request).await?;
        self.caller.person()?;
        again::check_proven_to_send(&self.visit, &self.caller, back)?;
        Ok(sent)
    }

    /// The token of the forms of dangerous changes, or why there are none.
    pub fn form_token(&self) -> Result<String, Markup> {
        match (self.visit.form_token(), self.caller.person()) {
            (None, _) => {
                Err(html! { p { "Changes need a session: " a href=(self.links().sign_in()) { "sign in" } "." } })
            }
            (Some(_), Err(denied)) => {
                Err(html! { p { "You cannot change anything here: " (with_code(&denied.to_string())) "." } })
            }
            (Some(form_token), Ok(())) => Ok(form_token),
        }
    }

    /// [Changes](administer) users or teams.
    pub async fn administer<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut PgConnection, &Actor) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        administer(&self.app, self.caller.clone(), change).await
    }

    /// Changes something in one transaction, if the caller is still an admin when it happens. The change gets the name for
    /// the receipts.
    pub async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut PgConnection, &str) -> diesel::QueryResult<T> + Send + 'static,
    ) -> Result<T, ApiError> {
        let caller = self.caller.clone();
        let changed = self.app.with_connection(move |connection| {
            connection.transaction(|connection| {
                let authority = caller.confirm(connection)?.map_err(ApiError::from)?;
                authority.admin().map_err(|denied: Denied| ApiError::from(denied))?;
                Ok::<_, ApiError>(change(connection, &signature(&authority))?)
            })
        });
        changed.await
    }
}

/// The name in the receipts of what an admin changes on a page. An operator's is `account@host`.
fn signature(caller: &Caller) -> String {
    format!("admin {} on a page", caller.user.login)
}
