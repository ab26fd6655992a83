//! The beginning of every change of a crate by a user: locks the crate's row and confirms the caller, in one statement.

use chrono::{DateTime, Utc};
use diesel::dsl::AsSelect;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Text, Timestamptz};

use super::crates::{self, Crate, Origin};
use crate::database::access::caller::{Authority, Caller, Denied};
use crate::database::access::tokens::Token;
use crate::database::access::users::{RIGHTS, User};
use crate::package::CrateName;
use crate::statement::{columns, statement};

/// A crate whose row is locked until the transaction ends, and its caller.
#[derive(Clone, Debug)]
pub struct LockedCrate {
    pub krate: Crate,
    pub created_at: DateTime<Utc>,
    pub origin: Origin,
    pub caller: Result<Authority, Denied>,
}

/// Finds and locks a crate, after creating it if the name is free, and confirms the caller. What depends on the lock must be
/// read by a later statement: this one may have waited, and statements read what was committed before they began.
pub fn ensure(connection: &mut PgConnection, name: &CrateName, caller: &Caller) -> QueryResult<LockedCrate> {
    const CREATED: &str = "
        created AS (
            INSERT INTO crates (name) SELECT name FROM asked WHERE NOT EXISTS (SELECT FROM found)
            ON CONFLICT DO NOTHING RETURNING *),
        locked AS MATERIALIZED (SELECT *, false AS is_new FROM found UNION ALL SELECT *, true FROM created)";
    match lock(connection, name, caller, CREATED)? {
        Some(locked) if locked.krate.deletion.frees_the_name() => revive(connection, locked),
        Some(locked) => Ok(locked),
        None => ensure_in_steps(connection, name, caller),
    }
}

/// Finds and locks a crate, which may be a deleted one, and confirms the caller. None if there is no such crate.
pub fn find(connection: &mut PgConnection, name: &CrateName, caller: &Caller) -> QueryResult<Option<LockedCrate>> {
    const FOUND: &str = "locked AS MATERIALIZED (SELECT *, false AS is_new FROM found)";
    if let Some(locked) = lock(connection, name, caller, FOUND)? {
        return Ok(Some(locked));
    }
    let Some(krate) = crates::find_and_lock(connection, name)? else { return Ok(None) };
    in_steps(connection, krate, Origin::Existing, caller).map(Some)
}

/// Its rows are joined in the order in which they must be locked: `rights` reads `locked`, and the rows of the user and of
/// the token are locked last, when the join has found them, with the values of that moment.
fn lock(
    connection: &mut PgConnection,
    name: &CrateName,
    caller: &Caller,
    locked: &str,
) -> QueryResult<Option<LockedCrate>> {
    type Row = (Crate, DateTime<Utc>, bool, User, Token, DateTime<Utc>);
    type Columns = (AsSelect<Crate, Pg>, Timestamptz, Bool, AsSelect<User, Pg>, AsSelect<Token, Pg>, Timestamptz);
    let row: Option<Row> = statement(format!(
        "WITH asked AS MATERIALIZED (
             SELECT $1 AS name, $2 AS canonical_name, $3 AS rights, $4 AS user_id, $5 AS token_id),
         found AS MATERIALIZED (
             SELECT crates.* FROM asked JOIN crates ON crates.canonical_name = asked.canonical_name
             FOR NO KEY UPDATE OF crates),
         {locked},
         rights AS MATERIALIZED (
             SELECT pg_advisory_xact_lock_shared(asked.rights, asked.user_id)::text FROM locked, asked)
         SELECT {krate}, crates.created_at, crates.is_new, {user}, {token}, clock_timestamp()
         FROM locked AS crates CROSS JOIN rights CROSS JOIN asked
         JOIN users ON users.id = asked.user_id
         JOIN api_tokens ON api_tokens.id = asked.token_id AND api_tokens.user_id = users.id
         FOR SHARE OF users, api_tokens",
        krate = columns::<Crate>(),
        user = columns::<User>(),
        token = columns::<Token>(),
    ))
    .bind::<Text, _>(name)
    .bind::<Text, _>(name.canonical())
    .bind::<Integer, _>(RIGHTS)
    .bind::<Integer, _>(caller.user.id)
    .bind::<Integer, _>(caller.token.id)
    .returning::<Columns>()
    .get_result(connection)
    .optional()?;
    Ok(row.map(|(krate, created_at, is_new, user, token, now)| LockedCrate {
        krate,
        created_at,
        origin: if is_new { Origin::Created } else { Origin::Existing },
        caller: caller.confirmed(Some((user, token, now))),
    }))
}

/// The statement finds nothing if another transaction has created the crate meanwhile, or if the token is gone.
fn ensure_in_steps(connection: &mut PgConnection, name: &CrateName, caller: &Caller) -> QueryResult<LockedCrate> {
    let (krate, origin) = crates::ensure_and_lock(connection, name)?;
    in_steps(connection, krate, origin, caller)
}

fn in_steps(connection: &mut PgConnection, krate: Crate, origin: Origin, caller: &Caller) -> QueryResult<LockedCrate> {
    let created_at = super::crate_deletion::created_at(connection, krate.id)?;
    Ok(LockedCrate { krate, created_at, origin, caller: caller.confirm(connection)? })
}

fn revive(connection: &mut PgConnection, mut locked: LockedCrate) -> QueryResult<LockedCrate> {
    locked.krate.deletion = super::crate_deletion::revive(connection, locked.krate.id)?;
    locked.created_at = super::crate_deletion::created_at(connection, locked.krate.id)?;
    locked.origin = Origin::Revived;
    Ok(locked)
}
