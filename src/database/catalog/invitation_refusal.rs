//! Why nothing is done about an invitation to own a crate.

use chrono::{DateTime, Utc};

use crate::database::access::role::Role;
use crate::package::CrateName;

/// The reason for which a user is not invited, or an invitation not answered. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationRefusal {
    #[error(
        "you have no invitation to own a crate with the number {0}: it was answered or withdrawn, or there was none; ask an owner of the \
         crate to invite you"
    )]
    Unknown(String),
    #[error(
        "the invitation to own the crate `{name}` expired on {date}: ask one of its owners to invite you again",
        date = .ended.format("%Y-%m-%d")
    )]
    Expired { name: CrateName, ended: DateTime<Utc> },
    #[error(
        "`{login}` has the role `{role}`, and cannot accept an invitation: ask an admin to change the role, or to add `{login}` to the \
         owners"
    )]
    Role { login: String, role: Role },
}
