//! Crate names that may not be published: those that an operator or an admin has reserved, in addition to the built-in ones, and those
//! of deleted crates.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz};

use crate::database::schema::reserved_names;
use crate::package::CrateName;

/// A name that is taken.
#[derive(QueryableByName, Clone, Debug)]
pub struct Taken {
    /// In lower case with `_` if it is reserved; that of a deleted crate in its own spelling.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Whether it is that of a deleted crate, and not a reserved one.
    #[diesel(sql_type = Bool)]
    pub of_deleted: bool,
    #[diesel(sql_type = Text)]
    pub reason: String,
    #[diesel(sql_type = Timestamptz)]
    pub since: DateTime<Utc>,
    /// Who reserved the name last, or deleted the crate, by the audit log.
    #[diesel(sql_type = Nullable<Text>)]
    pub actor: Option<String>,
}

/// Reserves a name, or changes the reason of its reservation; false if nothing changed.
pub fn reserve(connection: &mut PgConnection, name: &CrateName, reason: &str) -> QueryResult<bool> {
    use diesel::query_dsl::methods::FilterDsl as _;
    diesel::insert_into(reserved_names::table)
        .values((reserved_names::canonical_name.eq(name.canonical()), reserved_names::reason.eq(reason)))
        .on_conflict(reserved_names::canonical_name)
        .do_update()
        .set(reserved_names::reason.eq(reason))
        .filter(reserved_names::reason.ne(reason))
        .execute(connection)
        .map(|changed| changed > 0)
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

/// How many names are taken and have this part.
pub fn count_taken(connection: &mut PgConnection, part: &str) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let counted: Counted = diesel::sql_query(
        "SELECT count(*) FROM (
             SELECT canonical_name FROM reserved_names
             UNION ALL SELECT canonical_name FROM crates WHERE deleted_at IS NOT NULL AND NOT name_released) AS names
         WHERE strpos(canonical_name, $1) > 0",
    )
    .bind::<Text, _>(crate::package::name::canonical(part))
    .get_result(connection)?;
    Ok(counted.count)
}

/// The names that are taken and have this part, whose case, `-` and `_` are ignored, by name.
pub fn taken(connection: &mut PgConnection, part: &str, (limit, offset): (i64, i64)) -> QueryResult<Vec<Taken>> {
    // The log is read for the shown names alone, by its index.
    diesel::sql_query(
        "SELECT shown.name, shown.of_deleted, shown.reason, shown.since, logged.actor
         FROM (SELECT * FROM (
                   SELECT canonical_name, canonical_name AS name, false AS of_deleted, reason, created_at AS since FROM reserved_names
                   UNION ALL
                   SELECT canonical_name, name, true, coalesce(deletion_reason, ''), deleted_at FROM crates
                   WHERE deleted_at IS NOT NULL AND NOT name_released
               ) AS names
               WHERE strpos(canonical_name, $1) > 0
               ORDER BY canonical_name, of_deleted LIMIT $2 OFFSET $3) AS shown
         LEFT JOIN LATERAL (
             SELECT actor FROM audit_log
             WHERE replace(lower(crate_name), '-', '_') = shown.canonical_name
               AND action = CASE WHEN shown.of_deleted THEN 'crate-delete' ELSE 'name-reserve' END
             ORDER BY id DESC LIMIT 1) AS logged ON true
         ORDER BY shown.canonical_name, shown.of_deleted",
    )
    .bind::<Text, _>(crate::package::name::canonical(part))
    .bind::<BigInt, _>(limit)
    .bind::<BigInt, _>(offset)
    .load(connection)
}
