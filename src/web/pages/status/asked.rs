//! The version of which the status is asked for, and who asks.

use diesel::PgConnection;

use crate::database::access::caller::Caller;
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
}

impl Asked {
    pub fn new(name: &str, num: &str, visit: &Visit) -> Result<Self, ApiError> {
        let (name, num) = crate_and_version(name, num)?;
        Ok(Self { name, num, caller: visit.caller().cloned() })
    }

    pub fn read(&self, connection: &mut PgConnection) -> Result<Status, ApiError> {
        Ok(status::read(connection, &self.name, &self.num, self.caller.as_ref())??)
    }
}
