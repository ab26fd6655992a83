//! What the index of a release set shows beyond the main one: what is staged while the set is open, and after its approval
//! what the main index does not show yet.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use crate::database::catalog::index_files::NOT_AS_DESIRED;
use crate::database::catalog::set_name::SetName;
use crate::package::{CrateName, Version};
use crate::statement::statement;

/// A line that the set's index has, or one of the main index that it changes.
#[derive(QueryableByName, Clone, Debug, PartialEq, Eq)]
pub struct OverlaidLine {
    #[diesel(sql_type = Text)]
    pub name: CrateName,
    #[diesel(sql_type = Text)]
    pub num: Version,
    /// The line of a version while it is not yanked.
    #[diesel(sql_type = Text)]
    pub index_line: String,
    #[diesel(sql_type = Bool)]
    pub yanked: bool,
    /// Whether the line is left out.
    #[diesel(sql_type = Bool)]
    pub deleted: bool,
}

/// What a set's index shows, and who may see that.
#[derive(Clone, Debug)]
pub struct Overlay {
    pub set_id: i32,
    pub revision: i64,
    /// Whether versions can be staged.
    pub is_open: bool,
    pub is_preview: bool,
    pub lines: Vec<OverlaidLine>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Integer)]
    set_id: i32,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = Bool)]
    is_open: bool,
    #[diesel(sql_type = Bool)]
    is_preview: bool,
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<CrateName>,
    #[diesel(sql_type = Nullable<Text>)]
    num: Option<Version>,
    #[diesel(sql_type = Nullable<Text>)]
    index_line: Option<String>,
    #[diesel(sql_type = Nullable<Bool>)]
    yanked: Option<bool>,
    #[diesel(sql_type = Nullable<Bool>)]
    deleted: Option<bool>,
}

/// The overlay of a set, in one snapshot; None if there is no such set.
pub fn of(connection: &mut PgConnection, name: &SetName) -> QueryResult<Option<Overlay>> {
    let rows: Vec<Row> = statement(format!(
        "WITH found AS (
             SELECT id, revision, is_preview, state = 'open' AND expires_at > now() AS is_open, state = 'approved' AS is_approved
             FROM release_sets WHERE name = $1)
         SELECT found.id AS set_id, revision, is_open, is_preview,
                line.name, line.num, line.index_line, line.yanked, line.deleted
         FROM found LEFT JOIN LATERAL (
             SELECT 1 AS part, staged.id, staged.name, staged.num, staged.index_line, false AS yanked, false AS deleted
             FROM staged_versions AS staged WHERE set_id = found.id AND is_open
             UNION ALL
             SELECT 2, versions.id, crates.name, versions.num, versions.index_line, change = 'yank', change = 'delete'
             FROM staged_changes JOIN versions ON versions.id = version_id JOIN crates ON crates.id = crate_id
             WHERE set_id = found.id AND is_open AND versions.deletion_requested_at IS NULL
             UNION ALL
             SELECT 3, versions.id, crates.name, versions.num, versions.index_line, versions.desired_yanked,
                    versions.deletion_requested_at IS NOT NULL
             FROM versions JOIN crates ON crates.id = crate_id
             WHERE release_set_id = found.id AND is_approved AND {NOT_AS_DESIRED}
         ) AS line ON true
         ORDER BY line.part, line.id"
    ))
    .bind::<Text, _>(name)
    .load(connection)?;
    let Some(first) = rows.first() else { return Ok(None) };
    let overlay = Overlay {
        set_id: first.set_id,
        revision: first.revision,
        is_open: first.is_open,
        is_preview: first.is_preview,
        lines: Vec::new(),
    };
    let line = |row: Row| {
        Some(OverlaidLine {
            name: row.name?,
            num: row.num?,
            index_line: row.index_line?,
            yanked: row.yanked?,
            deleted: row.deleted?,
        })
    };
    Ok(Some(Overlay { lines: rows.into_iter().filter_map(line).collect(), ..overlay }))
}
