//! Who published, yanked and unyanked versions, from the audit log.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text};

use crate::database::access::audit::Action;
use crate::database::access::users::User;
use crate::database::schema::{audit_log, users};
use crate::package::{CrateName, Version};

/// The most actions of a version that are listed, and of all versions that are asked for together: the newest.
const MAX_OF_VERSION: usize = 100;
const MAX_OF_ALL: i64 = 10_000;

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
