//! Names that may not be published: those that operators and admins reserve, and those of deleted crates.

use diesel::{Connection, PgConnection};
use serde_json::json;

use super::delete_crate;
use crate::database::access::administrator::Administrator;
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::Denied;
use crate::database::catalog::refusal::{self, ChangeRefusal, MAX_MESSAGE};
use crate::database::catalog::{crates, reserved_names};
use crate::package::CrateName;

/// Why a name was neither reserved nor released.
#[derive(Debug, thiserror::Error)]
pub enum ReservationError {
    #[error("the name {0} is neither reserved nor that of a deleted crate: see `supercargo admin crate reserved`")]
    NotReserved(CrateName),
    #[error(
        "the reservation of {0} needs a reason of 1 to {MAX_MESSAGE} characters: it is shown to users who publish under the name"
    )]
    NoReason(CrateName),
    #[error(transparent)]
    Reason(Box<ChangeRefusal>),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// A reservation.
#[derive(Clone, Copy, Debug)]
pub struct Reserved {
    /// False if the name was reserved for the same reason.
    pub changed: bool,
    /// Whether a crate has the name, which is unchanged.
    pub has_crate: bool,
}

/// Reserves a name, or changes the reason of its reservation.
pub fn reserve(
    connection: &mut PgConnection,
    name: &CrateName,
    reason: &str,
    who: Administrator<'_>,
) -> Result<Reserved, ReservationError> {
    let checked =
        refusal::message("reason", Some(reason)).map_err(|refusal| ReservationError::Reason(Box::new(refusal)))?;
    let reason = checked.ok_or_else(|| ReservationError::NoReason(name.clone()))?;
    connection.transaction(|connection| {
        let actor = who.confirm(connection)??;
        let changed = reserved_names::reserve(connection, name, reason)?;
        if changed {
            let event = Event::new(Action::NameReserve).of_crate(name).detail(json!({ "reason": reason }));
            event.record(connection, &actor)?;
        }
        let has_crate = crates::find(connection, name)?.is_some_and(|krate| !krate.deletion.is_deleted());
        Ok(Reserved { changed, has_crate })
    })
}

/// Releases a name that is reserved, or that of a deleted crate, or both.
pub fn release(
    connection: &mut PgConnection,
    name: &CrateName,
    who: Administrator<'_>,
) -> Result<(), ReservationError> {
    connection.transaction(|connection| {
        // The order of all changes: the crate's row before the user's.
        crates::find_and_lock(connection, name)?;
        let actor = who.confirm(connection)??;
        let was_reserved = reserved_names::release(connection, name)?;
        if was_reserved {
            Event::new(Action::NameRelease).of_crate(name).record(connection, &actor)?;
        }
        // An event of its own: a name can be both.
        let was_deleted = delete_crate::release_name(connection, name, &actor)?;
        if was_reserved || was_deleted { Ok(()) } else { Err(ReservationError::NotReserved(name.clone())) }
    })
}
