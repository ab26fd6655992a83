//! The version of which the status is asked for, and who asks.

use axum::http::StatusCode;
use diesel::PgConnection;

use crate::database::access::caller::Caller;
use crate::database::access::sessions::{self, SessionSecret};
use crate::jobs::status::{self, Status};
use crate::package::{CrateName, Version};
use crate::web::ApiError;
use crate::web::extract::path::crate_and_version;
use crate::web::pages::visit::Visit;

/// A version, and who asks for its status.
#[derive(Clone)]
pub struct Asked {
    name: CrateName,
    pub num: Version,
    caller: Option<Caller>,
    session: Option<SessionSecret>,
}

impl Asked {
    pub fn new(name: &str, num: &str, visit: &Visit) -> Result<Self, ApiError> {
        let (name, num) = crate_and_version(name, num)?;
        Ok(Self { name, num, caller: visit.caller().cloned(), session: visit.session().cloned() })
    }

    /// Reads the status with the rights that the caller has now.
    ///
    /// # Errors
    ///
    /// Status 401 or 403 if the caller may no longer read it with the session or token of the request.
    pub fn read(&self, connection: &mut PgConnection) -> Result<Status, ApiError> {
        let caller = self.caller_now(connection)?;
        Ok(status::read(connection, &self.name, &self.num, caller.as_ref())??)
    }

    fn caller_now(&self, connection: &mut PgConnection) -> Result<Option<Caller>, ApiError> {
        let Some(caller) = &self.caller else { return Ok(None) };
        match &self.session {
            Some(secret) => match sessions::confirm(connection, secret)? {
                Some((user, token)) => Ok(Some(Caller { user, token, ..caller.clone() })),
                None => Err(ApiError::new(StatusCode::UNAUTHORIZED, "the session has ended: sign in again")),
            },
            None => Ok(Some(Caller::clone(&*caller.confirm(connection)??))),
        }
    }
}
