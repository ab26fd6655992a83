//! Who makes a change that only admins and operators make.

use diesel::prelude::*;

use super::audit::Actor;
use super::caller::{Caller, Denied};

/// An admin on a page or with a token for it, or an operator at the command line.
#[derive(Clone, Copy)]
pub enum Administrator<'a> {
    Admin(&'a Caller),
    Operator(&'a Actor),
}

impl Administrator<'_> {
    /// The author of a change, in its transaction: an admin is confirmed, and has to be [allowed](Caller::administrator) it. Locks
    /// of crates and of all users are acquired before, those of other users afterwards.
    pub fn confirm(self, connection: &mut PgConnection) -> QueryResult<Result<Actor, Denied>> {
        let caller = match self {
            Self::Operator(actor) => return Ok(Ok(actor.clone())),
            Self::Admin(caller) => caller,
        };
        let confirmed = caller.confirm(connection)?;
        Ok(confirmed.and_then(|authority| {
            authority.administrator()?;
            Ok(authority.actor())
        }))
    }
}
