//! Who asks for a change: a user, with the token that says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};

use super::audit::Actor;
use super::scope::Scope;
use super::tokens::Token;
use super::users::User;
use crate::package::CrateName;

/// Somebody who was authenticated.
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
