//! Removing crate files that no version needs, beside publishes that may be about to need them.
//!
//! A publish stores its file first and then inserts its version, so a file that no version names may be needed a moment
//! later: by another publish of the same bytes, which found it stored already. That neither loses it rests on a lock for
//! each checksum (`database::crate_files`), and on two rules.
//!
//! - **A publish** shares the lock from the insertion of its version to the end of its transaction. *Within*, it looks
//!   whether the file is there; if not, the transaction is given up, the file is stored again, and it starts over.
//! - **A removal** has the lock alone. *Within*, it asks for versions that need the file, and only without one it moves the
//!   file aside. It removes it for good after its commit, which proves that it had the lock all the time.
//!
//! So either the removal ends before the publish has the lock, and the publish sees that the file is gone; or the publish has
//! committed before the removal has the lock, and the removal sees its version. Statements see what was committed before
//! they began (READ COMMITTED), and both look after they have the lock.
//!
//! A lock ends with its session, while its process may not know: a removal that slept through the end of its session (a
//! stopped process, a database that was started again) could move a file that a publish has relied on meanwhile. Its commit
//! fails then, and it puts the file back. If it is killed before it can, the file is in the quarantine, from where `verify
//! --repair` takes it. A publish whose connection breaks at the commit is asked about anew, and holds its lock as long as
//! the database is at work on it.
//!
//! The lock that a backup holds is another one, and not needed here: a backup copies the files of versions that were
//! committed before it began, rows of versions never vanish, and a file that has one is not removed. So files of refused
//! publishes go also while a backup is being made, which may take hours.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::crate_store::{CrateStore, CrateStoreError, Expired, SetAside};
use crate::database::catalog::crate_files;
use crate::database::upkeep::crate_states;
use crate::database::{Pool, PoolError};
use crate::fault;
use crate::package::Checksum;

/// Files that no version needs are moved to the quarantine from this age on. A publish stores its file again if it has to,
/// but an import may take hours between the first file of a crate and its rows.
pub const ORPHAN_AGE: Duration = Duration::from_secs(12 * 60 * 60);

/// Why a file could not be removed. It stays, for the next tidying.
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

/// Removes the file of a checksum unless a version needs it; true if it did.
pub fn remove(connection: &mut PgConnection, store: &CrateStore, checksum: Checksum) -> Result<bool, UnusedFileError> {
    let Some(aside) = set_aside(connection, store, checksum, CrateStore::set_aside)? else { return Ok(false) };
    store.discard(&aside)?;
    Ok(true)
}

/// Moves the file of a checksum to the quarantine unless a version needs it, and answers where it is now.
pub fn quarantine(
    connection: &mut PgConnection,
    store: &CrateStore,
    checksum: Checksum,
) -> Result<Option<String>, UnusedFileError> {
    Ok(set_aside(connection, store, checksum, CrateStore::move_to_quarantine)?.map(|aside| aside.place()))
}

fn set_aside(
    connection: &mut PgConnection,
    store: &CrateStore,
    checksum: Checksum,
    move_away: impl Fn(&CrateStore, Checksum) -> Result<Option<SetAside>, CrateStoreError>,
) -> Result<Option<SetAside>, UnusedFileError> {
    let mut aside = None;
    let done = connection.transaction(|connection| {
        crate_files::lock_for_removal(connection, checksum)?;
        if !crate_files::is_needed(connection, checksum)? {
            aside = move_away(store, checksum)?;
            fault::point("unused.set_aside")?;
        }
        Ok::<_, UnusedFileError>(())
    });
    match (done, aside) {
        (Ok(()), aside) => Ok(aside),
        (Err(error), None) => Err(error),
        (Err(error), Some(aside)) => {
            // Without the lock it may be needed by now.
            store.put_back(&aside)?;
            Err(error)
        }
    }
}

/// What a tidying did.
#[derive(Debug, Default)]
pub struct Tidied {
    /// Where files are now that no version needs.
    pub quarantined: Vec<String>,
    /// What left the quarantine for good.
    pub expired: Vec<Expired>,
}

/// Moves files to the quarantine that no version has needed for [`ORPHAN_AGE`], and removes what has been there since
/// before `expire_before`.
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
            // What has another name than a crate file is nobody's here: `verify` tells of it.
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
