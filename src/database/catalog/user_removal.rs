//! Removing a user: tokens, memberships, ownerships and admin rights in one transaction. The login stays reserved, because
//! versions and the audit log refer to it.

use diesel::prelude::*;
use serde_json::json;

use super::crates;
use super::invitations::{self, Of};
use super::owners::{self, Owner, Removed};
use super::refusal::ChangeRefusal;
use crate::database::access::administrator::Administrator;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::Denied;
use crate::database::access::tokens::Token;
use crate::database::access::users::{self, Inactive, User, UserState};
use crate::database::access::{revocation, teams};
use crate::database::email::recipients;
use crate::database::schema::trusted_publishers;
use crate::database::sign_in::{links, passwords};
use crate::package::CrateName;

/// The most crates that a message names.
const MAX_SHOWN: usize = 20;

/// What a removed user had.
#[derive(Debug, Default)]
pub struct Removal {
    /// The tokens that were revoked.
    pub tokens: Vec<Token>,
    /// The teams that the user was a member of.
    pub teams: Vec<String>,
    /// The crates that the user owned.
    pub crates: Vec<CrateName>,
}

/// Why a user is not removed or disabled. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    #[error(
        "`{login}` is the last active admin: make another user an admin first, with `supercargo admin user promote LOGIN`"
    )]
    LastAdmin { login: String },
    #[error(
        "`{login}` is the only active user among the owners of {}: name a user who becomes an owner with `--to LOGIN`, \
         because teams cannot change owners", listed(.crates)
    )]
    OnlyOwner { login: String, crates: Vec<CrateName> },
    #[error("`{login}` cannot take over its own crates: name another user or team with `--to`")]
    Itself { login: String },
    /// An unknown one.
    #[error(transparent)]
    Successor(Box<ChangeRefusal>),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Inactive(#[from] Inactive),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// The names of crates for a message, of which there may be thousands.
pub fn listed(names: &[CrateName]) -> String {
    let shown: Vec<_> = names.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
    match names.len().saturating_sub(MAX_SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Refuses to take the rights of the last active admin, for which [`users::lock_all`] must be held: through the API,
/// nobody could administer the registry.
pub fn refuse_last_admin(connection: &mut PgConnection, user: &User) -> Result<(), RemovalError> {
    let is_active_admin = user.is_admin && user.state() == UserState::Active;
    if is_active_admin && !users::has_other_admin(connection, user.id)? {
        return Err(RemovalError::LastAdmin { login: user.login.clone() });
    }
    Ok(())
}

/// What a removal does about the tokens of CI jobs, which have a room above this one.
#[derive(Clone, Copy)]
pub struct CiTokens {
    /// Locks those that were issued for trusted publishers which the user has added: a publish locks its token first, too.
    pub lock: fn(&mut PgConnection, user: i32) -> QueryResult<()>,
    /// Revokes those for which no trusted publisher is left.
    pub revoke_orphans: fn(&mut PgConnection) -> QueryResult<()>,
}

/// Removes a user. The successors become owners of all the user's crates. None if the user was already removed.
pub fn remove(
    connection: &mut PgConnection,
    user: &User,
    successors: &[Owner],
    who: Administrator<'_>,
    ci_tokens: CiTokens,
) -> Result<Option<Removal>, RemovalError> {
    loop {
        let attempted =
            connection.transaction(|connection| attempt(connection, user.id, successors, (who, ci_tokens)))?;
        if let Attempt::Done(removal) = attempted {
            return Ok(removal);
        }
    }
}

enum Attempt {
    Done(Option<Removal>),
    /// The user became or ceased to be an owner, or was invited, while the locks were acquired. Nothing was changed.
    CratesChanged,
}

/// Locks the crates before the user's rights, in the order of all changes; `database/access/caller.rs` has the reasons.
fn attempt(
    connection: &mut PgConnection,
    id: i32,
    successors: &[Owner],
    (who, ci_tokens): (Administrator<'_>, CiTokens),
) -> Result<Attempt, RemovalError> {
    users::lock_all(connection)?;
    let before = (owners::crates_of(connection, id)?, invitations::crates_of(connection, id)?);
    let crates: Vec<i32> = before.0.iter().map(|(id, _)| *id).chain(before.1.iter().copied()).collect();
    crates::lock_all(connection, &crates)?;
    let operator = &who.confirm(connection)??;
    users::lock(connection, id)?;
    (ci_tokens.lock)(connection, id)?;
    let user = users::read_to_take(connection, id)?;
    let owned = owners::crates_of(connection, id)?;
    if (&owned, &invitations::crates_of(connection, id)?) != (&before.0, &before.1) {
        return Ok(Attempt::CratesChanged);
    }
    if user.state() == UserState::Removed {
        return Ok(Attempt::Done(None));
    }
    refuse_last_admin(connection, &user)?;
    check_successors(connection, &user, successors)?;
    let crates: Vec<CrateName> = owned.iter().map(|(_, name)| name.clone()).collect();
    for (crate_id, name) in owned {
        hand_over(connection, &user, (crate_id, &name), successors, operator)?;
    }
    end_invitations(connection, &user, operator)?;
    let teams = leave_teams(connection, &user, operator)?;
    let (sessions, tokens): (Vec<_>, Vec<_>) =
        revocation::revoke_all(connection, user.id)?.into_iter().partition(|token| token.sign_in.is_some());
    passwords::remove(connection, user.id)?;
    links::revoke(connection, user.id)?;
    recipients::remove(connection, user.id)?;
    for token in &tokens {
        Event::new(Action::TokenRevoke).about(&token.name).detail(token.describe()).record(connection, operator)?;
    }
    // A pattern covers the crates of its user.
    let patterns = trusted_publishers::table
        .filter(trusted_publishers::created_by.eq(user.id))
        .filter(trusted_publishers::pattern.is_not_null());
    let patterns: Vec<(i32, Option<String>, serde_json::Value)> = diesel::delete(patterns)
        .returning((trusted_publishers::id, trusted_publishers::pattern, trusted_publishers::rule))
        .get_results(connection)?;
    for (id, pattern, rule) in &patterns {
        let event = Event::new(Action::PublisherRemove).detail(json!({ "id": id, "rule": rule, "covers": pattern }));
        event.about(pattern.as_deref().unwrap_or_default()).record(connection, operator)?;
    }
    (ci_tokens.revoke_orphans)(connection)?;
    users::mark_removed(connection, &user)?;
    let to: Vec<String> = successors.iter().map(Owner::login).collect();
    let detail = json!({ "tokens": tokens.len(), "sessions": sessions.len(), "crates": crates.len(), "teams": teams.len(), "to": to.join(", ") });
    Event::new(Action::UserRemove).about(&user.login).detail(detail).record(connection, operator)?;
    Ok(Attempt::Done(Some(Removal { tokens, teams, crates })))
}

/// Checks that each crate keeps an active user among its owners.
fn check_successors(connection: &mut PgConnection, user: &User, successors: &[Owner]) -> Result<(), RemovalError> {
    let mut has_user = false;
    for successor in successors {
        let Owner::User(successor) = successor else { continue };
        if successor.id == user.id {
            return Err(RemovalError::Itself { login: user.login.clone() });
        }
        users::read_to_give(connection, successor.id)?.check_active()?;
        has_user = true;
    }
    let crates = owners::crates_of_alone(connection, user.id)?;
    if has_user || crates.is_empty() {
        return Ok(());
    }
    Err(RemovalError::OnlyOwner { login: user.login.clone(), crates })
}

fn hand_over(
    connection: &mut PgConnection,
    user: &User,
    (crate_id, name): (i32, &CrateName),
    successors: &[Owner],
    operator: &Actor,
) -> Result<(), RemovalError> {
    for successor in successors {
        if successor.add_to(connection, crate_id)? {
            let login = successor.login();
            Event::new(Action::OwnerAdd).of_crate(name).about(&login).record(connection, operator)?;
        }
    }
    match Owner::User(user.clone()).remove_from(connection, crate_id)? {
        Removed::Done | Removed::WasNone => {}
        // Another owner was found above, or a successor was added, and the crate's row is locked.
        Removed::IsLast => {
            return Err(RemovalError::OnlyOwner { login: user.login.clone(), crates: vec![name.clone()] });
        }
    }
    Event::new(Action::OwnerRemove).of_crate(name).about(&user.login).record(connection, operator)?;
    Ok(())
}

/// Withdraws the invitations that the user has and has sent.
fn end_invitations(connection: &mut PgConnection, user: &User, operator: &Actor) -> QueryResult<()> {
    for of in [Of::Invitee(user.id), Of::Inviter(user.id)] {
        for pending in invitations::pending(connection, of)? {
            let event = Event::new(Action::OwnerInviteWithdraw).of_crate(&pending.crate_name).about(&pending.invitee);
            event.record(connection, operator)?;
        }
    }
    invitations::remove_of_user(connection, user.id)
}

fn leave_teams(connection: &mut PgConnection, user: &User, operator: &Actor) -> Result<Vec<String>, RemovalError> {
    let mut left = Vec::new();
    for team in teams::of_user(connection, user.id)? {
        teams::remove_member(connection, team.id, user.id)?;
        let event = Event::new(Action::TeamMemberRemove).about(&team.name);
        event.detail(json!({ "user": user.login })).record(connection, operator)?;
        left.push(team.name);
    }
    Ok(left)
}
