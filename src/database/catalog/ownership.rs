//! Changing the owners of a crate: all that a request names, or none.

use diesel::prelude::*;
use serde_json::json;

use super::crates::Crate;
use super::invitation_refusal::InvitationRefusal;
use super::invitations;
use super::owners::{self, Owner, Removed, Rights};
use super::refusal::{ChangeRefusal, MAX_NAMED, lock_crate};
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::buckets;
use crate::database::access::caller::Caller;
use crate::database::access::rate_limits::RateLimits;
use crate::database::access::scope::Scope;
use crate::database::access::users::{self, User};
use crate::package::CrateName;

/// The change for the owners that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Add,
    /// Adds teams and invites users; admins and operators add users, too.
    Invite,
    /// Removes owners, and withdraws invitations.
    Remove,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// It names the changes.
    pub sentence: String,
    /// Whether a user was invited.
    pub invited: bool,
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

/// Changes the owners on behalf of a caller, after checking the caller's rights.
pub fn change_as(
    connection: &mut PgConnection,
    name: &CrateName,
    logins: &[String],
    change: Change,
    (caller, rate_limits): (&Caller, &RateLimits),
) -> Result<Changed, OwnersError> {
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
        let inviter = (change == Change::Invite && !caller.is_admin()).then_some(user.id);
        let done = change_all(connection, &krate, logins, change, (inviter, &caller.actor()))?;
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
) -> Result<Changed, OwnersError> {
    connection.transaction(|connection| {
        let krate = lock_crate(connection, name)??;
        change_all(connection, &krate, logins, change, (None, operator))
    })
}

fn change_all(
    connection: &mut PgConnection,
    krate: &Crate,
    logins: &[String],
    change: Change,
    (inviter, actor): (Option<i32>, &Actor),
) -> Result<Changed, OwnersError> {
    match logins.len() {
        0 => return Err(ChangeRefusal::NoOwnerNamed.into()),
        count if count > MAX_NAMED => return Err(ChangeRefusal::TooManyOwners(count).into()),
        _ => {}
    }
    let (mut done, mut invited) = (Vec::new(), false);
    for login in logins {
        let owner = Owner::find(connection, login)?.ok_or_else(|| unknown(login))?;
        done.push(match (change, inviter, &owner) {
            (Change::Remove, ..) => remove(connection, krate, &owner, actor)?,
            (Change::Invite, Some(inviter), Owner::User(user)) => {
                let (said, is_new) = invite(connection, krate, user, (inviter, actor))?;
                invited |= is_new;
                said
            }
            (Change::Add | Change::Invite, ..) => add(connection, krate, &owner, actor)?,
        });
    }
    Ok(Changed { sentence: done.join(", "), invited })
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

/// Invites a user, or renews the invitation; false if the user is an owner already.
fn invite(
    connection: &mut PgConnection,
    krate: &Crate,
    user: &User,
    (inviter, actor): (i32, &Actor),
) -> Result<(String, bool), OwnersError> {
    let (user, name) = (users::read_to_give(connection, user.id)?, &krate.name);
    user.check_active().map_err(ChangeRefusal::from)?;
    let login = &user.login;
    if owners::rights(connection, krate.id, user.id)? == Rights::Full {
        return Ok((format!("{login} is already an owner of {name}"), false));
    }
    if !user.role.changes() {
        return Err(InvitationRefusal::Role { login: user.login, role: user.role }.into());
    }
    let expires_at = invitations::invite(connection, (krate.id, user.id), inviter)?;
    let event = Event::new(Action::OwnerInvite).of_crate(name).about(login);
    event.detail(json!({ "expires_at": expires_at })).record(connection, actor)?;
    Ok((format!("{login} has been invited to be an owner of {name}"), true))
}

fn remove(connection: &mut PgConnection, krate: &Crate, owner: &Owner, actor: &Actor) -> Result<String, OwnersError> {
    let (login, name) = (owner.login(), &krate.name);
    match owner.remove_from(connection, krate.id)? {
        Removed::Done => {}
        Removed::WasNone if withdraw(connection, krate, owner, actor)? => {
            return Ok(format!("{login} is no longer invited to be an owner of {name}"));
        }
        Removed::WasNone => return Err(ChangeRefusal::NoSuchOwner { login, name: name.clone() }.into()),
        Removed::IsLast => return Err(ChangeRefusal::LastOwner { login, name: name.clone() }.into()),
    }
    Event::new(Action::OwnerRemove).of_crate(name).about(&login).record(connection, actor)?;
    Ok(format!("{login} is no longer an owner of {name}"))
}

/// Withdraws the invitation of a user; false if there is none that could be accepted.
fn withdraw(connection: &mut PgConnection, krate: &Crate, owner: &Owner, actor: &Actor) -> QueryResult<bool> {
    let Owner::User(user) = owner else { return Ok(false) };
    let taken = invitations::take(connection, krate.id, user.id)?;
    if taken.is_none_or(|taken| taken.has_expired()) {
        return Ok(false);
    }
    Event::new(Action::OwnerInviteWithdraw).of_crate(&krate.name).about(&user.login).record(connection, actor)?;
    Ok(true)
}
