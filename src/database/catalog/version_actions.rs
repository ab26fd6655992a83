//! Who published, yanked and unyanked versions, and which version a past request was about, from the audit log.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text, Timestamptz};

use crate::database::access::audit::Action;
use crate::database::access::users::User;
use crate::database::schema::{audit_log, users};
use crate::package::{CrateName, Version};

/// The most actions of a version that are listed, and of all versions that are asked for together: the newest.
const MAX_OF_VERSION: usize = 100;
const MAX_OF_ALL: i64 = 10_000;
/// Entries of a crate among which that of a request is looked for: the newest.
const LOOKED_THROUGH: i64 = 1_000;

/// An action of a user.
#[derive(Clone, Debug)]
pub struct VersionAction {
    /// `publish`, `yank` or `unyank`.
    pub action: String,
    pub user: User,
    pub time: DateTime<Utc>,
}

/// Actions by the canonical name of the crate and the version.
type Actions = HashMap<(String, String), Vec<VersionAction>>;

/// The actions on these versions, the oldest first. Those of operators are left out.
pub fn of_versions(connection: &mut PgConnection, versions: &[(&CrateName, &Version)]) -> QueryResult<Actions> {
    let mut names: Vec<String> = versions.iter().map(|(name, _)| name.canonical()).collect();
    names.sort_unstable();
    names.dedup();
    let nums: Vec<String> = versions.iter().map(|(_, num)| num.to_string()).collect();
    type Found = (Option<String>, Option<String>, String, DateTime<Utc>, User);
    let found: Vec<Found> = audit_log::table
        .inner_join(users::table.on(audit_log::user_id.eq(users::id.nullable())))
        .filter(sql::<Bool>("replace(lower(crate_name), '-', '_') = ANY(").bind::<Array<Text>, _>(names).sql(")"))
        .filter(audit_log::action.eq_any([Action::Publish, Action::Yank, Action::Unyank].map(Action::as_str)))
        .filter(audit_log::version.eq_any(nums))
        .order(audit_log::id.desc())
        .limit(MAX_OF_ALL)
        .select((audit_log::crate_name, audit_log::version, audit_log::action, audit_log::at, User::as_select()))
        .load(connection)?;
    let mut actions = Actions::new();
    for (name, num, action, time, user) in found {
        let name = name.and_then(|name| name.parse::<CrateName>().ok());
        let (Some(name), Some(num)) = (name, num) else { continue };
        let of_version = actions.entry((name.canonical(), num)).or_default();
        if of_version.len() < MAX_OF_VERSION {
            of_version.push(VersionAction { action, user, time });
        }
    }
    actions.values_mut().for_each(|of_version| of_version.reverse());
    Ok(actions)
}

/// A request that enqueued a job.
#[derive(Clone, Debug)]
pub struct PastRequest {
    pub krate: CrateName,
    pub action: Action,
    /// The login, or the name of an operator.
    pub actor: String,
    /// When the job was enqueued.
    pub at: DateTime<Utc>,
}

/// The version that each request was about; None if the log does not have it, or too many entries of the crate are newer.
///
/// A request locks its crate, writes its entry, and then its job. So the entries and the jobs of a crate are in the same
/// order, and the entry of a job is the last one before it.
pub fn of_requests(connection: &mut PgConnection, requests: &[PastRequest]) -> QueryResult<Vec<Option<String>>> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = BigInt)]
        place: i64,
        #[diesel(sql_type = Text)]
        version: String,
    }
    let found: Vec<Found> = diesel::sql_query(
        "SELECT request.place, entry.version
         FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS request (name, action, actor, at, place),
              LATERAL (SELECT version
                       FROM (SELECT id, version, action, actor, at FROM audit_log
                             WHERE replace(lower(crate_name), '-', '_') = request.name ORDER BY id DESC LIMIT $5) AS newest
                       WHERE action = request.action AND actor = request.actor
                             AND at BETWEEN request.at - interval '1 minute' AND request.at
                       ORDER BY id DESC LIMIT 1) AS entry
         WHERE entry.version IS NOT NULL",
    )
    .bind::<Array<Text>, _>(requests.iter().map(|one| one.krate.canonical()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(requests.iter().map(|one| one.action.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(requests.iter().map(|one| one.actor.as_str()).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(requests.iter().map(|one| one.at).collect::<Vec<_>>())
    .bind::<BigInt, _>(LOOKED_THROUGH)
    .get_results(connection)?;
    let mut versions = vec![None; requests.len()];
    for Found { place, version } in found {
        // Places are counted from 1.
        if let Some(slot) = usize::try_from(place - 1).ok().and_then(|place| versions.get_mut(place)) {
            *slot = Some(version);
        }
    }
    Ok(versions)
}
