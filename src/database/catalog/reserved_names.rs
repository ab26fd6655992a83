//! Crate names that an operator has reserved, in addition to the built-in ones.

use diesel::prelude::*;

use crate::database::schema::reserved_names;
use crate::package::CrateName;

/// Reserves a name, or changes the reason of its reservation.
pub fn reserve(connection: &mut PgConnection, name: &CrateName, reason: &str) -> QueryResult<usize> {
    diesel::insert_into(reserved_names::table)
        .values((reserved_names::canonical_name.eq(name.canonical()), reserved_names::reason.eq(reason)))
        .on_conflict(reserved_names::canonical_name)
        .do_update()
        .set(reserved_names::reason.eq(reason))
        .execute(connection)
}

/// Removes a reservation; false if the name was not reserved.
pub fn release(connection: &mut PgConnection, name: &CrateName) -> QueryResult<bool> {
    diesel::delete(reserved_names::table.find(name.canonical())).execute(connection).map(|deleted| deleted > 0)
}

/// All reserved names with their reasons, by name.
pub fn list(connection: &mut PgConnection) -> QueryResult<Vec<(String, String)>> {
    reserved_names::table
        .select((reserved_names::canonical_name, reserved_names::reason))
        .order(reserved_names::canonical_name)
        .load(connection)
}
