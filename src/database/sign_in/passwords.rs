//! The hashes of passwords. A user has one password, or none.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;

use crate::database::schema::passwords;
use crate::password::Hash;

/// The hash of a user's password.
pub fn hash_of(connection: &mut PgConnection, user: i32) -> QueryResult<Option<Hash>> {
    let stored: Option<String> = passwords::table.find(user).select(passwords::hash).first(connection).optional()?;
    Ok(stored.map(Hash::stored))
}

/// When a user's password was set; None if there is none.
pub fn set_at(connection: &mut PgConnection, user: i32) -> QueryResult<Option<DateTime<Utc>>> {
    passwords::table.find(user).select(passwords::changed_at).first(connection).optional()
}

/// The users who have passwords.
pub fn users(connection: &mut PgConnection) -> QueryResult<Vec<i32>> {
    passwords::table.select(passwords::user_id).load(connection)
}

/// Sets the password of a user.
pub fn set(connection: &mut PgConnection, user: i32, hash: &Hash) -> QueryResult<()> {
    diesel::insert_into(passwords::table)
        .values((passwords::user_id.eq(user), passwords::hash.eq(hash.as_str())))
        .on_conflict(passwords::user_id)
        .do_update()
        .set((passwords::hash.eq(hash.as_str()), passwords::changed_at.eq(now)))
        .execute(connection)
        .map(drop)
}

/// Removes the password of a user; false if there was none.
pub fn remove(connection: &mut PgConnection, user: i32) -> QueryResult<bool> {
    diesel::delete(passwords::table.find(user)).execute(connection).map(|removed| removed > 0)
}
