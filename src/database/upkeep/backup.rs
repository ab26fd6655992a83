//! Statements for backups: a lock that prevents the removal of crate files, snapshots, and lists of files and crates.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Text};

use crate::database::catalog::version_docs;
use crate::database::schema::{crates, staged_versions, versions};
use crate::package::{Checksum, CrateName, Version};

/// The advisory lock that a backup holds exclusively, and that removals of crate files hold shared.
const FILES_LOCK: i64 = 0x7375_7065_7266;

#[derive(QueryableByName)]
struct Outcome {
    #[diesel(sql_type = Bool)]
    outcome: bool,
}

fn call(connection: &mut PgConnection, function: &str) -> QueryResult<bool> {
    let query = diesel::sql_query(format!("SELECT {function}($1) AS outcome")).bind::<BigInt, _>(FILES_LOCK);
    Ok(query.get_result::<Outcome>(connection)?.outcome)
}

/// Prevents the removal of crate files until the session ends; false if another backup does so already.
pub fn keep_files(connection: &mut PgConnection) -> QueryResult<bool> {
    call(connection, "pg_try_advisory_lock")
}

/// Allows the removal of crate files again; false if the session had lost the lock.
pub fn release_files(connection: &mut PgConnection) -> QueryResult<bool> {
    call(connection, "pg_advisory_unlock")
}

/// Whether crate files may be removed. If so, no backup begins before the transaction ends.
pub fn may_remove_files(connection: &mut PgConnection) -> QueryResult<bool> {
    call(connection, "pg_try_advisory_xact_lock_shared")
}

/// A snapshot of the database, which exists while the transaction is open.
#[derive(QueryableByName, Debug, Clone)]
pub struct Snapshot {
    /// The name by which other sessions use it.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// The server's major version.
    #[diesel(sql_type = Integer)]
    pub major: i32,
    /// The newest migration.
    #[diesel(sql_type = Text)]
    pub schema: String,
    #[diesel(sql_type = BigInt)]
    pub crates: i64,
    #[diesel(sql_type = BigInt)]
    pub versions: i64,
}

/// Begins a transaction with a snapshot, and exports the snapshot to other sessions.
pub fn begin_snapshot(connection: &mut PgConnection) -> QueryResult<Snapshot> {
    use diesel::connection::SimpleConnection;
    connection.batch_execute(
        "SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0;
         BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    )?;
    diesel::sql_query(
        "SELECT pg_export_snapshot() AS name, current_setting('server_version_num')::int / 10000 AS major,
                (SELECT max(version) FROM __diesel_schema_migrations) AS schema,
                (SELECT count(*) FROM crates) AS crates, (SELECT count(*) FROM versions) AS versions",
    )
    .get_result(connection)
}

/// Ends the transaction.
pub fn end_snapshot(connection: &mut PgConnection) -> QueryResult<()> {
    use diesel::connection::SimpleConnection;
    connection.batch_execute("COMMIT")
}

/// A crate file that a version needs, or one that is staged in a release set, or the documentation of a version.
#[derive(Debug, Clone)]
pub struct NeededFile {
    pub checksum: Checksum,
    /// In bytes.
    pub size: i64,
    pub name: CrateName,
    pub num: Version,
    /// Whether it may be removed at any time, because its set ends or has another file.
    pub is_staged: bool,
}

/// The files of all versions that are not deleted, of all staged ones, and the documentation, in the order of their checksums.
pub fn needed_files(connection: &mut PgConnection) -> QueryResult<Vec<NeededFile>> {
    type Row = (Checksum, i64, CrateName, Version);
    let published: Vec<Row> = versions::table
        .inner_join(crates::table)
        .filter(versions::state.ne("deleted"))
        .select((versions::checksum, versions::size, crates::name, versions::num))
        .load(connection)?;
    let staged: Vec<Row> = staged_versions::table
        .select((staged_versions::checksum, staged_versions::size, staged_versions::name, staged_versions::num))
        .load(connection)?;
    let docs = version_docs::files(connection)?.into_iter().map(|docs| NeededFile {
        checksum: docs.checksum,
        size: docs.size,
        name: docs.crate_name,
        num: docs.num,
        is_staged: false,
    });
    let file = |is_staged| move |(checksum, size, name, num): Row| NeededFile { checksum, size, name, num, is_staged };
    let mut needed: Vec<NeededFile> =
        published.into_iter().map(file(false)).chain(staged.into_iter().map(file(true))).chain(docs).collect();
    needed.sort_by_key(|file| file.checksum);
    Ok(needed)
}

/// Whether the database has no tables, views and sequences.
pub fn is_empty(connection: &mut PgConnection) -> QueryResult<bool> {
    let query = diesel::sql_query(
        "SELECT NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S'))
         AS outcome",
    );
    Ok(query.get_result::<Outcome>(connection)?.outcome)
}

/// The numbers of crates and versions.
pub fn count(connection: &mut PgConnection) -> QueryResult<(i64, i64)> {
    Ok((crates::table.count().get_result(connection)?, versions::table.count().get_result(connection)?))
}

/// The server's major version.
pub fn major_version(connection: &mut PgConnection) -> QueryResult<u32> {
    #[derive(QueryableByName)]
    struct Major {
        #[diesel(sql_type = Integer)]
        major: i32,
    }
    let query = diesel::sql_query("SELECT current_setting('server_version_num')::int / 10000 AS major");
    Ok(query.get_result::<Major>(connection)?.major.try_into().unwrap_or(0))
}

/// The next ids of crates, in order, after this id.
pub fn crate_ids_after(connection: &mut PgConnection, after: i32, limit: i64) -> QueryResult<Vec<i32>> {
    crates::table.filter(crates::id.gt(after)).order(crates::id).select(crates::id).limit(limit).load(connection)
}

/// The names of all crates.
pub fn crate_names(connection: &mut PgConnection) -> QueryResult<Vec<CrateName>> {
    crates::table.select(crates::name).load(connection)
}
