//! The documentation of versions: which archive each has.

use diesel::prelude::*;
use diesel::sql_types::{Binary, Integer};

use crate::database::schema::{crates, docs_key, version_docs, versions};
use crate::package::{Checksum, CrateName, Version};
use crate::statement::statement;

/// The archive of a version that is being uploaded.
#[derive(Insertable, AsChangeset, Clone, Debug)]
#[diesel(table_name = version_docs)]
pub struct NewDocs {
    pub version_id: i32,
    pub checksum: Checksum,
    /// The size of the archive in bytes.
    pub size: i64,
    /// The number of its files.
    pub files: i32,
    /// The size of its files in bytes.
    pub unpacked_size: i64,
    /// The directory of the crate.
    pub directory: String,
    /// The places of its files, as `docs_archive::Index` stores them.
    pub entries: Vec<u8>,
}

/// The archive of a version in the index.
#[derive(Queryable, Clone, Debug)]
pub struct FoundDocs {
    pub version_id: i32,
    /// The crate's own spelling.
    pub name: CrateName,
    pub num: Version,
    pub checksum: Checksum,
    /// The directory of the crate.
    pub directory: String,
}

/// A version in the index that has an archive.
#[derive(Queryable)]
struct Listed {
    version_id: i32,
    num: Version,
    yanked: Option<bool>,
}

/// An archive in the store, and the version that has it.
#[derive(Queryable, Clone, Debug, PartialEq, Eq)]
pub struct DocsFile {
    pub checksum: Checksum,
    /// In bytes.
    pub size: i64,
    pub version_id: i32,
    pub crate_id: i32,
    pub crate_name: CrateName,
    pub num: Version,
}

/// Gives a version an archive; returns the one that it had. The caller holds the lock of the crate's row.
pub fn put(connection: &mut PgConnection, docs: &NewDocs) -> QueryResult<Option<Checksum>> {
    let former = checksum(connection, docs.version_id)?;
    diesel::insert_into(version_docs::table)
        .values(docs)
        .on_conflict(version_docs::version_id)
        .do_update()
        .set((docs, version_docs::uploaded_at.eq(diesel::dsl::now)))
        .execute(connection)?;
    Ok(former)
}

fn checksum(connection: &mut PgConnection, version_id: i32) -> QueryResult<Option<Checksum>> {
    version_docs::table.find(version_id).select(version_docs::checksum).first(connection).optional()
}

/// Takes the archive from a version; returns it.
pub fn remove(connection: &mut PgConnection, version_id: i32) -> QueryResult<Option<Checksum>> {
    diesel::delete(version_docs::table.find(version_id))
        .returning(version_docs::checksum)
        .get_result(connection)
        .optional()
}

/// Takes the archives from all versions of a crate; returns the versions and the archives.
pub fn remove_of_crate(connection: &mut PgConnection, crate_id: i32) -> QueryResult<Vec<(i32, Checksum)>> {
    let of_crate = versions::table.filter(versions::crate_id.eq(crate_id)).select(versions::id);
    diesel::delete(version_docs::table.filter(version_docs::version_id.eq_any(of_crate)))
        .returning((version_docs::version_id, version_docs::checksum))
        .get_results(connection)
}

/// The query for the archives of a crate's versions in the index. It is a macro because the type of the query cannot be written.
macro_rules! shown {
    ($name:expr) => {
        version_docs::table
            .inner_join(versions::table.inner_join(crates::table))
            .filter(crates::canonical_name.eq($name.canonical()))
            .filter(versions::effective_yanked.is_not_null())
            .filter(versions::deletion_requested_at.is_null())
    };
}

/// The query of [`FoundDocs`].
macro_rules! found {
    ($name:expr) => {
        shown!($name).select((
            versions::id,
            crates::name,
            versions::num,
            version_docs::checksum,
            version_docs::directory,
        ))
    };
}

/// The archive of a version, which the index shows.
pub fn find(connection: &mut PgConnection, name: &CrateName, num: &Version) -> QueryResult<Option<FoundDocs>> {
    found!(name).filter(versions::num.eq(num)).first(connection).optional()
}

/// The archive of the version that `latest` is.
pub fn latest(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Option<FoundDocs>> {
    match listed(connection, name)?.first() {
        Some(latest) => found!(name).filter(versions::id.eq(latest.version_id)).first(connection).optional(),
        None => Ok(None),
    }
}

/// The versions of a crate that have an archive, the one first that `latest` is.
pub fn nums_of_crate(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Vec<Version>> {
    Ok(listed(connection, name)?.into_iter().map(|listed| listed.num).collect())
}

/// The versions of a crate that have an archive: those that are not yanked before the yanked ones, in both groups those that are no
/// pre-releases before the others, and then the highest first.
fn listed(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Vec<Listed>> {
    let columns = (versions::id, versions::num, versions::effective_yanked);
    let mut found: Vec<Listed> = shown!(name).select(columns).load(connection)?;
    let rank = |listed: &Listed| (listed.yanked == Some(false), !listed.num.is_prerelease());
    found.sort_by(|one, other| (rank(other), &other.num, other.version_id).cmp(&(rank(one), &one.num, one.version_id)));
    Ok(found)
}

/// The places of the files in the archive of a version, if it still has this one.
pub fn entries(connection: &mut PgConnection, docs: &FoundDocs) -> QueryResult<Option<Vec<u8>>> {
    version_docs::table
        .find(docs.version_id)
        .filter(version_docs::checksum.eq(docs.checksum))
        .filter(version_docs::directory.eq(&docs.directory))
        .select(version_docs::entries)
        .first(connection)
        .optional()
}

/// Whether a version has this archive.
pub fn has_file(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<bool> {
    let with_it = version_docs::table.filter(version_docs::checksum.eq(checksum));
    diesel::select(diesel::dsl::exists(with_it)).get_result(connection)
}

/// The query of [`DocsFile`].
macro_rules! files {
    () => {
        version_docs::table.inner_join(versions::table.inner_join(crates::table)).select((
            version_docs::checksum,
            version_docs::size,
            versions::id,
            crates::id,
            crates::name,
            versions::num,
        ))
    };
}

/// All archives.
pub fn files(connection: &mut PgConnection) -> QueryResult<Vec<DocsFile>> {
    files!().load(connection)
}

/// The archives whose checksums begin with this byte, in the order of the checksums.
pub fn files_beginning(connection: &mut PgConnection, first_byte: u8) -> QueryResult<Vec<DocsFile>> {
    let ids: Vec<i32> = statement("SELECT version_id FROM version_docs WHERE get_byte(checksum, 0) = $1")
        .bind::<Integer, _>(i32::from(first_byte))
        .returning::<Integer>()
        .get_results(connection)?;
    files!()
        .filter(version_docs::version_id.eq_any(ids))
        .order((version_docs::checksum, version_docs::version_id))
        .load(connection)
}

/// The versions with this archive.
pub fn naming(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<Vec<DocsFile>> {
    files!().filter(version_docs::checksum.eq(checksum)).order(version_docs::version_id).load(connection)
}

/// The key that signs links to the documentation of a private registry.
pub fn key(connection: &mut PgConnection) -> QueryResult<Vec<u8>> {
    docs_key::table.select(diesel::dsl::sql::<Binary>("key")).first(connection)
}
