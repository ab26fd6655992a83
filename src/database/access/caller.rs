//! The caller of a request: a user, authenticated by a token.
//!
//! A [`Caller`] is the result of the authentication when the head of the request arrived. That suffices to read, and to
//! refuse early. It does not suffice for a change: the body may take minutes, and the request may wait for a lock, and
//! meanwhile the token is revoked or expires, or the user is no longer an admin. So the transaction of every change calls
//! [`Caller::confirm`], which reads the token and its user again, locks both until the commit, and returns an [`Authority`].
//! Only an `Authority` gives an [`Actor`], and without an `Actor` there is no entry in the audit log.
//!
//! Locks are acquired in this order, so that they cannot deadlock: the crate's row, the lock of the user's rights
//! ([`users::lock`](super::users::lock)), the user's row, the token's row. Whatever removes a right from a user (a revocation,
//! a demotion, the end of a membership in a team) acquires the lock of the rights exclusively, and so waits for changes that
//! have begun, and is visible to those that begin later. Removing an owner does the same with the crate's row.
//! [`catalog::locked_crate`](crate::database::catalog::locked_crate) acquires them all in one statement.
//!
//! Row locks alone would be correct but not sufficient: PostgreSQL lets a share lock overtake an exclusive one that waits,
//! so a stolen token that is used by many requests at once could delay its own revocation (measured: by 12 s with 16
//! clients). An advisory lock has a queue.

use std::ops::Deref;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Timestamptz};

use super::audit::Actor;
use super::role::Role;
use super::scope::Scope;
use super::tokens::Token;
use super::users::{RIGHTS, User, UserState};
use crate::client_connection::ClientConnection;
use crate::database::schema::{api_tokens, users};
use crate::package::CrateName;

/// An authenticated user, with user and token as they were at that moment.
#[derive(Clone, Debug)]
pub struct Caller {
    pub user: User,
    pub token: Token,
    /// The client's address, if known.
    pub address: Option<String>,
    /// The request's id in the log.
    pub request_id: Option<String>,
    /// Whether the client still waits for the answer.
    pub connection: ClientConnection,
    /// When the user of a session last proved to be that user. None for a token that was sent.
    pub proven_at: Option<DateTime<Utc>>,
}

/// How long a proof of the user suffices for what is dangerous.
pub const PROOF_LASTS: TimeDelta = TimeDelta::minutes(10);

/// Why the token does not permit a request. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error(
        "the token `{token}` needs the scope {needed}, and has {given}: create a token with that scope, or one without \
         restrictions"
    )]
    Scope { token: String, needed: String, given: String },
    #[error(
        "the token `{token}` may only stage versions: publish into a release set, with the index sparse+…/stage/SET/index/, or with a \
         token that may publish"
    )]
    OnlyStages { token: String },
    #[error(
        "the token `{token}` is restricted to {patterns} and not valid for the crate `{name}`: create a token for this \
         crate, or one without restrictions"
    )]
    Crate { token: String, name: CrateName, patterns: String },
    #[error(
        "the token `{token}` is of trusted publishers of {patterns}, and not of the crate `{name}`: have an owner of that crate add \
         the workflow as a trusted publisher, and request a new ID token"
    )]
    MachineCrate { token: String, name: CrateName, patterns: String },
    #[error(
        "the token `{token}` is of a trusted publisher, and has only the scopes {given}; this needs the scope {needed}: use the \
         token of a user"
    )]
    MachineScope { token: String, needed: String, given: String },
    #[error("the token `{token}` is restricted to {to}: use a token without restrictions")]
    Restricted { token: String, to: String },
    #[error(
        "the user `{login}` has the role `{role}`, and may only read: an admin can give another role, with `supercargo admin user role \
         {login} member`"
    )]
    Role { login: String, role: Role },
    #[error(
        "this session began with a token, which does not suffice for this: sign in with a password, an identity provider or a sign-in link. \
         An operator prints one with `supercargo admin user sign-in-link {login}`"
    )]
    Token { login: String },
    #[error(
        "the token `{token}` may not change users, teams and names: that needs the scope administer, which tokens without restrictions do \
         not have. An operator creates one with `supercargo admin token create --user {login} --scope administer`, and an admin on the page \
         /me/tokens/new"
    )]
    Administers { token: String, login: String },
    #[error(
        "the token `{token}` is restricted to {patterns}, and administers nothing: create one with the scope administer that is not \
         restricted to crates"
    )]
    AdministersCrates { token: String, patterns: String },
    #[error(
        "tokens with the scope administer are created by an operator, with `supercargo admin token create`, or on the page /me/tokens/new \
         by an admin who has just signed in"
    )]
    MakesAdminister,
    #[error("`{login}` is not an admin of this registry: `supercargo admin user promote {login}` makes one")]
    NotAdmin { login: String },
    #[error(
        "the token `{token}` expires on {ends}, and cannot create a token that is valid longer: give an earlier end"
    )]
    OutlivesMaker { token: String, ends: DateTime<Utc> },
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
    #[error(
        "the user `{login}` was {} before the request was complete, and nothing was changed: the operator of this \
         registry can undo that with `supercargo admin user enable {login}`", .state.as_str()
    )]
    Inactive { login: String, state: UserState },
}

/// A [`Caller`] whose token stays valid, and whose user keeps the rights that are read here, until the transaction ends.
///
/// Only [`Caller::confirm`], [`Caller::confirm_alone`] and
/// [`locked_crate`](crate::database::catalog::locked_crate) create one.
#[derive(Clone, Debug)]
pub struct Authority(Caller);

impl Deref for Authority {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Authority {
    fn may_change(self) -> Result<Self, Denied> {
        self.has_role_to_change().map(|()| self)
    }

    /// The author of the change, for the audit log.
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

/// The author of a version that another user approves: the user who staged it.
pub fn stager(user: i32, login: &str, address: Option<&str>, approval: &Actor) -> Actor {
    Actor {
        name: login.to_owned(),
        user_id: Some(user),
        token: None,
        address: address.map(str::to_owned),
        request_id: approval.request_id.clone(),
    }
}

/// The user of a token that is used to begin or end something of its own: a machine user whose ID token is exchanged, or somebody who
/// signs in or out.
pub fn of_token(user: &User, token: &Token, (address, request_id): (Option<String>, Option<String>)) -> Actor {
    let token = Some((token.id, token.name.clone()));
    Actor { name: user.login.clone(), user_id: Some(user.id), token, address, request_id }
}

#[derive(Clone, Copy)]
enum Locks {
    Shared,
    Exclusive,
}

impl Caller {
    /// Reads token and user again and locks them until the end of the transaction. Required for every change; a change of a
    /// crate locks the crate's row first. Rights are checked on the result.
    pub fn confirm(&self, connection: &mut PgConnection) -> QueryResult<Result<Authority, Denied>> {
        Ok(self.read_again(connection, Locks::Shared)?.and_then(Authority::may_change))
    }

    /// [Confirms](Self::confirm) with exclusive locks, for changes of the user's tokens and sign-in, which run one at a time. Every
    /// role may change these.
    pub fn confirm_alone(&self, connection: &mut PgConnection) -> QueryResult<Result<Authority, Denied>> {
        self.read_again(connection, Locks::Exclusive)
    }

    /// Runs one statement. Its condition on the lock of the rights names no column, so it is evaluated before any row is read.
    /// The rows are then locked in the order of the tables, and have the values of that moment, not those of the
    /// statement's beginning.
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
        Ok(self.still_valid(found))
    }

    /// Judges what was read again, and is locked, for a change of something else than the user.
    pub(in crate::database) fn confirmed(
        &self,
        found: Option<(User, Token, DateTime<Utc>)>,
    ) -> Result<Authority, Denied> {
        self.still_valid(found).and_then(Authority::may_change)
    }

    fn still_valid(&self, found: Option<(User, Token, DateTime<Utc>)>) -> Result<Authority, Denied> {
        let revoked = || Denied::Revoked { token: self.token.name.clone() };
        let (user, token, now) = found.ok_or_else(revoked)?;
        match user.state() {
            UserState::Active => {}
            state => return Err(Denied::Inactive { login: user.login, state }),
        }
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
    /// Checks that the token permits an action on a crate.
    pub fn may(&self, scope: Scope, name: &CrateName) -> Result<(), Denied> {
        self.has_one_of(&[scope], scope.as_str())?;
        self.covers(name)
    }

    /// Checks that the user's role allows changes.
    fn has_role_to_change(&self) -> Result<(), Denied> {
        let User { login, role, .. } = &self.user;
        if role.changes() { Ok(()) } else { Err(Denied::Role { login: login.clone(), role: *role }) }
    }

    /// Checks that the token has one of these scopes. `needed` names those that suffice.
    pub fn has_one_of(&self, scopes: &[Scope], needed: &str) -> Result<(), Denied> {
        self.has_role_to_change()?;
        let token = &self.token;
        match &token.scopes {
            Some(given) if !given.0.iter().any(|scope| scopes.contains(scope)) => {
                let (token_name, needed, given) = (token.name.clone(), needed.to_owned(), given.to_string());
                Err(match token.trusted {
                    Some(_) => Denied::MachineScope { token: token_name, needed, given },
                    None => Denied::Scope { token: token_name, needed, given },
                })
            }
            _ => Ok(()),
        }
    }

    /// Checks that the token is not restricted to other crates.
    pub fn covers(&self, name: &CrateName) -> Result<(), Denied> {
        let token = &self.token;
        match &token.crate_patterns {
            Some(patterns) if !patterns.0.iter().any(|pattern| pattern.matches(name)) => {
                let (token_name, name, patterns) = (token.name.clone(), name.clone(), patterns.to_string());
                Err(match token.trusted {
                    Some(_) => Denied::MachineCrate { token: token_name, name, patterns },
                    None => Denied::Crate { token: token_name, name, patterns },
                })
            }
            _ => Ok(()),
        }
    }

    /// Checks that the token has no restrictions, as is required for changing tokens.
    pub fn unrestricted(&self) -> Result<(), Denied> {
        let scopes = self.token.scopes.as_ref().map(ToString::to_string);
        let patterns = self.token.crate_patterns.as_ref().map(ToString::to_string);
        let to: Vec<_> = scopes.into_iter().chain(patterns).collect();
        if to.is_empty() {
            return Ok(());
        }
        Err(Denied::Restricted { token: self.token.name.clone(), to: to.join(" of ") })
    }

    /// Checks that the user is an admin and the token has no restrictions.
    pub fn admin(&self) -> Result<(), Denied> {
        if !self.user.is_admin {
            return Err(Denied::NotAdmin { login: self.user.login.clone() });
        }
        self.unrestricted()
    }

    fn has_administer(&self) -> bool {
        self.token.scopes.as_ref().is_some_and(|scopes| scopes.0.contains(&Scope::Administer))
    }

    /// Checks that the user is an admin who may change users, teams and names: somebody who has signed in without a token, or a
    /// program whose token has the scope for it and is not restricted to crates.
    pub fn administrator(&self) -> Result<(), Denied> {
        if self.is_person() {
            return self.admin();
        }
        if self.has_administer() {
            return self.sees_administration();
        }
        if !self.user.is_admin {
            return Err(Denied::NotAdmin { login: self.user.login.clone() });
        }
        Err(Denied::Administers { token: self.token.name.clone(), login: self.user.login.clone() })
    }

    /// Checks that the user is an admin who may see what [`administrator`](Self::administrator)s change.
    pub fn sees_administration(&self) -> Result<(), Denied> {
        let token = &self.token;
        match &token.crate_patterns {
            _ if !self.user.is_admin => Err(Denied::NotAdmin { login: self.user.login.clone() }),
            Some(patterns) if self.has_administer() => {
                Err(Denied::AdministersCrates { token: token.name.clone(), patterns: patterns.to_string() })
            }
            _ if self.has_administer() => Ok(()),
            _ => self.unrestricted(),
        }
    }

    /// Checks that the caller may create a token with these scopes: one that administers is created by a person who has just
    /// proved to be the user, so that no other token leads to it.
    pub fn may_make_scopes(&self, scopes: Option<&[Scope]>) -> Result<(), Denied> {
        let administers = scopes.is_some_and(|scopes| scopes.contains(&Scope::Administer));
        match administers {
            true if !self.user.is_admin => Err(Denied::NotAdmin { login: self.user.login.clone() }),
            true if !self.is_person() || !self.is_proven() => Err(Denied::MakesAdminister),
            _ => Ok(()),
        }
    }

    /// Whether [`admin`](Self::admin) succeeds.
    pub fn is_admin(&self) -> bool {
        self.admin().is_ok()
    }

    /// Checks that the user may read the audit log.
    pub fn auditor(&self) -> Result<(), Denied> {
        if self.user.role == Role::Auditor { self.unrestricted() } else { self.sees_administration() }
    }

    /// Whether the user has signed in without a token: somebody who has found a token does not become the user by it.
    pub fn is_person(&self) -> bool {
        self.token.sign_in.is_some()
    }

    /// Checks that.
    pub fn person(&self) -> Result<(), Denied> {
        if self.is_person() { Ok(()) } else { Err(Denied::Token { login: self.user.login.clone() }) }
    }

    /// Whether the user of a session has proved a short time ago to be that user.
    pub fn is_proven(&self) -> bool {
        self.proven_at.is_some_and(|at| Utc::now() - at < PROOF_LASTS)
    }

    /// Checks that the token may create one with this end. A token cannot create one that outlives it, or its own end would
    /// mean nothing. The token of a session can: it was issued to a person, who signed in.
    pub fn may_make_token_until(&self, end: Option<DateTime<Utc>>) -> Result<(), Denied> {
        self.unrestricted()?;
        match self.token.expires_at.filter(|_| self.token.sign_in.is_none()) {
            Some(own) if end.is_none_or(|end| end > own) => {
                Err(Denied::OutlivesMaker { token: self.token.name.clone(), ends: own })
            }
            _ => Ok(()),
        }
    }
}
