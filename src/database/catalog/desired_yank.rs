//! The desired yank state of a version, which a yank or unyank writes.

use diesel::dsl::AsSelect;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Jsonb, Nullable, Text};
use serde_json::Value;

use super::owners::{self, Rights};
use super::versions::VersionStatus;
use crate::database::access::audit::{Actor, Event, LOGGED};
use crate::database::access::buckets::{DRAWN, Draw, LEVELS_AFTER, Levels, bind_draws};
use crate::package::Version;
use crate::statement::{columns, statement};

/// The version with this number, ignoring build metadata, and the rights of a user on its crate.
pub fn facts(
    connection: &mut PgConnection,
    crate_id: i32,
    num: &Version,
    user: i32,
) -> QueryResult<(Option<VersionStatus>, Rights)> {
    let (found, own, by_team) = statement(format!(
        "WITH asked AS MATERIALIZED (SELECT $1 AS crate_id, $2 AS num, $3 AS user_id)
         SELECT {version}, {rights}
         FROM asked
         JOIN crates ON crates.id = asked.crate_id
         LEFT JOIN versions ON versions.crate_id = crates.id AND versions.num_without_build = (SELECT num FROM asked)",
        version = columns::<VersionStatus>(),
        rights = owners::RIGHTS,
    ))
    .bind::<Integer, _>(crate_id)
    .bind::<Text, _>(num.without_build())
    .bind::<Integer, _>(user)
    .returning::<(AsSelect<Option<VersionStatus>, Pg>, Bool, Bool)>()
    .get_result(connection)?;
    Ok((found, Rights::of(own, by_team)))
}

/// Writes a version to the index together with the others of a release set.
pub fn set_release_set(connection: &mut PgConnection, version_id: i32, set: i32) -> QueryResult<()> {
    statement("UPDATE versions SET release_set_id = $1 WHERE id = $2")
        .bind::<Integer, _>(set)
        .bind::<Integer, _>(version_id)
        .execute(connection)
        .map(drop)
}

/// A desired yank state.
#[derive(Clone, Copy, Debug)]
pub struct DesiredYank<'a> {
    pub version_id: i32,
    pub yanked: bool,
    /// Why it is yanked.
    pub message: Option<&'a str>,
}

impl DesiredYank<'_> {
    /// Writes the state and an entry in the audit log, and draws from the user's buckets. If one is below zero then, the
    /// caller rolls the transaction back.
    pub fn write(
        &self,
        connection: &mut PgConnection,
        event: Event<'_>,
        actor: &Actor,
        (user, draws): (Option<i32>, &[Draw]),
    ) -> QueryResult<Levels> {
        let statement = statement(format!(
            "WITH asked AS MATERIALIZED (
                 SELECT $1 AS version_id, $2 AS yanked, $3 AS message, $4 AS audit, $5 AS user_id,
                        $6 AS bucket_actions, $7 AS bucket_sizes, $8 AS bucket_periods, $9 AS bucket_draws),
             {DRAWN},
             written AS (
                 UPDATE versions SET desired_yanked = asked.yanked, yank_message = asked.message
                 FROM asked WHERE versions.id = asked.version_id),
             {LOGGED}
             SELECT {LEVELS_AFTER}"
        ))
        .bind::<Integer, _>(self.version_id)
        .bind::<Bool, _>(self.yanked)
        .bind::<Nullable<Text>, _>(self.message)
        .bind::<Jsonb, _>(event.entry(actor))
        .bind::<Nullable<Integer>, _>(user);
        let levels: Option<Value> =
            bind_draws(statement, draws).returning::<Nullable<Jsonb>>().get_result(connection)?;
        Ok(levels.into())
    }
}
