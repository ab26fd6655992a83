//! Who sees and changes which webhooks.

use diesel::PgConnection;

use crate::database::access::audit::Actor;
use crate::database::access::caller::Caller;
use crate::database::access::scope::Scope;
use crate::database::access::teams;
use crate::database::catalog::crates::Crate;
use crate::database::catalog::refusal::{self, check_full_owner, lock_crate};
use crate::database::catalog::webhook_refusal::WebhookRefusal;
use crate::database::webhooks::endpoints::Subject;
use crate::jobs::request::RequestError;

/// Who changes a webhook.
#[derive(Clone, Copy)]
pub enum Who<'a> {
    User(&'a Caller),
    Operator(&'a Actor),
}

/// Checks that a token may do anything with webhooks.
pub fn check_may_configure(caller: &Caller) -> Result<(), RequestError> {
    Ok(caller.has_one_of(&[Scope::ChangeOwners], Scope::ChangeOwners.as_str())?)
}

impl Who<'_> {
    /// Checks that a webhook of this may be changed, in the transaction of the change. The row of its crate is locked.
    pub(super) fn confirm(self, connection: &mut PgConnection, subject: &Subject) -> Result<Actor, RequestError> {
        let krate = match subject {
            Subject::Crate { name, .. } => Some(lock_crate(connection, name)??),
            _ => None,
        };
        match self {
            Self::Operator(actor) => Ok(actor.clone()),
            Self::User(caller) => {
                let authority = caller.confirm(connection)??;
                check(connection, subject, krate.as_ref(), &authority)?;
                Ok(authority.actor())
            }
        }
    }

    pub(super) fn user(self) -> Option<i32> {
        match self {
            Self::User(caller) => Some(caller.user.id),
            Self::Operator(_) => None,
        }
    }

    /// Checks that this may be seen.
    pub(super) fn check_sees(self, connection: &mut PgConnection, subject: &Subject) -> Result<(), RequestError> {
        let Self::User(caller) = self else { return Ok(()) };
        let krate = match subject {
            Subject::Crate { name, .. } => Some(refusal::find_crate(connection, name)??),
            _ => None,
        };
        check(connection, subject, krate.as_ref(), caller)
    }
}

/// Owners have the webhooks of their crates, members those of their teams, and admins all.
fn check(
    connection: &mut PgConnection,
    subject: &Subject,
    krate: Option<&Crate>,
    caller: &Caller,
) -> Result<(), RequestError> {
    check_may_configure(caller)?;
    match (subject, krate) {
        (Subject::Crate { .. }, Some(krate)) => {
            caller.covers(&krate.name)?;
            if !caller.is_admin() {
                check_full_owner(connection, krate, &caller.user)??;
            }
        }
        (Subject::Team { name, id }, _) if !caller.is_admin() => {
            caller.unrestricted()?;
            if !teams::of_user(connection, caller.user.id)?.iter().any(|team| team.id == *id) {
                return Err(WebhookRefusal::NotMember { login: caller.user.login.clone(), team: name.clone() }.into());
            }
        }
        _ if !caller.user.is_admin => {
            return Err(WebhookRefusal::OnlyAdmins { login: caller.user.login.clone() }.into());
        }
        _ => caller.admin()?,
    }
    Ok(())
}
