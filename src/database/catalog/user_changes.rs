//! What admins and operators change about a user, each with its entry in the audit log and in the transaction of the caller, which has
//! locked [all users](users::lock_all) first.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;
use strum::VariantNames;

use super::owners;
use super::user_removal::{RemovalError, refuse_last_admin};
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::role::Role;
use crate::database::access::tokens::Token;
use crate::database::access::users::{self, CreateUserError, User, UserState};
use crate::database::access::{revocation, sessions, tokens};
use crate::database::sign_in::identities;
use crate::database::sign_in::links::{self, CreateLinkError, LinkSecret};
use crate::database::sign_in::passwords;
use crate::package::CrateName;

/// What a user is to be: an admin, or a user with a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    Admin,
    Of(Role),
}

/// The word for admins beside the roles.
pub const ADMIN: &str = "admin";

impl FromStr for Rank {
    type Err = UnknownRank;

    fn from_str(text: &str) -> Result<Self, UnknownRank> {
        if text == ADMIN {
            return Ok(Self::Admin);
        }
        text.parse().map(Self::Of).map_err(|_| UnknownRank(text.to_owned()))
    }
}

/// The text is neither `admin` nor a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role: use {ADMIN}, or one of {roles}", roles = Role::VARIANTS.join(", "))]
pub struct UnknownRank(String);

/// Creates a user without crates and tokens.
pub fn create(connection: &mut PgConnection, login: &str, actor: &Actor) -> Result<User, CreateUserError> {
    let user = users::create(connection, login, None)?;
    Event::new(Action::UserCreate).about(&user.login).record(connection, actor)?;
    Ok(user)
}

/// Makes an active user an admin, or one with a role; false if nothing changed. The last admin stays one.
pub fn set_rank(connection: &mut PgConnection, user: &User, rank: Rank, actor: &Actor) -> Result<bool, RemovalError> {
    user.check_active()?;
    let role = match rank {
        Rank::Admin => return Ok(set_admin(connection, user, true, actor)?),
        Rank::Of(role) => role,
    };
    refuse_last_admin(connection, user)?;
    let demoted = set_admin(connection, user, false, actor)?;
    Ok(set_role(connection, user, role, actor)? || demoted)
}

/// A user who was disabled.
pub struct Disabled {
    /// How many valid tokens are refused from now on.
    pub tokens: i64,
    /// Crates that no other active user owns.
    pub alone: Vec<CrateName>,
}

/// Disables a user; None if the user was not active.
pub fn disable(connection: &mut PgConnection, user: &User, actor: &Actor) -> Result<Option<Disabled>, RemovalError> {
    if user.state() != UserState::Active {
        return Ok(None);
    }
    refuse_last_admin(connection, user)?;
    users::disable(connection, user.id)?;
    links::revoke(connection, user.id)?;
    let tokens = tokens::count_valid(connection, user.id)?;
    Event::new(Action::UserDisable).about(&user.login).detail(json!({ "tokens": tokens })).record(connection, actor)?;
    Ok(Some(Disabled { tokens, alone: owners::crates_of_alone(connection, user.id)? }))
}

/// Makes a user active again, with so many valid tokens; None if the user is active.
pub fn enable(connection: &mut PgConnection, user: &User, actor: &Actor) -> QueryResult<Option<i64>> {
    if !users::enable(connection, user.id)? {
        return Ok(None);
    }
    let was = user.state().as_str();
    Event::new(Action::UserEnable).about(&user.login).detail(json!({ "was": was })).record(connection, actor)?;
    tokens::count_valid(connection, user.id).map(Some)
}

/// Makes a user an admin, who is a member then, or takes that away; false if nothing changed.
pub fn set_admin(connection: &mut PgConnection, user: &User, admin: bool, actor: &Actor) -> QueryResult<bool> {
    if admin {
        set_role(connection, user, Role::Member, actor)?;
    }
    let changed = users::set_admin(connection, user.id, admin)?;
    if changed && !admin {
        // Otherwise they would count again when the user becomes an admin again.
        let revoked = revocation::revoke_administering(connection, user.id)?;
        record_revocations(connection, &revoked, actor)?;
    }
    if changed {
        let action = if admin { Action::UserPromote } else { Action::UserDemote };
        Event::new(action).about(&user.login).record(connection, actor)?;
    }
    Ok(changed)
}

fn record_revocations(connection: &mut PgConnection, revoked: &[Token], actor: &Actor) -> QueryResult<()> {
    for token in revoked {
        Event::new(Action::TokenRevoke).about(&token.name).detail(token.describe()).record(connection, actor)?;
    }
    Ok(())
}

/// Gives a user who is no admin another role; false if nothing changed. A service account loses every way to sign in and its
/// sessions when it becomes one, and its tokens when it is one no longer.
pub fn set_role(connection: &mut PgConnection, user: &User, role: Role, actor: &Actor) -> QueryResult<bool> {
    let changed = users::set_role(connection, user.id, role)?;
    if changed && user.role == Role::Service {
        // Others have created them, and would have the rights of the person or the admin that it becomes.
        let revoked = revocation::revoke_all(connection, user.id)?;
        record_revocations(connection, &revoked, actor)?;
    }
    if changed && role == Role::Service {
        sessions::end_of_user(connection, user.id, None, None)?;
        links::revoke(connection, user.id)?;
        passwords::remove(connection, user.id)?;
        identities::remove_all(connection, user.id)?;
    }
    if changed {
        let detail = json!({ "role": role.as_str(), "was": user.role.as_str() });
        Event::new(Action::UserRole).about(&user.login).detail(detail).record(connection, actor)?;
    }
    Ok(changed)
}

/// Creates a link with which a user signs in once.
pub fn create_link(
    connection: &mut PgConnection,
    user: &User,
    expires_at: DateTime<Utc>,
    actor: &Actor,
) -> Result<LinkSecret, CreateLinkError> {
    if user.role == Role::Service {
        return Err(CreateLinkError::Service(user.login.clone()));
    }
    let secret = links::create(connection, user.id, expires_at)?;
    let detail = json!({ "expires_at": expires_at });
    Event::new(Action::SignInLink).about(&user.login).detail(detail).record(connection, actor)?;
    Ok(secret)
}

/// Ends all sessions of a user, and revokes a sign-in link; returns how many sessions.
pub fn sign_out(connection: &mut PgConnection, user: &User, actor: &Actor) -> QueryResult<usize> {
    users::lock(connection, user.id)?;
    let ended = sessions::end_of_user(connection, user.id, None, None)?;
    let had_link = links::revoke(connection, user.id)?;
    if ended > 0 || had_link {
        let detail = json!({ "sessions": ended, "sign_in_link": had_link });
        Event::new(Action::SessionEnd).about(&user.login).detail(detail).record(connection, actor)?;
    }
    Ok(ended)
}
