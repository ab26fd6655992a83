//! A request for a page: who sends it, and how the answer is framed.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::layout::{Page, Viewer};
use super::links::Links;
use crate::database::access::caller::Caller;
use crate::database::access::sessions::SessionSecret;
use crate::web::ApiError;

/// A request for a page. Handlers take it as an argument.
#[derive(Clone)]
pub struct Visit(Arc<Inner>);

struct Inner {
    links: Links,
    headers: HeaderMap,
    caller: Option<Caller>,
    session: Option<SessionSecret>,
    auth_required: bool,
}

impl Visit {
    /// A visit of somebody, if known. `session` is the session by which the caller is known, if it is not by a token.
    pub fn new(
        links: Links,
        headers: HeaderMap,
        (caller, session): (Option<Caller>, Option<SessionSecret>),
        auth_required: bool,
    ) -> Self {
        Self(Arc::new(Inner { links, headers, caller, session, auth_required }))
    }

    pub fn links(&self) -> &Links {
        &self.0.links
    }

    /// The headers of the request.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The user who has signed in, or who sent a token with the request.
    pub fn caller(&self) -> Option<&Caller> {
        self.0.caller.as_ref()
    }

    pub fn session(&self) -> Option<&SessionSecret> {
        self.0.session.as_ref()
    }

    /// Whether everything needs a session, and there is none.
    pub fn is_locked_out(&self) -> bool {
        self.0.auth_required && self.0.caller.is_none()
    }

    /// The page in the frame for this visitor.
    pub fn show(&self, page: Page) -> Response {
        let form_token = self.form_token();
        let signed_in = self.caller().zip(form_token.as_deref()).map(|(caller, token)| (&*caller.user.login, token));
        let viewer = Viewer {
            links: self.links(),
            signed_in,
            is_locked_out: self.is_locked_out(),
            sees_queue: self.caller().is_some_and(Caller::is_admin),
            sees_audit: self.caller().is_some_and(|caller| caller.auditor().is_ok()),
        };
        page.show(viewer, self.headers())
    }

    /// The value that every form of this session has in the field `form_token`; None without a session.
    pub fn form_token(&self) -> Option<String> {
        self.session().map(SessionSecret::form_token)
    }

    /// Checks the `form_token` of a form, which a page of another host cannot know.
    pub fn check_form(&self, sent: Option<&str>) -> Result<(), ApiError> {
        self.refuse_other_sites()?;
        let matches = self.form_token().zip(sent).is_some_and(|(own, sent)| same(&own, sent));
        if matches { Ok(()) } else { Err(foreign_form()) }
    }

    /// The seal of a statement that a link has for this session; empty without a session.
    pub fn seal(&self, statement: &str) -> String {
        self.session().map(|session| session.seal(statement)).unwrap_or_default()
    }

    /// Whether a link with this statement and this seal was made for this session.
    pub fn has_sealed(&self, statement: &str, seal: &str) -> bool {
        !seal.is_empty() && same(&self.seal(statement), seal)
    }

    /// Refuses what a browser says that a page of another site has sent. Source: Fetch Metadata Request Headers, section 2.3.
    pub fn refuse_other_sites(&self) -> Result<(), ApiError> {
        match self.headers().get("sec-fetch-site").map(|value| value.as_bytes()) {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => Err(foreign_form()),
        }
    }
}

/// Whether the client is a browser that shows what it asked for.
pub fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|one| one.trim().starts_with("text/html"))
}

/// The answer to a form: leads to a path of [`Links`].
pub fn leading_to(place: String) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}

/// Compares two values in constant time.
pub fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

pub fn foreign_form() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "this form was not sent from a page of this session, and nothing was changed: open the page again and send it once \
         more",
    )
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        // The layer around all pages has put it there.
        let known = parts.extensions.get::<Self>().cloned();
        Ok(known.unwrap_or_else(|| Self::new(Links::new(""), HeaderMap::new(), (None, None), true)))
    }
}
