//! Connection poolers such as PgBouncer. In their mode `session` they change nothing. In the modes `transaction` and
//! `statement` each transaction gets another session: locks of the queue would be lost or belong to other clients, notifications
//! would not arrive, and prepared statements would be missing or there twice.

use super::CommandError;
use crate::postgres::session::{Session, SessionError};
use crate::postgres::url::without_secrets;

/// How often two connections ask for their sessions.
const ROUNDS: usize = 4;

/// Refuses an address at which two open connections take turns in the same session.
pub fn refuse_shared_sessions(database_url: &str) -> Result<(), CommandError> {
    if !are_sessions_shared(database_url)? {
        return Ok(());
    }
    Err(CommandError::new(format!(
        "the database at {} is behind a connection pooler that gives each transaction another session, and supercargo needs \
         sessions of its own, for locks, notifications and prepared statements: set `pool_mode = session` for this database \
         (PgBouncer), or use the address of PostgreSQL itself",
        without_secrets(database_url)
    )))
}

/// Neither connection is in a transaction, so a pooler of transactions has no session that belongs to one of them: the
/// second gets the one that the first has just used.
fn are_sessions_shared(database_url: &str) -> Result<bool, SessionError> {
    let mut connections = [Session::connect(database_url)?, Session::connect(database_url)?];
    let mut seen: [Option<String>; 2] = [None, None];
    for _ in 0..ROUNDS {
        for (connection, seen) in connections.iter_mut().zip(&mut seen) {
            let rows = connection.query("SELECT pg_backend_pid()")?;
            let session = rows.into_iter().next().and_then(|mut row| row.pop().flatten());
            if seen.is_some() && *seen != session {
                return Ok(true);
            }
            *seen = session;
        }
        if seen[0] == seen[1] {
            return Ok(true);
        }
    }
    Ok(false)
}
