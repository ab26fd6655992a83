//! A version on its way into the index: what was asked for, and what the index shows.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::database::schema::{users, versions};
use crate::package::Version;

/// The desired and the effective state of a version, also of a deleted one.
#[derive(Queryable, Selectable, Clone, Debug, PartialEq, Eq)]
#[diesel(table_name = versions)]
pub struct VersionProgress {
    pub id: i32,
    pub num: Version,
    /// `deleted` when the index and the store have nothing of it any more.
    state: String,
    pub desired_yanked: bool,
    /// None while the version is not in the index.
    pub effective_yanked: Option<bool>,
    /// The commit of the index that published it.
    pub commit_id: Option<String>,
    pub yank_message: Option<String>,
    pub created_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
    pub deletion_requested_at: Option<DateTime<Utc>>,
    pub deletion_reason: Option<String>,
}

impl VersionProgress {
    /// Whether it was deleted, and nothing of that is left to do.
    pub fn is_deleted(&self) -> bool {
        self.state == "deleted"
    }

    /// Whether the index shows what was asked for.
    pub fn is_as_desired(&self) -> bool {
        match self.deletion_requested_at {
            Some(_) => self.is_deleted(),
            None => self.effective_yanked == Some(self.desired_yanked),
        }
    }
}

/// The version with this id.
pub fn find_by_id(connection: &mut PgConnection, id: i32) -> QueryResult<Option<VersionProgress>> {
    versions::table.find(id).select(VersionProgress::as_select()).first(connection).optional()
}

/// The version with this number, and the login of the user who published it. Its build metadata must match as well.
pub fn find(
    connection: &mut PgConnection,
    crate_id: i32,
    num: &Version,
) -> QueryResult<Option<(VersionProgress, Option<String>)>> {
    let found: Option<(VersionProgress, Option<String>)> = versions::table
        .left_join(users::table)
        .filter(versions::crate_id.eq(crate_id))
        .filter(versions::num_without_build.eq(num.without_build()))
        .select((VersionProgress::as_select(), users::login.nullable()))
        .first(connection)
        .optional()?;
    Ok(found.filter(|(version, _)| version.num == *num))
}
