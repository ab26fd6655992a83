//! Removing a user who leaves, for operators and admins.

use diesel::PgConnection;

use crate::database::access::administrator::Administrator;
use crate::database::access::users::User;
use crate::database::catalog::owners::Owner;
use crate::database::catalog::ownership::unknown;
use crate::database::catalog::user_removal::{self, CiTokens, Removal, RemovalError};
use crate::database::publishers::configurations;

/// Finds those who become owners of the user's crates: logins, and teams as `team:NAME`.
pub fn successors(connection: &mut PgConnection, logins: &[String]) -> Result<Vec<Owner>, RemovalError> {
    let mut found: Vec<Owner> = Vec::new();
    for login in logins {
        let owner = Owner::find(connection, login)?;
        let owner = owner.ok_or_else(|| RemovalError::Successor(Box::new(unknown(login))))?;
        if found.iter().all(|earlier| earlier.login() != owner.login()) {
            found.push(owner);
        }
    }
    Ok(found)
}

/// Removes a user, in one transaction with the tokens of CI jobs for which no trusted publisher is left. None if the user was already
/// removed.
pub fn remove(
    connection: &mut PgConnection,
    user: &User,
    successors: &[Owner],
    who: Administrator<'_>,
) -> Result<Option<Removal>, RemovalError> {
    let ci_tokens = CiTokens {
        lock: |connection, user| {
            let publishers = configurations::ids_added_by(connection, user)?;
            configurations::lock_tokens(connection, &publishers).map(drop)
        },
        revoke_orphans: |connection| configurations::revoke_orphans(connection).map(drop),
    };
    user_removal::remove(connection, user, successors, who, ci_tokens)
}
