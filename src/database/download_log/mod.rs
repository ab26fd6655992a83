//! The log of downloads: who got which crate file, of this registry or of an upstream.

pub mod coverage;
pub mod downloads;

use chrono::{DateTime, Utc};
use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz};

use crate::package::{Checksum, CrateName, Version};

/// A download.
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: DateTime<Utc>,
    /// The name of the upstream; empty for this registry.
    pub upstream: String,
    pub name: CrateName,
    pub version: Version,
    pub checksum: Checksum,
    /// None without a token.
    pub who: Option<Who>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    /// False if the registry refused it.
    pub is_delivered: bool,
}

/// A user and a token, as they were at the time of the download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    pub login: String,
    pub token_id: i32,
    pub token_name: String,
}

/// Adds entries, in one statement.
pub fn add(connection: &mut PgConnection, entries: &[Entry]) -> QueryResult<usize> {
    fn column<'a, T>(entries: &'a [Entry], of: impl FnMut(&'a Entry) -> T) -> Vec<T> {
        entries.iter().map(of).collect()
    }
    fn of_who<'a, T>(entries: &'a [Entry], of: impl Fn(&'a Who) -> T) -> Vec<Option<T>> {
        entries.iter().map(|one| one.who.as_ref().map(&of)).collect()
    }
    diesel::sql_query(
        "INSERT INTO download_log
             (at, upstream, canonical_name, crate_name, version, checksum, login, token_id, token_name, address, user_agent, is_delivered)
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind::<Array<Timestamptz>, _>(column(entries, |one| one.at))
    .bind::<Array<Text>, _>(column(entries, |one| one.upstream.as_str()))
    .bind::<Array<Text>, _>(column(entries, |one| one.name.canonical()))
    .bind::<Array<Text>, _>(column(entries, |one| one.name.as_str()))
    .bind::<Array<Text>, _>(column(entries, |one| one.version.to_string()))
    .bind::<Array<Binary>, _>(column(entries, |one| one.checksum.as_bytes().to_vec()))
    .bind::<Array<Nullable<Text>>, _>(of_who(entries, |who| who.login.as_str()))
    .bind::<Array<Nullable<Integer>>, _>(of_who(entries, |who| who.token_id))
    .bind::<Array<Nullable<Text>>, _>(of_who(entries, |who| who.token_name.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column(entries, |one| one.address.as_deref()))
    .bind::<Array<Nullable<Text>>, _>(column(entries, |one| one.user_agent.as_deref()))
    .bind::<Array<Bool>, _>(column(entries, |one| one.is_delivered))
    .execute(connection)
}

/// Removes up to so many entries from before a time, the oldest first, and answers how many. Several processes may do it at the same
/// time.
pub fn forget(connection: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM download_log WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM download_log WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(limit)
    .execute(connection)
}
