//! What admins change about users, teams and names, for the pages and the API.

mod refusal;

use axum::http::StatusCode;
use diesel::{Connection, PgConnection};

use crate::database::access::administrator::Administrator;
use crate::database::access::audit::Actor;
use crate::database::access::caller::Caller;
use crate::database::access::users::{self, User};
use crate::package::CrateName;
use crate::package::crate_pattern::{CratePattern, InvalidPattern};
use crate::package::name::NameError;
use crate::web::extract::path::as_in_a_url;
use crate::web::shortened::shortened;
use crate::web::{ApiError, App};

/// Changes users or teams in one transaction, one change at a time: of two admins who demote each other, one stays. The rights are
/// read again in it.
pub async fn administer<T: Send + 'static>(
    app: &App,
    caller: Caller,
    change: impl FnOnce(&mut PgConnection, &Actor) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let changed = app.with_connection(move |connection| {
        connection.transaction(|connection| {
            users::lock_all(connection)?;
            let actor = Administrator::Admin(&caller).confirm(connection)??;
            let done = change(connection, &actor)?;
            caller.connection.check()?;
            Ok::<_, ApiError>(done)
        })
    });
    changed.await
}

/// The user with a login, in any case.
pub fn user(connection: &mut PgConnection, login: &str) -> Result<User, ApiError> {
    users::find(connection, login)?.ok_or_else(|| {
        ApiError::not_found(format!("there is no user {}: see the list of users", shortened(&as_in_a_url(login))))
    })
}

/// The user with a login, whom somebody else changes.
pub fn other_user(connection: &mut PgConnection, login: &str, own: i32) -> Result<User, ApiError> {
    let user = user(connection, login)?;
    if user.id == own {
        return Err(conflict("this is your own user: another admin has to change it".to_owned()));
    }
    if user.is_machine {
        return Err(conflict(format!("`{}` is a machine of trusted publishers, which has none of this", user.login)));
    }
    Ok(user)
}

/// A name that was entered or sent.
pub fn crate_name(entered: &str) -> Result<CrateName, ApiError> {
    if entered.is_empty() {
        return Err(bad("no name was entered: enter the name of a crate".to_owned()));
    }
    entered.parse().map_err(|error: NameError| bad(error.to_string()))
}

/// A crate, or a pattern of several, that was entered or sent.
pub fn crates(entered: &str) -> Result<CratePattern, ApiError> {
    if entered.ends_with('*') {
        return entered.parse().map_err(|error: InvalidPattern| bad(error.to_string()));
    }
    crate_name(entered).map(|name| CratePattern::from(&name))
}

pub fn bad(detail: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, detail)
}

pub fn conflict(detail: String) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, detail)
}
