//! Changes of published versions that are staged in open sets.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::Error::DeserializationError;
use strum::{EnumString, IntoStaticStr};

use crate::database::schema::{crates as crates_table, staged_changes, users, versions};
use crate::package::{CrateName, Version};

/// What happens to a published version when the set is approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Change {
    Yank,
    Unyank,
    Delete,
}

impl Change {
    pub fn noun(self) -> &'static str {
        match self {
            Self::Yank => "yank",
            Self::Unyank => "unyank",
            Self::Delete => "deletion",
        }
    }
}

/// A change in an open set.
#[derive(Clone, Debug)]
pub struct StagedChange {
    pub crate_id: i32,
    pub name: CrateName,
    pub version_id: i32,
    pub num: Version,
    pub change: Change,
    /// Of a yank; the reason of a deletion.
    pub message: Option<String>,
    pub staged_by: i32,
    pub login: String,
    pub staged_at: DateTime<Utc>,
}

/// Stages a change of a version, in place of an earlier one.
pub fn put_change(
    connection: &mut PgConnection,
    (set_id, version_id): (i32, i32),
    (change, message): (Change, Option<&str>),
    user: i32,
) -> QueryResult<()> {
    let change: &str = change.into();
    diesel::insert_into(staged_changes::table)
        .values((
            staged_changes::set_id.eq(set_id),
            staged_changes::version_id.eq(version_id),
            staged_changes::change.eq(change),
            staged_changes::message.eq(message),
            staged_changes::staged_by.eq(user),
        ))
        .on_conflict((staged_changes::set_id, staged_changes::version_id))
        .do_update()
        .set((
            staged_changes::change.eq(change),
            staged_changes::message.eq(message),
            staged_changes::staged_by.eq(user),
            staged_changes::staged_at.eq(diesel::dsl::now),
        ))
        .execute(connection)
        .map(drop)
}

/// The change of a version that a set has.
pub fn change_of(connection: &mut PgConnection, set_id: i32, version_id: i32) -> QueryResult<Option<Change>> {
    let found: Option<String> =
        staged_changes::table.find((set_id, version_id)).select(staged_changes::change).first(connection).optional()?;
    Ok(found.and_then(|change| change.parse().ok()))
}

/// Takes a change out of a set; false if it has none of this version.
pub fn remove_change(connection: &mut PgConnection, set_id: i32, version_id: i32) -> QueryResult<bool> {
    diesel::delete(staged_changes::table.find((set_id, version_id))).execute(connection).map(|removed| removed > 0)
}

/// The changes of a set, by name and number.
pub fn changes_of(connection: &mut PgConnection, set_id: i32) -> QueryResult<Vec<StagedChange>> {
    type Row = (i32, CrateName, i32, Version, String, Option<String>, i32, String, DateTime<Utc>);
    let rows: Vec<Row> = staged_changes::table
        .inner_join(versions::table.inner_join(crates_table::table))
        .inner_join(users::table.on(users::id.eq(staged_changes::staged_by)))
        .filter(staged_changes::set_id.eq(set_id))
        .order((crates_table::canonical_name, versions::id))
        .select((
            crates_table::id,
            crates_table::name,
            versions::id,
            versions::num,
            staged_changes::change,
            staged_changes::message,
            staged_changes::staged_by,
            users::login,
            staged_changes::staged_at,
        ))
        .load(connection)?;
    let of = |(crate_id, name, version_id, num, change, message, staged_by, login, staged_at): Row| {
        // The column allows nothing else.
        let change = change.parse().map_err(|_| DeserializationError(format!("{change:?} is not a change").into()))?;
        Ok(StagedChange { crate_id, name, version_id, num, change, message, staged_by, login, staged_at })
    };
    rows.into_iter().map(of).collect()
}
