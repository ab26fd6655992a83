//! Changing the owners of a crate: all that one request names, or nothing of it.

use diesel::prelude::*;

use super::crates::{self, Crate};
use super::owners::{self, Owner, Removed, Rights};
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::{Caller, Denied};
use crate::database::access::rate_limits::{RateLimited, RateLimits};
use crate::database::access::scope::Scope;
use crate::package::CrateName;

/// Owners that one request may name.
pub const MAX_NAMED: usize = 100;

/// What is to become of those who are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Add,
    Remove,
}

/// Why owners were not changed. None of them was.
#[derive(Debug, thiserror::Error)]
pub enum OwnersError {
    #[error("there is no crate `{0}` here")]
    UnknownCrate(CrateName),
    #[error(
        "`{login}` is not an owner of the crate `{name}`, and only its owners ({owners}) may change them: ask one of them"
    )]
    NotOwner { login: String, name: CrateName, owners: String },
    #[error(
        "`{login}` may publish and yank `{name}` as a member of a team, and only its owners themselves ({owners}) may change \
         the owners: ask one of them"
    )]
    TeamMember { login: String, name: CrateName, owners: String },
    #[error(
        "there is no user {0:?} in this registry: the login must be one that was made with `supercargo admin user create`, \
         or a team as `team:NAME`"
    )]
    UnknownUser(String),
    #[error(
        "there is no team {0:?} in this registry: see `supercargo admin team list`, or make it with `supercargo admin team create`"
    )]
    UnknownTeam(String),
    #[error("`{login}` is not an owner of `{name}`: see `cargo owner --list {name}`")]
    WasNone { login: String, name: CrateName },
    #[error(
        "`{login}` is the last user among the owners of `{name}`: add another one first, or nobody could look after it"
    )]
    LastOwner { name: CrateName, login: String },
    #[error("the request names no owner: send `{{\"users\":[\"LOGIN\"]}}`")]
    Nobody,
    #[error("the request names {0} owners; send at most {MAX_NAMED} at once")]
    TooMany(usize),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    RateLimited(Box<RateLimited>),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// Changes the owners as a caller asks who may. Answers a sentence about what was done.
pub fn change_as(
    connection: &mut PgConnection,
    name: &CrateName,
    logins: &[String],
    change: Change,
    (caller, rate_limits): (&Caller, &RateLimits),
) -> Result<String, OwnersError> {
    caller.may(Scope::ChangeOwners, name)?;
    connection.transaction(|connection| {
        let krate = locked(connection, name)?;
        let caller = caller.confirm(connection)??;
        let user = &caller.user;
        caller.may(Scope::ChangeOwners, name)?;
        let rights = owners::rights(connection, krate.id, user.id)?;
        if rights < Rights::Full && !caller.is_admin() {
            let owners: Vec<_> = owners::list(connection, krate.id)?.into_iter().map(|owner| owner.login).collect();
            let (login, name, owners) = (user.login.clone(), krate.name, owners.join(", "));
            return Err(match rights {
                Rights::Publish => OwnersError::TeamMember { login, name, owners },
                _ => OwnersError::NotOwner { login, name, owners },
            });
        }
        if let Some(limited) = rate_limits.draw(connection, user.id, &user.login, Scope::ChangeOwners)? {
            return Err(OwnersError::RateLimited(Box::new(limited)));
        }
        let done = change_all(connection, &krate, logins, change, &caller.actor())?;
        caller.waits()?;
        Ok(done)
    })
}

/// Changes the owners as an operator.
pub fn change(
    connection: &mut PgConnection,
    name: &CrateName,
    logins: &[String],
    change: Change,
    operator: &Actor,
) -> Result<String, OwnersError> {
    connection.transaction(|connection| {
        let krate = locked(connection, name)?;
        change_all(connection, &krate, logins, change, operator)
    })
}

fn locked(connection: &mut PgConnection, name: &CrateName) -> Result<Crate, OwnersError> {
    crates::find_and_lock(connection, name)?.ok_or_else(|| OwnersError::UnknownCrate(name.clone()))
}

fn change_all(
    connection: &mut PgConnection,
    krate: &Crate,
    logins: &[String],
    change: Change,
    actor: &Actor,
) -> Result<String, OwnersError> {
    match logins.len() {
        0 => return Err(OwnersError::Nobody),
        count if count > MAX_NAMED => return Err(OwnersError::TooMany(count)),
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

fn unknown(login: &str) -> OwnersError {
    let shown: String = login.chars().take(100).collect();
    if login.starts_with(crate::database::access::teams::PREFIX) {
        OwnersError::UnknownTeam(shown)
    } else {
        OwnersError::UnknownUser(shown)
    }
}

fn add(connection: &mut PgConnection, krate: &Crate, owner: &Owner, actor: &Actor) -> Result<String, OwnersError> {
    let (login, name) = (owner.login(), &krate.name);
    if !owner.add_to(connection, krate.id)? {
        return Ok(format!("{login} was an owner of {name} already"));
    }
    Event::new(Action::OwnerAdd).of_crate(name).about(&login).record(connection, actor)?;
    Ok(format!("{login} is now an owner of {name}"))
}

fn remove(connection: &mut PgConnection, krate: &Crate, owner: &Owner, actor: &Actor) -> Result<String, OwnersError> {
    let (login, name) = (owner.login(), &krate.name);
    match owner.remove_from(connection, krate.id)? {
        Removed::Done => {}
        Removed::WasNone => return Err(OwnersError::WasNone { login, name: name.clone() }),
        Removed::IsLast => return Err(OwnersError::LastOwner { login, name: name.clone() }),
    }
    Event::new(Action::OwnerRemove).of_crate(name).about(&login).record(connection, actor)?;
    Ok(format!("{login} is no longer an owner of {name}"))
}
