//! Changing the owners of a crate: all that a request names, or none.

use diesel::prelude::*;

use super::crates::Crate;
use super::owners::{self, Owner, Removed, Rights};
use super::refusal::{ChangeRefusal, MAX_NAMED, lock_crate};
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::buckets;
use crate::database::access::caller::Caller;
use crate::database::access::rate_limits::RateLimits;
use crate::database::access::scope::Scope;
use crate::database::access::users;
use crate::package::CrateName;

/// The change for the owners that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Add,
    Remove,
}

/// Why owners were not changed. None of them was.
#[derive(Debug, thiserror::Error)]
pub enum OwnersError {
    #[error(transparent)]
    Refused(ChangeRefusal),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

impl<R: Into<ChangeRefusal>> From<R> for OwnersError {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
}

/// Changes the owners on behalf of a caller, after checking the caller's rights. Returns a sentence that names the changes.
pub fn change_as(
    connection: &mut PgConnection,
    name: &CrateName,
    logins: &[String],
    change: Change,
    (caller, rate_limits): (&Caller, &RateLimits),
) -> Result<String, OwnersError> {
    caller.may(Scope::ChangeOwners, name)?;
    connection.transaction(|connection| {
        let krate = lock_crate(connection, name)??;
        let caller = caller.confirm(connection)??;
        let user = &caller.user;
        caller.may(Scope::ChangeOwners, name)?;
        let rights = owners::rights(connection, krate.id, user.id)?;
        if rights < Rights::Full && !caller.is_admin() {
            let owners: Vec<_> = owners::list(connection, krate.id)?.into_iter().map(|owner| owner.login).collect();
            let (login, name, owners) = (user.login.clone(), krate.name, owners.join(", "));
            return Err(match rights {
                Rights::Publish => ChangeRefusal::TeamMember { login, name, owners }.into(),
                _ => ChangeRefusal::NotOwner { login, name, owners }.into(),
            });
        }
        let draw: Vec<_> = rate_limits.draw_of(Scope::ChangeOwners).into_iter().collect();
        let levels = buckets::draw(connection, user.id, &draw)?;
        rate_limits.check_drawn(&levels, &user.login, Scope::ChangeOwners)?;
        let done = change_all(connection, &krate, logins, change, &caller.actor())?;
        caller.connection.check()?;
        Ok(done)
    })
}

/// Changes the owners on behalf of an operator.
pub fn change(
    connection: &mut PgConnection,
    name: &CrateName,
    logins: &[String],
    change: Change,
    operator: &Actor,
) -> Result<String, OwnersError> {
    connection.transaction(|connection| {
        let krate = lock_crate(connection, name)??;
        change_all(connection, &krate, logins, change, operator)
    })
}

fn change_all(
    connection: &mut PgConnection,
    krate: &Crate,
    logins: &[String],
    change: Change,
    actor: &Actor,
) -> Result<String, OwnersError> {
    match logins.len() {
        0 => return Err(ChangeRefusal::NoOwnerNamed.into()),
        count if count > MAX_NAMED => return Err(ChangeRefusal::TooManyOwners(count).into()),
        _ => {}
    }
    let mut done = Vec::new();
    for login in logins {
        let owner = Owner::find(connection, login)?.ok_or_else(|| unknown(login))?;
        done.push(match change {
            Change::Add => add(connection, krate, &owner, actor)?,
            Change::Remove => remove(connection, krate, &owner, actor)?,
        });
    }
    Ok(done.join(", "))
}

/// The refusal for the name of an owner that is not found.
pub fn unknown(login: &str) -> ChangeRefusal {
    let shown: String = login.chars().take(100).collect();
    if login.starts_with(crate::database::access::teams::PREFIX) {
        ChangeRefusal::UnknownTeam(shown)
    } else {
        ChangeRefusal::UnknownUser(shown)
    }
}

fn add(connection: &mut PgConnection, krate: &Crate, owner: &Owner, actor: &Actor) -> Result<String, OwnersError> {
    let (login, name) = (owner.login(), &krate.name);
    if let Owner::User(user) = owner {
        users::read_to_give(connection, user.id)?.check_active().map_err(ChangeRefusal::from)?;
    }
    if !owner.add_to(connection, krate.id)? {
        return Ok(format!("{login} is already an owner of {name}"));
    }
    Event::new(Action::OwnerAdd).of_crate(name).about(&login).record(connection, actor)?;
    Ok(format!("{login} is now an owner of {name}"))
}

fn remove(connection: &mut PgConnection, krate: &Crate, owner: &Owner, actor: &Actor) -> Result<String, OwnersError> {
    let (login, name) = (owner.login(), &krate.name);
    match owner.remove_from(connection, krate.id)? {
        Removed::Done => {}
        Removed::WasNone => return Err(ChangeRefusal::NoSuchOwner { login, name: name.clone() }.into()),
        Removed::IsLast => return Err(ChangeRefusal::LastOwner { login, name: name.clone() }.into()),
    }
    Event::new(Action::OwnerRemove).of_crate(name).about(&login).record(connection, actor)?;
    Ok(format!("{login} is no longer an owner of {name}"))
}
