//! Release sets as a list shows them.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer};

use super::sets::{self, Filter, ReleaseSet};
use crate::database::schema::users;
use crate::statement::statement;

/// A set, with how much there is in it.
#[derive(Clone, Debug)]
pub struct ListedSet {
    pub set: ReleaseSet,
    /// The login of its creator; None: an operator.
    pub created_by: Option<String>,
    /// The staged versions, or those that were staged when the set ended.
    pub versions: i64,
    /// The same of the changes of published versions.
    pub changes: i64,
}

/// Lists sets, the newest first, with three statements.
pub fn list(connection: &mut PgConnection, filter: &Filter, limit: i64) -> QueryResult<Vec<ListedSet>> {
    let found = sets::list(connection, filter, limit)?;
    let ids: Vec<i32> = found.iter().map(|set| set.id).collect();
    let creators: Vec<i32> = found.iter().filter_map(|set| set.created_by).collect();
    let logins: Vec<(i32, String)> =
        users::table.filter(users::id.eq_any(creators)).select((users::id, users::login)).load(connection)?;
    let logins: HashMap<i32, String> = logins.into_iter().collect();
    let counts: HashMap<i32, (i64, i64)> = counts(connection, &ids)?;
    let listed = found.into_iter().map(|set| {
        let created_by = set.created_by.and_then(|id| logins.get(&id).cloned());
        let past = |field: &str| {
            let list = set.contents.as_ref()?.get(field)?.as_array()?;
            i64::try_from(list.len()).ok()
        };
        let (versions, changes) = counts.get(&set.id).copied().unwrap_or_default();
        let (versions, changes) = (past("versions").unwrap_or(versions), past("changes").unwrap_or(changes));
        ListedSet { set, created_by, versions, changes }
    });
    Ok(listed.collect())
}

/// How many versions and changes are staged in these sets.
fn counts(connection: &mut PgConnection, sets: &[i32]) -> QueryResult<HashMap<i32, (i64, i64)>> {
    let rows: Vec<(i32, i64, i64)> = statement(
        "SELECT asked.id, (SELECT count(*) FROM staged_versions WHERE set_id = asked.id),
                (SELECT count(*) FROM staged_changes WHERE set_id = asked.id)
         FROM unnest($1) AS asked (id)",
    )
    .bind::<Array<Integer>, _>(sets)
    .returning::<(Integer, BigInt, BigInt)>()
    .get_results(connection)?;
    Ok(rows.into_iter().map(|(id, versions, changes)| (id, (versions, changes))).collect())
}
