//! The crate and the version that a path names.

use diesel::PgConnection;

use crate::database::catalog::crate_details::{self, CountedCrate};
use crate::database::catalog::version_details::{self, CountedVersion, Features};
use crate::package::CrateName;
use crate::web::ApiError;
use crate::web::extract::path::{crate_name, version as version_of};
use crate::web::lookup::{no_such_crate, no_such_version, version_id};

/// A crate and one of its versions.
#[derive(Clone, Debug)]
pub struct Found {
    pub krate: CountedCrate,
    pub version: CountedVersion,
    /// Whether the version is the one that the crate's page shows.
    pub is_default: bool,
}

/// The crate with this name. It is shown from its first accepted version on, even if the index does not show it yet.
pub fn krate(connection: &mut PgConnection, name: &str) -> Result<CountedCrate, ApiError> {
    let name = crate_name(name)?;
    match crate_details::find_queued(connection, &name)? {
        Some(krate) => Ok(krate),
        None => Err(missing(connection, &name)),
    }
}

/// Why there is no crate with this name: it may have been deleted.
fn missing(connection: &mut PgConnection, name: &CrateName) -> ApiError {
    match crate::database::catalog::refusal::find_crate(connection, name) {
        Ok(Err(refusal)) => refusal.into(),
        Ok(Ok(_)) => no_such_crate(name.as_str()),
        Err(error) => error.into(),
    }
}

/// The crate with this name, with the version that its page shows.
pub fn default_version(connection: &mut PgConnection, name: &str) -> Result<Found, ApiError> {
    let krate = krate(connection, name)?;
    let id = match krate.row.default_version_id {
        Some(id) => Some(id),
        None => version_details::newest_accepted(connection, krate.row.id)?,
    };
    let Some(id) = id else { return Err(no_such_crate(krate.row.name.as_str())) };
    found(connection, krate, id)
}

/// The crate with this name, with this version.
pub fn version(connection: &mut PgConnection, name: &str, num: &str) -> Result<Found, ApiError> {
    let krate = krate(connection, name)?;
    let num = version_of(&krate.row.name, num)?;
    let id = version_id(connection, &krate.row.name, &num)?;
    found(connection, krate, id)
}

fn found(connection: &mut PgConnection, krate: CountedCrate, id: i32) -> Result<Found, ApiError> {
    let version = version_details::by_ids(connection, &[id], Features::Included)?.pop();
    let version = version.ok_or_else(|| no_such_version(&krate.row.name, "of this number"))?;
    let is_default = krate.row.default_version_id.is_none_or(|default| default == version.row.id);
    Ok(Found { krate, version, is_default })
}
