//! The versions that are staged in open sets.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Jsonb, Nullable, Text};
use serde_json::{Value, json};

pub use super::changes::{Change, StagedChange, change_of, changes_of, put_change, remove_change};
use super::sets::ReleaseSet;
use crate::database::access::provenance::Trusted;
use crate::database::catalog::crate_files;
use crate::database::catalog::crates::{self, Crate};
use crate::database::catalog::set_name::SetName;
use crate::database::schema::{crates as crates_table, release_sets, staged_changes, staged_versions, users, versions};
use crate::package::{Checksum, CrateName, Version};
use crate::statement::statement;

/// A version in an open set.
#[derive(Queryable, Clone, Debug)]
pub struct StagedVersion {
    pub id: i32,
    pub name: CrateName,
    pub num: Version,
    pub checksum: Checksum,
    /// The size of the crate file in bytes.
    pub size: i64,
    pub index_line: String,
    /// As the client sent it.
    pub metadata: Value,
    pub staged_by: i32,
    /// The login of that user.
    pub login: String,
    pub token_name: Option<String>,
    pub address: Option<String>,
    pub staged_at: DateTime<Utc>,
    /// Of the token, if it was from an exchange of an ID token.
    pub trusted: Option<Trusted>,
    /// The login of the user who will own the crate, if it is new and a machine has staged it.
    pub owner_if_new: Option<String>,
}

/// A version to stage.
pub struct NewStaged<'a> {
    pub set_id: i32,
    pub name: &'a CrateName,
    pub num: &'a Version,
    /// Whether the registry has no such crate.
    pub is_new_crate: bool,
    pub checksum: Checksum,
    pub size: i64,
    pub index_line: &'a str,
    pub metadata: &'a Value,
    pub staged_by: i32,
    pub token_name: &'a str,
    pub address: Option<&'a str>,
    pub trusted: Option<&'a Trusted>,
    /// Who will own the crate, if it is new and a machine stages it.
    pub owner_if_new: Option<i32>,
}

/// The result of staging a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    Added,
    /// It replaced the version with this file.
    Replaced(Checksum),
}

impl NewStaged<'_> {
    /// Stages the version, or replaces the one that the set has; None if another set has it. The transaction then holds the
    /// lock that prevents the removal of the crate file.
    pub fn put(&self, connection: &mut PgConnection) -> QueryResult<Option<Put>> {
        crate_files::hold(connection, self.checksum)?;
        let row: Option<(Option<Checksum>,)> = statement(
            "WITH before AS (SELECT checksum FROM staged_versions
                             WHERE canonical_name = $1 AND num_without_build = $2)
             INSERT INTO staged_versions AS staged
                 (set_id, name, num, num_without_build, is_new_crate, checksum, size, index_line, metadata, staged_by,
                  token_name, address, trusted, owner_if_new)
             VALUES ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
             ON CONFLICT (canonical_name, num_without_build) DO UPDATE
             SET (name, num, checksum, size, index_line, metadata, staged_by, token_name, address, trusted, owner_if_new,
                  staged_at)
                 = (excluded.name, excluded.num, excluded.checksum, excluded.size, excluded.index_line,
                    excluded.metadata, excluded.staged_by, excluded.token_name, excluded.address,
                    excluded.trusted, excluded.owner_if_new, now())
             WHERE staged.set_id = excluded.set_id
             RETURNING (SELECT checksum FROM before)",
        )
        .bind::<Text, _>(self.name.canonical())
        .bind::<Text, _>(self.num.without_build())
        .bind::<Integer, _>(self.set_id)
        .bind::<Text, _>(self.name)
        .bind::<Text, _>(self.num)
        .bind::<Text, _>(self.num.without_build())
        .bind::<Bool, _>(self.is_new_crate)
        .bind::<Binary, _>(self.checksum)
        .bind::<BigInt, _>(self.size)
        .bind::<Text, _>(self.index_line)
        .bind::<Jsonb, _>(self.metadata)
        .bind::<Integer, _>(self.staged_by)
        .bind::<Text, _>(self.token_name)
        .bind::<Nullable<Text>, _>(self.address)
        .bind::<Nullable<Jsonb>, _>(self.trusted.map(Trusted::to_json))
        .bind::<Nullable<Integer>, _>(self.owner_if_new)
        .returning::<(Nullable<Binary>,)>()
        .get_result(connection)
        .optional()?;
        Ok(row.map(|(before,)| before.map_or(Put::Added, Put::Replaced)))
    }
}

/// The staged versions of a set, by name and in the order in which they were staged first.
pub fn of_set(connection: &mut PgConnection, set_id: i32) -> QueryResult<Vec<StagedVersion>> {
    staged_versions::table
        .inner_join(users::table)
        .filter(staged_versions::set_id.eq(set_id))
        .order((staged_versions::canonical_name, staged_versions::id))
        .select((
            staged_versions::id,
            staged_versions::name,
            staged_versions::num,
            staged_versions::checksum,
            staged_versions::size,
            staged_versions::index_line,
            staged_versions::metadata,
            staged_versions::staged_by,
            users::login,
            staged_versions::token_name,
            staged_versions::address,
            staged_versions::staged_at,
            staged_versions::trusted,
            sql::<Nullable<Text>>("(SELECT login FROM users AS owner WHERE owner.id = staged_versions.owner_if_new)"),
        ))
        .load(connection)
}

/// The number of staged versions and changes of a set.
pub fn count(connection: &mut PgConnection, set_id: i32) -> QueryResult<i64> {
    let versions: i64 =
        staged_versions::table.filter(staged_versions::set_id.eq(set_id)).count().get_result(connection)?;
    let changes: i64 =
        staged_changes::table.filter(staged_changes::set_id.eq(set_id)).count().get_result(connection)?;
    Ok(versions + changes)
}

/// The release set that has a number, ignoring build metadata.
pub fn set_of_number(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
) -> QueryResult<Option<SetName>> {
    staged_versions::table
        .inner_join(release_sets::table)
        .filter(staged_versions::canonical_name.eq(name.canonical()))
        .filter(staged_versions::num_without_build.eq(num.without_build()))
        .select(release_sets::name)
        .first(connection)
        .optional()
}

/// The file of a staged version of an open set.
pub fn file(
    connection: &mut PgConnection,
    set_id: i32,
    (name, num): (&CrateName, &Version),
) -> QueryResult<Option<Checksum>> {
    staged_versions::table
        .filter(staged_versions::set_id.eq(set_id))
        .filter(staged_versions::canonical_name.eq(name.canonical()))
        .filter(staged_versions::num.eq(num))
        .select(staged_versions::checksum)
        .first(connection)
        .optional()
}

/// The names of the crates with staged versions in a set.
pub fn names(connection: &mut PgConnection, set_id: i32) -> QueryResult<Vec<CrateName>> {
    staged_versions::table
        .filter(staged_versions::set_id.eq(set_id))
        .select(staged_versions::name)
        .distinct()
        .load(connection)
}

/// The names of the crates with staged versions or changes in a set, in their order.
pub fn all_names(connection: &mut PgConnection, set_id: i32) -> QueryResult<Vec<CrateName>> {
    let of_changes: Vec<CrateName> = staged_changes::table
        .inner_join(versions::table.inner_join(crates_table::table))
        .filter(staged_changes::set_id.eq(set_id))
        .select(crates_table::name)
        .distinct()
        .load(connection)?;
    let mut all = names(connection, set_id)?;
    all.extend(of_changes);
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The names of the crates that an ended set had.
pub fn past_names(set: &ReleaseSet) -> Vec<CrateName> {
    let contents = set.contents.iter().flat_map(|contents| ["versions", "changes"].map(|field| &contents[field]));
    let names = contents.filter_map(Value::as_array).flatten().filter_map(|one| one["crate"].as_str()?.parse().ok());
    names.collect()
}

/// The set that holds a number.
pub fn holder(connection: &mut PgConnection, name: &CrateName, num: &Version) -> QueryResult<Option<SetName>> {
    staged_versions::table
        .inner_join(release_sets::table)
        .filter(staged_versions::canonical_name.eq(name.canonical()))
        .filter(staged_versions::num_without_build.eq(num.without_build()))
        .select(release_sets::name)
        .first(connection)
        .optional()
}

/// The versions of these crates that a user has staged in open sets, the newest first, with their sets.
pub fn by_user(
    connection: &mut PgConnection,
    names: &[CrateName],
    user: i32,
) -> QueryResult<Vec<(SetName, CrateName, Version)>> {
    let canonical: Vec<String> = names.iter().map(CrateName::canonical).collect();
    staged_versions::table
        .inner_join(release_sets::table)
        .filter(staged_versions::canonical_name.eq_any(canonical))
        .filter(staged_versions::staged_by.eq(user))
        .filter(release_sets::expires_at.gt(diesel::dsl::now))
        .order(staged_versions::id.desc())
        .select((release_sets::name, staged_versions::name, staged_versions::num))
        .load(connection)
}

/// The published version that a staged one is compared with.
#[derive(Clone, Debug)]
pub struct Previous {
    pub num: Version,
    pub checksum: Checksum,
    /// The size of the crate file in bytes.
    pub size: i64,
}

/// The highest published version of a crate below a number, or else its newest one.
pub fn previous(connection: &mut PgConnection, name: &CrateName, num: &Version) -> QueryResult<Option<Previous>> {
    let published: Vec<(Version, Checksum, i64)> = versions::table
        .inner_join(crates_table::table)
        .filter(crates_table::canonical_name.eq(name.canonical()))
        .filter(versions::effective_yanked.is_not_null())
        .filter(versions::deletion_requested_at.is_null())
        .order(versions::id)
        .select((versions::num, versions::checksum, versions::size))
        .load(connection)?;
    let lower = published.iter().filter(|(published, ..)| published < num).max_by(|one, other| one.0.cmp(&other.0));
    let found = lower.or(published.last()).cloned();
    Ok(found.map(|(num, checksum, size)| Previous { num, checksum, size }))
}

/// The numbers of these crates that are published and not yanked, with the canonical names.
pub fn published_numbers(connection: &mut PgConnection, names: &[CrateName]) -> QueryResult<Vec<(String, Version)>> {
    let canonical: Vec<String> = names.iter().map(CrateName::canonical).collect();
    versions::table
        .inner_join(crates_table::table)
        .filter(crates_table::canonical_name.eq_any(canonical))
        .filter(versions::effective_yanked.eq(false))
        .filter(versions::deletion_requested_at.is_null())
        .select((crates_table::canonical_name, versions::num))
        .load(connection)
}

/// Takes a version out of a set; returns its file.
pub fn remove(
    connection: &mut PgConnection,
    set_id: i32,
    (name, num): (&CrateName, &Version),
) -> QueryResult<Option<Checksum>> {
    diesel::delete(
        staged_versions::table
            .filter(staged_versions::set_id.eq(set_id))
            .filter(staged_versions::canonical_name.eq(name.canonical()))
            .filter(staged_versions::num.eq(num)),
    )
    .returning(staged_versions::checksum)
    .get_result(connection)
    .optional()
}

/// Whether any open set has this file.
pub fn has_file(connection: &mut PgConnection, checksum: Checksum) -> QueryResult<bool> {
    let with_it = staged_versions::table.filter(staged_versions::checksum.eq(checksum));
    diesel::select(diesel::dsl::exists(with_it)).get_result(connection)
}

/// The files of open sets whose checksums begin with this byte.
pub fn files_beginning(connection: &mut PgConnection, first_byte: u8) -> QueryResult<Vec<Checksum>> {
    statement("SELECT checksum FROM staged_versions WHERE get_byte(checksum, 0) = $1 ORDER BY checksum")
        .bind::<Integer, _>(i32::from(first_byte))
        .returning::<Binary>()
        .get_results(connection)
}

/// Removes all that is staged in a set; returns the files of its versions.
pub fn clear(connection: &mut PgConnection, set_id: i32) -> QueryResult<Vec<Checksum>> {
    diesel::delete(staged_changes::table.filter(staged_changes::set_id.eq(set_id))).execute(connection)?;
    diesel::delete(staged_versions::table.filter(staged_versions::set_id.eq(set_id)))
        .returning(staged_versions::checksum)
        .get_results(connection)
}

/// Finds and locks the crate of a version that is to be staged. Without one the name is free, and a transaction that
/// creates the crate waits until this transaction ends: its row has been in the unique index.
pub fn lock_name(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Option<Crate>> {
    if let Some(found) = crates::find_and_lock(connection, name)? {
        return Ok(Some(found));
    }
    let created: Option<i32> = diesel::insert_into(crates_table::table)
        .values(crates_table::name.eq(name))
        .on_conflict_do_nothing()
        .returning(crates_table::id)
        .get_result(connection)
        .optional()?;
    match created {
        Some(id) => diesel::delete(crates_table::table.find(id)).execute(connection).map(|_| None),
        None => crates::find_and_lock(connection, name),
    }
}

/// What a set has, for the record of its end and for the log.
pub fn summary(versions: &[StagedVersion], changes: &[StagedChange]) -> Value {
    let version = |one: &StagedVersion| json!({ "crate": one.name, "version": one.num, "checksum": one.checksum, "size": one.size, "staged_by": one.login, "token": one.token_name, "staged_at": one.staged_at });
    let change = |one: &StagedChange| json!({ "crate": one.name, "version": one.num, "change": one.change.to_string(), "message": one.message, "staged_by": one.login, "staged_at": one.staged_at });
    json!({
        "versions": versions.iter().map(version).collect::<Vec<_>>(),
        "changes": changes.iter().map(change).collect::<Vec<_>>(),
    })
}
