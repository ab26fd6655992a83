//! The replacement of all advisories that come from a source, in one transaction.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::upsert::excluded;
use serde_json::{Value, json};

use crate::advisory::Advisory;
use crate::database::schema::{advisories, advisory_sources};
use crate::package::{Checksum, CrateName};

/// Rows of one statement.
const PORTION: usize = 200;

/// What one advisory says of one crate, to be stored.
#[derive(Insertable, Clone, Debug)]
#[diesel(table_name = advisories)]
pub struct Row {
    pub upstream: String,
    pub advisory_id: String,
    pub canonical_name: String,
    pub crate_name: String,
    pub title: String,
    pub url: Option<String>,
    pub severity: String,
    pub informational: Option<String>,
    pub ranges: Value,
    pub document: Value,
    pub digest: String,
    pub withdrawn_at: Option<DateTime<Utc>>,
}

impl Row {
    /// What an advisory says of a crate.
    pub fn of(upstream: &str, advisory: &Advisory, name: &CrateName, ranges: &Value) -> Self {
        let Advisory { id, title, url, severity, informational, withdrawn, document, .. } = advisory;
        let all = json!([id, name, title, url, severity.as_str(), informational, withdrawn, ranges, document]);
        Self {
            upstream: upstream.to_owned(),
            advisory_id: id.clone(),
            canonical_name: name.canonical(),
            crate_name: name.to_string(),
            title: title.clone(),
            url: url.clone(),
            severity: severity.as_str().to_owned(),
            informational: informational.clone(),
            ranges: ranges.clone(),
            document: document.clone(),
            digest: Checksum::of(all.to_string().as_bytes()).to_string(),
            withdrawn_at: *withdrawn,
        }
    }
}

/// What a stored one is, without its texts.
#[derive(Queryable, Clone, Debug)]
pub struct Present {
    id: i64,
    pub advisory_id: String,
    pub canonical_name: String,
    digest: String,
    pub withdrawn_at: Option<DateTime<Utc>>,
    pub vanished_at: Option<DateTime<Utc>>,
}

impl Present {
    /// Whether it counts.
    pub fn counts(&self) -> bool {
        self.withdrawn_at.is_none() && self.vanished_at.is_none()
    }
}

/// What a refresh read.
pub struct Read<'a> {
    pub rows: &'a [Row],
    /// Those that stay although they were not read.
    pub stays: &'a dyn Fn(&str) -> bool,
    pub source: &'a str,
    pub revision: Option<&'a str>,
    pub skipped: usize,
    pub skipped_files: Value,
}

/// What an exchange changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: usize,
    pub changed: usize,
    pub vanished: usize,
}

impl Changes {
    pub fn is_any(&self) -> bool {
        *self != Self::default()
    }
}

/// What is stored of an upstream.
pub fn present(connection: &mut PgConnection, upstream: &str) -> QueryResult<Vec<Present>> {
    advisories::table
        .filter(advisories::upstream.eq(upstream))
        .select((
            advisories::id,
            advisories::advisory_id,
            advisories::canonical_name,
            advisories::digest,
            advisories::withdrawn_at,
            advisories::vanished_at,
        ))
        .load(connection)
}

/// Stores what was read. What was not read has vanished, unless it stays.
pub fn exchange(connection: &mut PgConnection, upstream: &str, read: &Read<'_>) -> QueryResult<Changes> {
    connection.transaction(|connection| {
        let present = present(connection, upstream)?;
        let mut former: HashMap<(&str, &str), &Present> =
            present.iter().map(|one| ((&*one.advisory_id, &*one.canonical_name), one)).collect();
        let mut changes = Changes::default();
        let mut changed: Vec<&Row> = Vec::new();
        for row in read.rows {
            match former.remove(&(&*row.advisory_id, &*row.canonical_name)) {
                None => changes.added += 1,
                Some(former) if former.digest != row.digest || former.vanished_at.is_some() => changes.changed += 1,
                Some(_) => continue,
            }
            changed.push(row);
        }
        for portion in changed.chunks(PORTION) {
            store(connection, portion)?;
        }
        let gone = former.into_values().filter(|one| one.vanished_at.is_none() && !(read.stays)(&one.advisory_id));
        let gone: Vec<i64> = gone.map(|one| one.id).collect();
        changes.vanished = gone.len();
        diesel::update(advisories::table.filter(advisories::id.eq_any(gone)))
            .set(advisories::vanished_at.eq(now))
            .execute(connection)?;
        note(connection, upstream, read, changes)?;
        Ok(changes)
    })
}

pub(super) fn store(connection: &mut PgConnection, rows: &[&Row]) -> QueryResult<()> {
    diesel::insert_into(advisories::table)
        .values(rows.to_vec())
        .on_conflict((advisories::upstream, advisories::advisory_id, advisories::canonical_name))
        .do_update()
        .set((
            advisories::crate_name.eq(excluded(advisories::crate_name)),
            advisories::title.eq(excluded(advisories::title)),
            advisories::url.eq(excluded(advisories::url)),
            advisories::severity.eq(excluded(advisories::severity)),
            advisories::informational.eq(excluded(advisories::informational)),
            advisories::ranges.eq(excluded(advisories::ranges)),
            advisories::document.eq(excluded(advisories::document)),
            advisories::digest.eq(excluded(advisories::digest)),
            advisories::withdrawn_at.eq(excluded(advisories::withdrawn_at)),
            advisories::vanished_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(connection)
        .map(drop)
}

/// Notes the refresh at its source, and at all advisories that it found.
fn note(connection: &mut PgConnection, upstream: &str, read: &Read<'_>, changes: Changes) -> QueryResult<()> {
    let at = Utc::now();
    let risen = i64::from(changes.is_any());
    diesel::update(advisory_sources::table.find(upstream))
        .set((
            advisory_sources::known_source.eq(read.source),
            advisory_sources::revision.eq(read.revision),
            advisory_sources::generation.eq(advisory_sources::generation + risen),
            advisory_sources::checked_at.eq(at),
            advisory_sources::refreshed_at.eq(at),
            advisory_sources::problem.eq(None::<String>),
            advisory_sources::skipped.eq(i32::try_from(read.skipped).unwrap_or(i32::MAX)),
            advisory_sources::skipped_files.eq(&read.skipped_files),
        ))
        .execute(connection)?;
    let of_it = advisories::upstream.eq(upstream).and(advisories::vanished_at.is_null());
    diesel::update(advisories::table.filter(of_it)).set(advisories::last_seen.eq(at)).execute(connection).map(drop)
}
