//! Deletion of whole crates. The row of a deleted crate stays, and with it the name and the numbers of the versions: lock
//! files refer to both.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::{invitations, owners, version_docs};
use crate::database::schema::{crate_owners, crate_team_owners, crates, trusted_publishers, versions, webhooks};
use crate::package::{Checksum, Version};

/// The columns of a crate's deletion.
#[derive(Queryable, Selectable, AsChangeset, Clone, Debug, Default, PartialEq, Eq)]
#[diesel(table_name = crates, treat_none_as_null = true)]
pub struct Deletion {
    pub deleted_at: Option<DateTime<Utc>>,
    pub deletion_reason: Option<String>,
    /// Whether the name of the deleted crate may be published again, as a new crate.
    pub name_released: bool,
}

impl Deletion {
    pub fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// Whether the crate is deleted and its name may be published again.
    pub fn frees_the_name(&self) -> bool {
        self.is_deleted() && self.name_released
    }
}

/// What was deleted with a crate, for the audit log.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// Logins, and teams as `team:NAME`.
    pub owners: Vec<String>,
    /// The versions whose deletion was not requested before.
    pub versions: Vec<Version>,
    /// The documentation of its versions.
    pub docs: Vec<(i32, Checksum)>,
}

/// When a crate was created, on which the right of its owners to delete it depends.
pub fn created_at(connection: &mut PgConnection, crate_id: i32) -> QueryResult<DateTime<Utc>> {
    crates::table.find(crate_id).select(crates::created_at).first(connection)
}

/// Marks a crate as deleted, requests the deletion of all its versions, and removes its owners. The caller holds the lock of
/// the crate's row, so that no version is added meanwhile.
pub fn delete(connection: &mut PgConnection, crate_id: i32, reason: &str, name_released: bool) -> QueryResult<Deleted> {
    let owners = owners::list_all(connection, crate_id)?.iter().map(owners::Owner::login).collect();
    mark(
        connection,
        crate_id,
        &Deletion { deleted_at: Some(Utc::now()), deletion_reason: Some(reason.to_owned()), name_released },
    )?;
    let mut versions: Vec<Version> = diesel::update(versions::table.filter(versions::crate_id.eq(crate_id)))
        .filter(versions::deletion_requested_at.is_null())
        .set((versions::deletion_requested_at.eq(diesel::dsl::now), versions::deletion_reason.eq(reason)))
        .returning(versions::num)
        .get_results(connection)?;
    versions.sort();
    diesel::delete(crate_owners::table.filter(crate_owners::crate_id.eq(crate_id))).execute(connection)?;
    diesel::delete(crate_team_owners::table.filter(crate_team_owners::crate_id.eq(crate_id))).execute(connection)?;
    diesel::update(webhooks::table.filter(webhooks::crate_id.eq(crate_id)))
        .set(webhooks::crate_is_deleted.eq(true))
        .execute(connection)?;
    // Its name may be released, and then belongs to others.
    invitations::remove_of_crate(connection, crate_id)?;
    diesel::delete(trusted_publishers::table.filter(trusted_publishers::crate_id.eq(crate_id))).execute(connection)?;
    let docs = version_docs::remove_of_crate(connection, crate_id)?;
    Ok(Deleted { owners, versions, docs })
}

/// Sets the columns alone, and restricts a later crate of this name to no trusted publishers.
pub fn mark(connection: &mut PgConnection, crate_id: i32, deletion: &Deletion) -> QueryResult<()> {
    let columns = (deletion, crates::trustpub_only.eq(false));
    diesel::update(crates::table.find(crate_id)).set(columns).execute(connection).map(drop)
}

/// Allows that the name of a deleted crate is published again.
pub fn release_name(connection: &mut PgConnection, crate_id: i32) -> QueryResult<()> {
    diesel::update(crates::table.find(crate_id)).set(crates::name_released.eq(true)).execute(connection).map(drop)
}

/// Makes the row of a deleted crate that of a new crate.
pub(super) fn revive(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Deletion> {
    let fresh = Deletion::default();
    diesel::update(crates::table.find(crate_id))
        .set((&fresh, crates::created_at.eq(diesel::dsl::now)))
        .execute(connection)?;
    Ok(fresh)
}
