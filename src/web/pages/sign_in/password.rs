//! `POST /sign-in/password`. Who has no password, and who is not here at all, is refused in the same words and after the same time.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use super::form;
use super::sent::read_form;
use super::session::{arrival, begun};
use crate::database::access::users::{self, User};
use crate::database::sign_in::attempts::Attempt;
use crate::database::sign_in::{begin, passwords};
use crate::password::{Hash, Password};
use crate::web::client_address::AddressBlock;
use crate::web::measures::reason;
use crate::web::pages::parts::new_password;
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App, ClientAddress};

/// Seconds until an attempt may succeed again.
const RETRY_AFTER: u64 = 90;
/// How the audit log calls it.
pub const WITH: &str = "password";

/// `POST /sign-in/password`.
pub async fn sign_in(State(app): State<App>, visit: Visit, request: Request) -> Result<Response, ApiError> {
    let (parts, content) = request.into_parts();
    let sent = read_form(&parts, content).await?;
    form::check(&visit, sent.get("form_token"))?;
    let field = |name| sent.get(name).unwrap_or_default();
    let to = field("to");
    let found = find(&app, &parts, field("login").trim(), field("password")).await;
    let begins = match found {
        Ok((user, hash)) => {
            let arrival = arrival(&visit, &parts);
            let begins = app.with_connection(move |connection| {
                begin::begin_with_password(connection, user.id, (WITH, &hash), &arrival)
            });
            begins.await.and_then(|begun| begun.ok_or_else(wrong))
        }
        Err(refused) => Err(refused),
    };
    match begins {
        Ok(session) => {
            tracing::info!(user = session.user.login, "signed in with a password");
            Ok(begun(visit.links(), to, &session.secret))
        }
        Err(refused) if refused.status().is_server_error() => Err(refused),
        Err(refused) => Ok(form::refused(form::page_of(&app, &visit, (to, field("login")), Some(&refused))?, refused)),
    }
}

/// The user with a login and a password, with its hash. The attempt is counted.
pub(super) async fn find(app: &App, parts: &Parts, login: &str, password: &str) -> Result<(User, Hash), ApiError> {
    new_password::check_allowed(app)?;
    let attempt = Attempt::new(login, &client_block(parts));
    let (login, password) = (login.to_owned(), password.to_owned());
    app.blocking(move |app| {
        let found = app.pool.with(|connection| {
            if !attempt.count(connection)? {
                return Ok(None);
            }
            let user = users::find(connection, &login)?.filter(|user| !user.is_machine);
            let hash = user.as_ref().map(|user| passwords::hash_of(connection, user.id)).transpose()?.flatten();
            Ok::<_, diesel::result::Error>(Some((user, hash)))
        })??;
        let Some((user, hash)) = found else { return Err(too_often()) };
        // No connection is held meanwhile.
        let is_right = app.cpu_slots.run(|| Password::new(&password).is(hash.as_ref()));
        match user.zip(hash).filter(|_| is_right) {
            Some(user) => {
                app.pool.with(|connection| attempt.give_back(connection))??;
                Ok(user)
            }
            None => Err(wrong()),
        }
    })
    .await
}

/// The block of addresses that counts as one client; empty if it is not known.
pub(super) fn client_block(parts: &Parts) -> String {
    let client = parts.extensions.get::<ClientAddress>().and_then(|client| client.ip()).map(AddressBlock::from);
    client.map(|block| block.to_string()).unwrap_or_default()
}

fn wrong() -> ApiError {
    let detail = "login or password is wrong, or this user has no password: an admin can give you a sign-in link";
    ApiError::new(StatusCode::FORBIDDEN, detail).because(reason::SIGN_IN)
}

pub(super) fn too_often() -> ApiError {
    let detail = "too many attempts have failed: wait two minutes for another one, or sign in in another way";
    tracing::warn!("too many failed sign-ins from a client, or for a login");
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(RETRY_AFTER).because(reason::SIGN_IN)
}
