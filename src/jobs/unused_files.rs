//! Removing crate files that no version needs, concurrently with publishes that may be about to need them.
//!
//! A publish stores its file first and then inserts its version, so a file that no version names may be needed a moment
//! later: by another publish of the same bytes, which found it stored already. A lock for each checksum
//! (`database::catalog::crate_files`) and two rules keep such a file from being lost.
//!
//! - **A publish** shares the lock from the insertion of its version to the end of its transaction. *While it has the lock*,
//!   it checks whether the file is there; if not, the transaction is rolled back, the file is stored again, and the publish
//!   starts over.
//! - **A removal** has the lock alone. *While it has the lock*, it looks for versions that need the file, and moves the file
//!   aside only if there is none. It deletes the file after its commit, which proves that it had the lock all the time. A job
//!   releases a savepoint instead, which proves as much: the lock lasts as long as the transaction around it.
//!
//! So either the removal ends before the publish has the lock, and the publish finds the file missing; or the publish has
//! committed before the removal has the lock, and the removal finds its version. A statement reads what was committed before
//! it began (READ COMMITTED), and both check after they have the lock.
//!
//! A lock ends with its session, and its process may not notice: a removal that was suspended through the end of its session
//! (a stopped process, a restarted database) could move a file that a publish has relied on meanwhile. Then its commit fails,
//! and it puts the file back. If it is killed before that, the file is in the quarantine, from where `verify --repair`
//! restores it. A publish whose connection breaks at the commit is looked up again, and holds its lock as long as the
//! database is still executing it.
//!
//! The lock of a backup is another one. A backup copies the files of versions that were committed before it began. Rows of
//! versions are never deleted, and a file that has one is not removed. So files of refused publishes are removed also while
//! a backup is being made, which may take hours. Rows of documentation are replaced and deleted, so that a backup may need
//! an archive that has no row any longer: archives, and whatever else has no row when the store is tidied, are kept meanwhile.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::crate_store::{CrateStore, CrateStoreError, Expired, SetAside};
use crate::database::catalog::crate_files;
use crate::database::upkeep::{backup, crate_states};
use crate::database::{Pool, PoolError};
use crate::fault;
use crate::package::Checksum;

/// The age from which files that no version needs are moved to the quarantine. A publish stores its file again if necessary,
/// but an import may take hours between the first file of a crate and its rows.
pub const ORPHAN_AGE: Duration = Duration::from_secs(12 * 60 * 60);

/// Why a file could not be removed. It stays until the store is tidied again.
#[derive(Debug, thiserror::Error)]
pub enum UnusedFileError {
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error("the database failed")]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    CrateStore(#[from] CrateStoreError),
    #[error(transparent)]
    Fault(#[from] fault::Fault),
}

/// What was found of a file.
enum Found {
    /// It stays.
    Needed,
    Missing,
    Aside(SetAside),
}

/// Removes the crate file of a checksum unless a version needs it; true if it was removed.
pub fn remove(connection: &mut PgConnection, store: &CrateStore, checksum: Checksum) -> Result<bool, UnusedFileError> {
    let found = set_aside(connection, store, (checksum, is_unneeded), CrateStore::set_aside)?;
    Ok(matches!(discarded(store, found)?, Found::Aside(_)))
}

/// Removes the documentation of a checksum unless a version or a backup needs it; true if it was removed.
pub fn remove_docs(
    connection: &mut PgConnection,
    store: &CrateStore,
    checksum: Checksum,
) -> Result<bool, UnusedFileError> {
    let found = set_aside(connection, store, (checksum, is_unneeded_by_all), CrateStore::set_aside)?;
    Ok(matches!(discarded(store, found)?, Found::Aside(_)))
}

/// Removes the file of a checksum, within the transaction of a job, unless it is that of a version whose deletion was not
/// requested; true if it is gone. The caller has made sure that no backup needs it.
pub fn remove_undesired(
    connection: &mut PgConnection,
    store: &CrateStore,
    checksum: Checksum,
) -> Result<bool, UnusedFileError> {
    let found = set_aside(connection, store, (checksum, is_undesired), CrateStore::set_aside)?;
    Ok(!matches!(discarded(store, found)?, Found::Needed))
}

fn discarded(store: &CrateStore, found: Found) -> Result<Found, CrateStoreError> {
    if let Found::Aside(aside) = &found {
        store.discard(aside)?;
    }
    Ok(found)
}

fn is_unneeded(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<bool> {
    Ok(!crate_files::is_needed(connection, checksum)?)
}

/// Whether no version needs it, and no backup that is being made either.
fn is_unneeded_by_all(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<bool> {
    Ok(is_unneeded(connection, checksum)? && backup::may_remove_files(connection)?)
}

fn is_undesired(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<bool> {
    Ok(!crate_files::is_desired(connection, checksum)?)
}

/// Moves the file of a checksum to the quarantine unless a version or a backup needs it, and returns its new place.
pub fn quarantine(
    connection: &mut PgConnection,
    store: &CrateStore,
    checksum: Checksum,
) -> Result<Option<String>, UnusedFileError> {
    Ok(match set_aside(connection, store, (checksum, is_unneeded_by_all), CrateStore::move_to_quarantine)? {
        Found::Aside(aside) => Some(aside.place()),
        Found::Needed | Found::Missing => None,
    })
}

fn set_aside(
    connection: &mut PgConnection,
    store: &CrateStore,
    (checksum, may_go): (Checksum, impl Fn(&mut PgConnection, Checksum) -> QueryResult<bool>),
    move_away: impl Fn(&CrateStore, Checksum) -> Result<Option<SetAside>, CrateStoreError>,
) -> Result<Found, UnusedFileError> {
    let mut found = Found::Needed;
    let done = connection.transaction(|connection| {
        crate_files::lock_for_removal(connection, checksum)?;
        if may_go(connection, checksum)? {
            found = move_away(store, checksum)?.map_or(Found::Missing, Found::Aside);
            fault::point("unused.set_aside")?;
        }
        Ok::<_, UnusedFileError>(())
    });
    match (done, found) {
        (Ok(()), found) => Ok(found),
        (Err(error), Found::Needed | Found::Missing) => Err(error),
        (Err(error), Found::Aside(aside)) => {
            // Without the lock a version may need it by now.
            store.put_back(&aside)?;
            Err(error)
        }
    }
}

/// The result of [`tidy`].
#[derive(Debug, Default)]
pub struct Tidied {
    /// The new places of files that no version needs.
    pub quarantined: Vec<String>,
    /// The files that were deleted from the quarantine.
    pub expired: Vec<Expired>,
}

/// Moves files that no version needs and that are older than `orphans_before` to the quarantine, and deletes files that have
/// been there since before `expire_before`.
pub fn tidy(
    pool: &Pool,
    store: &CrateStore,
    (orphans_before, expire_before): (DateTime<Utc>, DateTime<Utc>),
    is_stopped: &dyn Fn() -> bool,
) -> Result<Tidied, UnusedFileError> {
    let expired = store.empty_quarantine(expire_before).unwrap_or_else(|error| {
        tracing::warn!(%error, "the quarantine of the crate store could not be emptied");
        Vec::new()
    });
    let mut tidied = Tidied { expired, ..Tidied::default() };
    for byte in 0..=u8::MAX {
        if is_stopped() {
            break;
        }
        let stored = store.list(byte)?;
        if stored.is_empty() {
            continue;
        }
        let named = pool.with(|connection| crate_states::files_beginning(connection, byte))??;
        for file in stored.into_iter().filter(|file| file.modified < orphans_before) {
            // Files with other names are left: `verify` reports them.
            let Some(checksum) = file.checksum else { continue };
            if named.binary_search_by(|row| row.checksum.cmp(&checksum)).is_err() {
                match pool.with(|connection| quarantine(connection, store, checksum))? {
                    Err(UnusedFileError::CrateStore(error)) => {
                        tracing::warn!(%error, %checksum, "a crate file that no version needs could not be moved away");
                    }
                    moved => tidied.quarantined.extend(moved?),
                }
            }
        }
    }
    Ok(tidied)
}
