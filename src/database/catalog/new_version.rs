//! New rows of versions: of a publish, of a repair and of an import.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Jsonb, Nullable, Text};

use super::crate_files;
use super::crates::Crate;
use super::new_dependencies::{self, COLUMNS, ROWS};
use super::owners::RIGHTS;
use super::publish_facts::{FACTS, Facts, FactsColumns, FactsRow, needs_approval};
use super::versions::VersionStatus;
use crate::database::about::About;
use crate::database::access::audit::{Actor, Event, LOGGED};
use crate::database::access::buckets::{DRAWN, Draw, LEVELS_AFTER, bind_draws};
use crate::database::access::provenance::Provenance;
use crate::database::schema::versions;
use crate::package::dependency::Dependency;
use crate::package::{Checksum, Version};
use crate::statement::{columns, statement};

/// The version of a publish.
pub struct NewVersion<'a> {
    pub krate: &'a Crate,
    /// Whether the crate is new, and gets its owner.
    pub is_new: bool,
    pub num: &'a Version,
    pub checksum: Checksum,
    pub size: i64,
    pub index_line: &'a str,
    pub metadata: &'a serde_json::Value,
    pub about: &'a About,
    pub dependencies: &'a [Dependency],
    pub created_by: i32,
    /// The owner of a new crate.
    pub owner: i32,
    /// If a trusted publisher publishes it.
    pub provenance: Option<&'a Provenance>,
    pub draws: &'a [Draw],
    /// The release set with which it is written to the index.
    pub release_set: Option<i32>,
}

impl NewVersion<'_> {
    /// Inserts the version as queued, with its dependencies, its owner and its entry in the audit log, and draws from the
    /// user's buckets. Returns the id of the version, and the facts to judge the publish by: they are as they were before,
    /// except for the levels of the buckets. If they refuse it, the caller rolls the transaction back. The id is None if the crate has this number,
    /// ignoring build metadata.
    ///
    /// The caller has locked the crate's row in an earlier statement, so that the facts stay. The transaction then holds the
    /// lock that prevents the removal of the crate file.
    pub fn insert(
        &self,
        connection: &mut PgConnection,
        event: Event<'_>,
        actor: &Actor,
    ) -> QueryResult<(Option<i32>, Facts)> {
        let needs_approval = needs_approval();
        let statement = statement(format!(
            "WITH asked AS MATERIALIZED (
                 SELECT $1 AS crate_id, $2 AS is_new, $3 AS canonical_name, $4 AS num_without_build, $5 AS user_id, $6 AS owner_id,
                        $7 AS dependencies, $8 AS audit, $9 AS file_class, $10 AS file_key,
                        $11 AS bucket_actions, $12 AS bucket_sizes, $13 AS bucket_periods, $14 AS bucket_draws),
             {DRAWN},
             owner AS (
                 INSERT INTO crate_owners (crate_id, user_id) SELECT crate_id, owner_id FROM asked WHERE is_new
                 ON CONFLICT DO NOTHING),
             version AS (
                 INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, metadata, manifest,
                                       created_by, release_set_id, provenance)
                 SELECT crate_id, $15, num_without_build, $16, $17, $18, $19, $20, user_id, $21, $22 FROM asked
                 ON CONFLICT DO NOTHING
                 RETURNING id, (SELECT pg_advisory_xact_lock_shared(file_class, file_key)::text FROM asked)),
             dependency AS (
                 INSERT INTO dependencies (version_id, {COLUMNS})
                 SELECT version.id, dependency.* FROM version, asked, {ROWS} ORDER BY place),
             {LOGGED}
             SELECT version.id, {RIGHTS}, {FACTS}, {needs_approval}, {LEVELS_AFTER}, {same}
             FROM asked
             JOIN crates ON crates.id = asked.crate_id
             LEFT JOIN version ON true
             LEFT JOIN versions ON versions.crate_id = crates.id
                 AND versions.num_without_build = (SELECT num_without_build FROM asked)
             LEFT JOIN reserved_names ON reserved_names.canonical_name = asked.canonical_name",
            same = columns::<VersionStatus>(),
        ))
        .bind::<Integer, _>(self.krate.id)
        .bind::<Bool, _>(self.is_new)
        .bind::<Text, _>(self.krate.name.canonical())
        .bind::<Text, _>(self.num.without_build())
        .bind::<Integer, _>(self.created_by)
        .bind::<Integer, _>(self.owner)
        .bind::<Jsonb, _>(new_dependencies::rows(self.dependencies))
        .bind::<Jsonb, _>(event.entry(actor))
        .bind::<Integer, _>(crate_files::CLASS)
        .bind::<Integer, _>(crate_files::key(self.checksum));
        let (id, facts): (Option<i32>, FactsRow) = bind_draws(statement, self.draws)
            .bind::<Text, _>(self.num)
            .bind::<Binary, _>(self.checksum)
            .bind::<BigInt, _>(self.size)
            .bind::<Text, _>(self.index_line)
            .bind::<Jsonb, _>(self.metadata)
            .bind::<Jsonb, _>(self.about.to_json())
            .bind::<Nullable<Integer>, _>(self.release_set)
            .bind::<Nullable<Jsonb>, _>(self.provenance.map(Provenance::to_json))
            .returning::<(Nullable<Integer>, FactsColumns)>()
            .get_result(connection)?;
        Ok((id, facts.into()))
    }
}

/// A version of a repair or an import. It is in the index already, or will be.
pub struct RestoredVersion<'a> {
    pub crate_id: i32,
    pub num: &'a Version,
    pub checksum: Checksum,
    /// The size of the crate file in bytes.
    pub size: i64,
    /// The line of the version while it is not yanked.
    pub index_line: &'a str,
    pub desired_yanked: bool,
    pub yank_message: Option<&'a str>,
    pub metadata: &'a serde_json::Value,
    /// The JSON of an [`About`].
    pub manifest: &'a serde_json::Value,
    pub created_by: Option<i32>,
    /// The time of its publication, if that is known.
    pub published_at: Option<DateTime<Utc>>,
    /// The reason of its deletion, if it was deleted and only its number is restored.
    pub deletion_reason: Option<&'a str>,
    /// Whether its dependencies on crates.io count as dependencies on this registry.
    pub crates_io_here: bool,
}

impl RestoredVersion<'_> {
    /// Inserts the version as queued; None if the crate has this number, ignoring build metadata.
    pub fn insert(&self, connection: &mut PgConnection) -> QueryResult<Option<i32>> {
        let now = Utc::now();
        diesel::insert_into(versions::table)
            .values((
                versions::crate_id.eq(self.crate_id),
                versions::num.eq(self.num),
                versions::num_without_build.eq(self.num.without_build()),
                versions::checksum.eq(self.checksum),
                versions::size.eq(self.size),
                versions::index_line.eq(self.index_line),
                versions::desired_yanked.eq(self.desired_yanked),
                versions::yank_message.eq(self.yank_message),
                versions::metadata.eq(self.metadata),
                versions::manifest.eq(self.manifest),
                versions::created_by.eq(self.created_by),
                versions::created_at.eq(self.published_at.unwrap_or(now)),
                versions::published_at.eq(self.published_at),
                versions::deletion_requested_at.eq(self.deletion_reason.map(|_| now)),
                versions::deletion_reason.eq(self.deletion_reason),
                versions::crates_io_here.eq(self.crates_io_here),
            ))
            .on_conflict_do_nothing()
            .returning(versions::id)
            .get_result(connection)
            .optional()
    }
}
