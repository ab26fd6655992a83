//! Release sets: creating them, staging versions and changes, and the end of a set.
//!
//! A staged version is a row of its own table, not a version. So nothing that reads versions, jobs or the index can show it
//! by mistake, and replacing it is an update. While the set is open, a unique key keeps its number from other sets; publishes
//! look for it in the statement that inserts their version, under the lock of the crate's row, which a staging takes, too. The
//! name of a new crate has no row: a staging inserts one and deletes it again, so that a transaction that creates the crate
//! meanwhile waits at the unique index.
//!
//! An approval inserts all versions and their jobs in one transaction. From then on they are written in one move of the
//! index, by the batch that runs the first of these jobs (`desired`).
//!
//! Locks are taken in the order: the set's row, the crates' rows by id, new crates by name, and then those of rights
//! ([`caller`](crate::database::access::caller)).

pub mod approve;
pub mod change;
pub mod create;
pub mod end;
pub mod examine;
pub mod stage;

use diesel::PgConnection;

use super::admission::Admission;
use super::request::RequestError;
use crate::database::access::buckets;
use crate::database::access::caller::{Caller, Denied};
use crate::database::access::scope::Scope;
use crate::database::catalog::crates;
use crate::database::catalog::set_refusal::SetRefusal;
use crate::database::publishers::grants;
use crate::database::staging::SetName;
use crate::database::staging::sets::{self, ReleaseSet};
use crate::database::staging::staged;
use crate::package::CrateName;

/// Counts a request for the rate limit of this scope.
fn draw(
    connection: &mut PgConnection,
    (caller, admission): (&Caller, &Admission),
    scope: Scope,
) -> Result<(), RequestError> {
    let draws: Vec<_> = admission.rate_limits.draw_of(scope).into_iter().collect();
    let levels = buckets::draw(connection, caller.user.id, &draws)?;
    Ok(admission.rate_limits.check_drawn(&levels, &caller.user.login, scope)?)
}

/// Finds a set, whatever its state.
pub fn find(connection: &mut PgConnection, name: &SetName) -> Result<ReleaseSet, RequestError> {
    Ok(sets::find(connection, name)?.ok_or_else(|| SetRefusal::Unknown(name.clone()))?)
}

/// Finds a set that is open, and locks its row.
fn lock_open(connection: &mut PgConnection, name: &SetName) -> Result<ReleaseSet, RequestError> {
    let (set, now) = sets::find_and_lock(connection, name)?.ok_or_else(|| SetRefusal::Unknown(name.clone()))?;
    set.check_open(now)?;
    Ok(set)
}

/// Checks that a caller may decide over everything in a set, with a token for all its crates.
fn check_manager(connection: &mut PgConnection, set: &ReleaseSet, caller: &Caller) -> Result<(), RequestError> {
    let names = staged::all_names(connection, set.id)?;
    if names.is_empty() && !set.is_preview {
        // Or its name could be taken for a set that is public.
        caller.unrestricted()?;
    }
    names.iter().try_for_each(|name| caller.covers(name))?;
    if caller.is_admin() || sets::is_manager(connection, set, caller.user.id)? {
        return Ok(());
    }
    restricted_admin(caller)?;
    Err(SetRefusal::NotManager { name: set.name.clone(), login: caller.user.login.clone() }.into())
}

/// Refuses an admin who has no right as a user, by the token that is restricted.
fn restricted_admin(caller: &Caller) -> Result<(), Denied> {
    if caller.user.is_admin { caller.admin() } else { Ok(()) }
}

/// Checks that a caller may stage more in a set, or take this crate out of it.
fn check_contributor(
    connection: &mut PgConnection,
    set: &ReleaseSet,
    (caller, krate): (&Caller, Option<&CrateName>),
) -> Result<(), RequestError> {
    if let Some(name) = krate {
        caller.covers(name)?;
    }
    if caller.is_admin() || sets::is_contributor(connection, set, (caller.user.id, krate))? {
        return Ok(());
    }
    if is_trusted_for_a_part(connection, set, (caller, krate))? {
        return Ok(());
    }
    restricted_admin(caller)?;
    Err(SetRefusal::NotContributor { name: set.name.clone(), login: caller.user.login.clone() }.into())
}

/// Whether a machine is a trusted publisher of this crate, or of one of the crates, of a set.
fn is_trusted_for_a_part(
    connection: &mut PgConnection,
    set: &ReleaseSet,
    (caller, krate): (&Caller, Option<&CrateName>),
) -> Result<bool, RequestError> {
    let Some(trusted) = &caller.token.trusted else { return Ok(false) };
    for name in staged::names(connection, set.id)? {
        if krate.is_some_and(|krate| *krate != name) || caller.covers(&name).is_err() {
            continue;
        }
        let id = crates::find(connection, &name)?.filter(|found| !found.deletion.is_deleted()).map(|found| found.id);
        if grants::find(connection, trusted, (id, &name))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Checks that a caller belongs to a set, or is an admin.
fn check_member(connection: &mut PgConnection, set: &ReleaseSet, caller: &Caller) -> Result<(), RequestError> {
    if caller.is_admin() || sets::is_member(connection, set, caller.user.id)? {
        return Ok(());
    }
    restricted_admin(caller)?;
    Err(SetRefusal::NotMember { name: set.name.clone(), login: caller.user.login.clone() }.into())
}
