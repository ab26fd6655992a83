//! Who sends a request: a user, with the token that says so.
//!
//! A [`Caller`] is what authentication found when the head of the request arrived. That is good enough to read, and to refuse
//! early. It is not good enough for a change: the body may take minutes, and the request may wait for a lock, and meanwhile the
//! token is revoked or expires, or the user is no longer an admin. So the transaction of every change calls
//! [`Caller::confirm`], which reads the token and its user again, locks both until the commit, and returns an [`Authority`].
//! Only an `Authority` gives an [`Actor`], and without an `Actor` there is no entry in the audit log.
//!
//! Locks are taken in this order, so that they cannot deadlock: the crate's row, the lock of the user's rights
//! ([`users::lock`](super::users::lock)), the user's row, the token's row. Whatever takes a right from a user (a revocation, a
//! demotion, the end of a membership in a team) takes the lock of the rights exclusively, and so waits for changes that have
//! begun, and is seen by those that begin later. Removing an owner does the same with the crate's row.
//!
//! Locks of the rows alone would be correct and not enough: PostgreSQL lets a share lock pass an exclusive one that waits,
//! so a stolen token that is used by many requests at once could put its own revocation off (measured: by 12 s with 16
//! clients). An advisory lock has a queue.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Timestamptz};

use super::audit::Actor;
use super::scope::Scope;
use super::tokens::Token;
use super::users::{RIGHTS, User};
use crate::database::schema::{api_tokens, users};
use crate::package::CrateName;

/// Somebody who was authenticated, as token and user were at that moment.
#[derive(Clone, Debug)]
pub struct Caller {
    pub user: User,
    pub token: Token,
    /// Where the request came from, if that is known.
    pub address: Option<String>,
    /// What the request is called in the log.
    pub request_id: Option<String>,
    /// Whether the caller still waits for the answer.
    pub line: Line,
}

/// The connection to whoever asked. A request that nobody waits for any more is not carried out: its client takes it for
/// failed, and may have asked for the opposite since.
#[derive(Clone, Debug, Default)]
pub struct Line(Arc<AtomicBool>);

impl Line {
    /// Nobody will hear the answer.
    pub fn cut(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_cut(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The token is not good for this. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error(
        "the token `{token}` may not do this: it needs the scope {needed}, and has {given}. Make a token with that scope, \
         or one without restriction"
    )]
    Scope { token: String, needed: Scope, given: String },
    #[error(
        "the token `{token}` is not for the crate `{name}`: it is restricted to {patterns}. Make a token for this crate, \
         or one without restriction"
    )]
    Crate { token: String, name: CrateName, patterns: String },
    #[error("this needs a token without restrictions, and `{token}` is restricted to {to}")]
    Restricted { token: String, to: String },
    #[error("`{login}` is not an admin of this registry: `supercargo admin user promote {login}` makes one")]
    NotAdmin { login: String },
    #[error("the token `{token}` ends on {ends}, so it can make no token that lives longer: give an earlier end")]
    OutlivesMaker { token: String, ends: DateTime<Utc> },
    #[error("the client closed the connection before this was carried out, and so it was not")]
    HungUp,
    #[error(
        "the token `{token}` was revoked before the request was complete, and nothing was changed: send it again with another \
         token"
    )]
    Revoked { token: String },
    #[error(
        "the token `{token}` expired on {} before the request was complete, and nothing was changed: send it again with \
         another token", .ended.format("%Y-%m-%d at %H:%M UTC")
    )]
    Expired { token: String, ended: DateTime<Utc> },
}

/// A [`Caller`] whose token is valid and whose user has the rights that are read here, until the transaction ends.
///
/// Nothing but [`Caller::confirm`] and [`Caller::confirm_alone`] makes one.
#[derive(Clone, Debug)]
pub struct Authority(Caller);

impl Deref for Authority {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Authority {
    /// Who made the change, for the audit log.
    pub fn actor(&self) -> Actor {
        Actor {
            name: self.user.login.clone(),
            user_id: Some(self.user.id),
            token: Some((self.token.id, self.token.name.clone())),
            address: self.address.clone(),
            request_id: self.request_id.clone(),
        }
    }
}

#[derive(Clone, Copy)]
enum Locks {
    Shared,
    Exclusive,
}

impl Caller {
    /// Reads token and user again and locks them until the end of the transaction: for every change, after the crate's row
    /// was locked if the change is of a crate. Every right is checked on the result.
    pub fn confirm(&self, connection: &mut PgConnection) -> QueryResult<Result<Authority, Denied>> {
        self.read_again(connection, Locks::Shared)
    }

    /// The same for changes of the user's tokens, which happen one at a time.
    pub fn confirm_alone(&self, connection: &mut PgConnection) -> QueryResult<Result<Authority, Denied>> {
        self.read_again(connection, Locks::Exclusive)
    }

    /// One statement. Its condition on the lock of the rights names no column, so it is evaluated before any row is read. The
    /// rows are then locked in the order of the tables, and are what they are at that moment, not what they were when the
    /// statement began.
    fn read_again(&self, connection: &mut PgConnection, locks: Locks) -> QueryResult<Result<Authority, Denied>> {
        let lock_of_rights = match locks {
            Locks::Shared => "(SELECT pg_advisory_xact_lock_shared(",
            Locks::Exclusive => "(SELECT pg_advisory_xact_lock(",
        };
        let locked = sql::<Bool>(lock_of_rights)
            .bind::<Integer, _>(RIGHTS)
            .sql(", ")
            .bind::<Integer, _>(self.user.id)
            .sql(")::text) IS NOT NULL");
        let query = users::table
            .inner_join(api_tokens::table)
            .filter(locked)
            .filter(api_tokens::id.eq(self.token.id))
            .select((User::as_select(), Token::as_select(), sql::<Timestamptz>("clock_timestamp()")));
        let found = match locks {
            Locks::Shared => query.for_share().first(connection).optional()?,
            Locks::Exclusive => query.for_no_key_update().first(connection).optional()?,
        };
        Ok(self.confirmed(found))
    }

    fn confirmed(&self, found: Option<(User, Token, DateTime<Utc>)>) -> Result<Authority, Denied> {
        let revoked = || Denied::Revoked { token: self.token.name.clone() };
        let (user, token, now) = found.ok_or_else(revoked)?;
        if token.revoked_at.is_some() {
            return Err(revoked());
        }
        match token.expires_at {
            Some(ended) if ended <= now => Err(Denied::Expired { token: token.name, ended }),
            _ => Ok(Authority(Self { user, token, ..self.clone() })),
        }
    }
}

impl Caller {
    /// Whether the token is good for an action on a crate.
    pub fn may(&self, scope: Scope, name: &CrateName) -> Result<(), Denied> {
        let token = &self.token;
        if let Some(scopes) = token.scopes.as_ref().filter(|scopes| !scopes.0.contains(&scope)) {
            return Err(Denied::Scope { token: token.name.clone(), needed: scope, given: scopes.to_string() });
        }
        match &token.crate_patterns {
            Some(patterns) if !patterns.0.iter().any(|pattern| pattern.matches(name)) => {
                Err(Denied::Crate { token: token.name.clone(), name: name.clone(), patterns: patterns.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Whether the caller waits. Asked last before a change commits.
    pub fn waits(&self) -> Result<(), Denied> {
        if self.line.is_cut() { Err(Denied::HungUp) } else { Ok(()) }
    }

    /// Whether the token stands for its user without restriction, as is asked of whoever changes tokens.
    pub fn unrestricted(&self) -> Result<(), Denied> {
        let scopes = self.token.scopes.as_ref().map(ToString::to_string);
        let patterns = self.token.crate_patterns.as_ref().map(ToString::to_string);
        let to: Vec<_> = scopes.into_iter().chain(patterns).collect();
        if to.is_empty() {
            return Ok(());
        }
        Err(Denied::Restricted { token: self.token.name.clone(), to: to.join(" of ") })
    }

    /// Whether an admin asks, with a token that stands for all that the user may do.
    pub fn admin(&self) -> Result<(), Denied> {
        if !self.user.is_admin {
            return Err(Denied::NotAdmin { login: self.user.login.clone() });
        }
        self.unrestricted()
    }

    /// The same for where it makes a difference and no error.
    pub fn is_admin(&self) -> bool {
        self.admin().is_ok()
    }

    /// A token can't make one that outlives it, or its end would mean nothing.
    pub fn may_make_token_until(&self, end: Option<DateTime<Utc>>) -> Result<(), Denied> {
        self.unrestricted()?;
        match self.token.expires_at {
            Some(own) if end.is_none_or(|end| end > own) => {
                Err(Denied::OutlivesMaker { token: self.token.name.clone(), ends: own })
            }
            _ => Ok(()),
        }
    }
}
