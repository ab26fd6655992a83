//! Finds the crate or version that a request names, or answers 404.

use diesel::PgConnection;

use super::ApiError;
use super::shortened::shortened;
use crate::database::catalog::crate_details::{self, CountedCrate};
use crate::database::catalog::refusal::{self, ChangeRefusal};
use crate::database::catalog::versions::{self, VersionStatus};
use crate::package::{CrateName, Version};

/// A crate of which the index shows at least one version.
pub fn shown_crate(connection: &mut PgConnection, name: &CrateName) -> Result<CountedCrate, ApiError> {
    if let Some(shown) = crate_details::find(connection, name)? {
        return Ok(shown);
    }
    refusal::find_crate(connection, name)??;
    Err(no_such_crate(name.as_str()))
}

/// The id of a version. Its build metadata must match as well.
pub fn version_id(connection: &mut PgConnection, name: &CrateName, num: &Version) -> Result<i32, ApiError> {
    version(connection, name, num).map(|(_, found)| found.id)
}

/// A version, and its crate's name in its own spelling. Its build metadata must match as well.
pub fn version(
    connection: &mut PgConnection,
    name: &CrateName,
    num: &Version,
) -> Result<(CrateName, VersionStatus), ApiError> {
    let krate = refusal::find_crate(connection, name)??;
    let found = versions::find(connection, krate.id, num)?.filter(|found| found.num == *num);
    let found = found.ok_or_else(|| no_such_version(&krate.name, &num.to_string()))?;
    match &found.deletion_reason {
        Some(reason) => {
            Err(ApiError::not_found(format!("`{}@{num}` was deleted from this registry: {reason}", krate.name)))
        }
        None => Ok((krate.name, found)),
    }
}

pub fn no_such_crate(name: &str) -> ApiError {
    ChangeRefusal::UnknownCrate(shortened(name).into_owned()).into()
}

pub fn no_such_version(name: &CrateName, version: &str) -> ApiError {
    ChangeRefusal::UnknownVersion { name: name.clone(), num: shortened(version).into_owned() }.into()
}
