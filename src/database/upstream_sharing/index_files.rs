//! Index files of upstreams, for all machines.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::database::schema::upstream_index_files as files;

/// A file.
#[derive(Queryable, Selectable, Clone, Debug, PartialEq, Eq)]
#[diesel(table_name = files)]
pub struct Row {
    pub path: String,
    /// New with each content.
    pub revision: i64,
    /// What is known of it, as JSON.
    pub known: String,
    /// With gzip.
    pub content: Vec<u8>,
}

/// The file at a path.
pub fn read(connection: &mut PgConnection, upstream: &str, path: &str) -> QueryResult<Option<Row>> {
    files::table.find((upstream, path)).select(Row::as_select()).first(connection).optional()
}

/// Writes a file in place of the one with this revision, or of none. The new revision; None if there is another file by now.
pub fn write(
    connection: &mut PgConnection,
    (upstream, path): (&str, &str),
    (known, content): (&str, &[u8]),
    former: Option<i64>,
) -> QueryResult<Option<i64>> {
    use diesel::query_dsl::methods::FilterDsl as _;
    let columns = (files::known.eq(known), files::content.eq(content));
    let new = sql::<BigInt>("nextval('upstream_index_file_revisions')");
    diesel::insert_into(files::table)
        .values((files::upstream.eq(upstream), files::path.eq(path), columns))
        .on_conflict((files::upstream, files::path))
        .do_update()
        .set((columns, files::revision.eq(new)))
        .filter(files::revision.nullable().eq(former))
        .returning(files::revision)
        .get_result(connection)
        .optional()
}

/// Writes anew what is known of a file, whose content stays.
pub fn note(
    connection: &mut PgConnection,
    (upstream, path): (&str, &str),
    revision: i64,
    known: &str,
) -> QueryResult<()> {
    let file = files::table.find((upstream, path)).filter(files::revision.eq(revision));
    diesel::update(file).set(files::known.eq(known)).execute(connection).map(drop)
}

/// Removes a file, if it is still this one.
pub fn remove(connection: &mut PgConnection, (upstream, path): (&str, &str), revision: i64) -> QueryResult<bool> {
    let file = files::table.find((upstream, path)).filter(files::revision.eq(revision));
    diesel::delete(file).execute(connection).map(|removed| removed > 0)
}

/// The next names of files, after this one, in their order: upstream and path.
pub fn after(
    connection: &mut PgConnection,
    (upstream, path): (&str, &str),
    limit: i64,
) -> QueryResult<Vec<(String, String)>> {
    let later = files::upstream.gt(upstream).or(files::upstream.eq(upstream).and(files::path.gt(path)));
    files::table
        .filter(later)
        .order((files::upstream, files::path))
        .select((files::upstream, files::path))
        .limit(limit)
        .load(connection)
}

/// How many files there are of an upstream.
pub fn count(connection: &mut PgConnection, upstream: &str) -> QueryResult<i64> {
    files::table.filter(files::upstream.eq(upstream)).count().get_result(connection)
}

/// The bytes that all files have in the database.
pub fn total_bytes(connection: &mut PgConnection) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Total {
        #[diesel(sql_type = BigInt)]
        bytes: i64,
    }
    let query = diesel::sql_query("SELECT pg_total_relation_size('upstream_index_files') AS bytes");
    Ok(query.get_result::<Total>(connection)?.bytes)
}
