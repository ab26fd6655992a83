//! What the database has that a publish depends on: read in one statement before the crate file is, and again in the
//! transaction that accepts the version.

use diesel::dsl::AsSelect;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text};
use serde_json::Value;

use super::crate_deletion::Deletion;
use super::crate_details::{CountedCrate, CrateRow};
use super::crate_limits::CrateLimits;
use super::crates::Crate;
use super::owners::{RIGHTS, Rights};
use super::set_refusal::Reservation;
use super::versions::VersionStatus;
use crate::database::access::buckets::{Bucket, LEVELS, Levels, bind_buckets};
use crate::database::types::TextArray;
use crate::package::{CrateName, Version};
use crate::statement::{columns, statement};

/// The facts about a crate, a version and a user.
#[derive(Clone, Debug)]
pub struct Facts {
    pub rights: Rights,
    /// The version with the published number, ignoring build metadata.
    pub same: Option<VersionStatus>,
    /// The size in bytes of the crate's index file with all desired lines.
    pub index_bytes: u64,
    /// Why the name is reserved.
    pub reserved: Option<String>,
    /// The open release set that has the number, or the name of a new crate.
    pub staged: Option<Reservation>,
    /// Whether the crate is published by approvals only.
    pub needs_approval: bool,
    /// The user's rate limits and upload allowance: before the publish, or after its draws.
    pub levels: Levels,
}

/// The facts before a publish.
#[derive(Clone, Debug)]
pub struct Before {
    pub krate: Option<Crate>,
    pub facts: Facts,
    /// The crate as clients see it, without what a deletion left.
    pub details: Option<CountedCrate>,
    /// The limits of the name.
    pub limits: CrateLimits,
    /// The names of crates that are not deleted, among those that have one of the names asked for in any spelling.
    pub present: Vec<CrateName>,
}

/// SQL: expressions with the facts behind the [rights](RIGHTS), in a statement in which `crates.id` is the crate and
/// `reserved_names` is joined; `asked` has `canonical_name` and `num_without_build`. The size of the index file is that of the noted file and of the lines that are not in it yet,
/// which the index `versions_not_as_desired` finds; without a noted file, that of all lines.
pub(super) const FACTS: &str = "
    (CASE WHEN crates.index_bytes IS NOT NULL THEN crates.index_bytes + coalesce((
             SELECT sum(octet_length(line.index_line) + 1) FROM versions AS line
             WHERE line.crate_id = crates.id AND line.state <> 'deleted'
                 AND (line.effective_yanked IS DISTINCT FROM line.desired_yanked OR line.deletion_requested_at IS NOT NULL)
                 AND line.effective_yanked IS NULL AND line.deletion_requested_at IS NULL), 0)
         ELSE coalesce((
             SELECT sum(octet_length(line.index_line) + 1) FROM versions AS line
             WHERE line.crate_id = crates.id AND line.deletion_requested_at IS NULL), 0)
         END)::bigint,
    reserved_names.reason,
    (SELECT jsonb_build_object('set_id', set_id, 'set', release_sets.name, 'name', staged.name, 'num', staged.num,
                               'is_new_crate', is_new_crate, 'staged_by', staged_by, 'login', login)
     FROM staged_versions AS staged JOIN release_sets ON release_sets.id = set_id JOIN users ON users.id = staged_by
     WHERE staged.canonical_name = asked.canonical_name
         AND (is_new_crate OR staged.num_without_build = asked.num_without_build)
     ORDER BY staged.num_without_build = asked.num_without_build DESC LIMIT 1)";

/// SQL: whether a crate may be published by an approval only, in a statement in which `asked` has `canonical_name` and
/// `crates` is joined.
pub(super) fn needs_approval() -> String {
    format!("EXISTS (SELECT FROM staging_rules AS rule WHERE {})", rule_covers("asked.canonical_name", "crates.id"))
}

/// SQL: whether the staging rule `rule` is about the crate with this canonical name and id.
pub(in crate::database) fn rule_covers(canonical_name: &str, crate_id: &str) -> String {
    format!(
        "CASE WHEN rule.owned_by IS NOT NULL
              THEN EXISTS (SELECT FROM crate_team_owners WHERE crate_id = {crate_id} AND team_id = rule.owned_by)
              WHEN rule.is_prefix THEN starts_with({canonical_name}, rule.canonical)
              ELSE {canonical_name} = rule.canonical END"
    )
}

/// The types of [`RIGHTS`], [`FACTS`] and [`needs_approval`], and of the levels and the version with the same number behind them.
pub(super) type FactsColumns =
    (Bool, Bool, BigInt, Nullable<Text>, Nullable<Jsonb>, Bool, Nullable<Jsonb>, AsSelect<Option<VersionStatus>, Pg>);

pub(super) type FactsRow = (bool, bool, i64, Option<String>, Option<Value>, bool, Option<Value>, Option<VersionStatus>);

impl From<FactsRow> for Facts {
    fn from((own, by_team, index_bytes, reserved, staged, needs_approval, levels, same): FactsRow) -> Self {
        Self {
            rights: Rights::of(own, by_team),
            same,
            index_bytes: u64::try_from(index_bytes).unwrap_or(0),
            reserved,
            // The statement makes it of columns that are checked.
            staged: staged.and_then(|staged| serde_json::from_value(staged).ok()),
            needs_approval,
            levels: levels.into(),
        }
    }
}

/// Reads the facts for a publish by a user. `dependencies` are the names that are looked up.
pub fn read(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    user: i32,
    dependencies: &[String],
    buckets: &[Bucket],
) -> QueryResult<Before> {
    type Columns = (
        AsSelect<Option<Deletion>, Pg>,
        AsSelect<Option<CrateRow>, Pg>,
        (Nullable<BigInt>, Nullable<BigInt>, Nullable<Text>),
        AsSelect<CrateLimits, Pg>,
        Array<Text>,
        FactsColumns,
    );
    type Counts = (Option<i64>, Option<i64>, Option<Version>);
    type Row = (Option<Deletion>, Option<CrateRow>, Counts, CrateLimits, TextArray<CrateName>, FactsRow);
    // The number is a subquery, so that the index finds the one version; a column would be compared with each.
    let needs_approval = needs_approval();
    let statement = statement(format!(
        "WITH asked AS MATERIALIZED (
             SELECT $1 AS canonical_name, $2 AS num_without_build, $3 AS user_id, $4 AS dependencies,
                    $5 AS bucket_actions, $6 AS bucket_sizes, $7 AS bucket_periods)
         SELECT {deletion}, {row}, crate_downloads.downloads, crate_downloads.recent, shown.num, {limits},
                -- A row at a time: a join would read all crates while there are few.
                ARRAY(SELECT present.name FROM unnest(asked.dependencies) AS wanted, LATERAL (
                          SELECT name FROM crates WHERE canonical_name = wanted AND deleted_at IS NULL LIMIT 1
                      ) AS present),
                {RIGHTS}, {FACTS}, {needs_approval}, {LEVELS}, {same}
         FROM asked
         LEFT JOIN crates ON crates.canonical_name = asked.canonical_name
         LEFT JOIN versions ON versions.crate_id = crates.id
             AND versions.num_without_build = (SELECT num_without_build FROM asked)
         LEFT JOIN crate_downloads ON crate_downloads.crate_id = crates.id
         LEFT JOIN versions AS shown ON shown.id = crates.default_version_id
         LEFT JOIN crate_limits ON crate_limits.canonical_name = asked.canonical_name
         LEFT JOIN reserved_names ON reserved_names.canonical_name = asked.canonical_name",
        same = columns::<VersionStatus>(),
        deletion = columns::<Deletion>(),
        row = columns::<CrateRow>(),
        limits = columns::<CrateLimits>(),
    ))
    .bind::<Text, _>(name.canonical())
    .bind::<Text, _>(num.without_build())
    .bind::<Integer, _>(user)
    .bind::<Array<Text>, _>(dependencies);
    let (deletion, row, (downloads, recent, default_version), limits, present, facts): Row =
        bind_buckets(statement, buckets).returning::<Columns>().get_result(connection)?;
    let krate = row.as_ref().map(|row| Crate {
        id: row.id,
        name: row.name.clone(),
        deletion: deletion.unwrap_or_default(),
        trustpub_only: row.trustpub_only,
    });
    let is_present = krate.as_ref().is_some_and(|krate| !krate.deletion.is_deleted());
    let details = row.filter(|_| is_present).map(|row| CountedCrate {
        row,
        default_version,
        downloads: downloads.unwrap_or(0),
        recent_downloads: recent.unwrap_or(0),
    });
    Ok(Before { krate, facts: facts.into(), details, limits, present: present.0 })
}
