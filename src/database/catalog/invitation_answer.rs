//! A user accepts or declines an invitation to own a crate, and owners see those of their crates.

use diesel::prelude::*;
use serde_json::json;

use super::crates;
use super::invitation_refusal::InvitationRefusal;
use super::invitations::{self, Invitation, Of};
use super::owners;
use super::ownership::OwnersError;
use super::refusal::{self, check_full_owner, lock_crate};
use crate::database::access::audit::{Action, Event};
use crate::database::access::buckets;
use crate::database::access::caller::{Caller, Denied};
use crate::database::access::rate_limits::RateLimits;
use crate::database::access::scope::Scope;
use crate::database::access::users;
use crate::package::CrateName;

/// The answer to an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Accept,
    Decline,
}

/// Checks that a token may see and answer invitations at all.
pub fn check_may_answer(caller: &Caller) -> Result<(), Denied> {
    caller.has_one_of(&[Scope::ChangeOwners], Scope::ChangeOwners.as_str())
}

/// The caller's invitations to own crates that the token covers.
pub fn of_caller(connection: &mut PgConnection, caller: &Caller) -> Result<Vec<Invitation>, OwnersError> {
    // Every role reads.
    if caller.unrestricted().is_err() {
        check_may_answer(caller)?;
    }
    let mut own = invitations::pending(connection, Of::Invitee(caller.user.id))?;
    own.retain(|one| caller.covers(&one.crate_name).is_ok());
    Ok(own)
}

/// The pending invitations of a crate, for its owners and for admins.
pub fn of_crate(
    connection: &mut PgConnection,
    name: &CrateName,
    caller: &Caller,
) -> Result<Vec<Invitation>, OwnersError> {
    if caller.unrestricted().is_err() {
        caller.may(Scope::ChangeOwners, name)?;
    }
    let krate = refusal::find_crate(connection, name)??;
    if !caller.is_admin() {
        check_full_owner(connection, &krate, &caller.user)??;
    }
    Ok(invitations::pending(connection, Of::Crate(krate.id))?)
}

/// Accepts or declines the caller's invitation to own a crate; returns its name. What the user who invited may do by now does not
/// matter.
pub fn answer_as(
    connection: &mut PgConnection,
    crate_id: i32,
    answer: Answer,
    (caller, rate_limits): (&Caller, &RateLimits),
) -> Result<CrateName, OwnersError> {
    check_may_answer(caller)?;
    let unknown = || InvitationRefusal::Unknown(crate_id.to_string());
    connection.transaction(|connection| {
        let name = crates::name_of(connection, crate_id).optional()?;
        let krate = lock_crate(connection, &name.ok_or_else(unknown)?)??;
        let caller = caller.confirm(connection)??;
        let user = &caller.user;
        caller.may(Scope::ChangeOwners, &krate.name)?;
        let draw: Vec<_> = rate_limits.draw_of(Scope::ChangeOwners).into_iter().collect();
        let levels = buckets::draw(connection, user.id, &draw)?;
        rate_limits.check_drawn(&levels, &user.login, Scope::ChangeOwners)?;
        let taken = invitations::take(connection, krate.id, user.id)?.ok_or_else(unknown)?;
        if taken.has_expired() {
            return Err(InvitationRefusal::Expired { name: krate.name, ended: taken.expires_at }.into());
        }
        let action = match answer {
            Answer::Accept => {
                owners::add(connection, krate.id, user.id)?;
                Action::OwnerAdd
            }
            Answer::Decline => Action::OwnerInviteDecline,
        };
        let detail = json!({ "invited_by": users::login_of(connection, taken.inviter_id)? });
        let event = Event::new(action).of_crate(&krate.name).about(&user.login).detail(detail);
        event.record(connection, &caller.actor())?;
        caller.connection.check()?;
        Ok(krate.name)
    })
}
