//! Release sets and the locks of their rows.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz};
use serde_json::Value;

use crate::database::access::users::login_of;
use crate::database::catalog::publish_facts::rule_covers;
use crate::database::catalog::set_name::SetName;
use crate::database::catalog::set_refusal::SetRefusal;
pub use crate::database::catalog::set_state::SetState;
use crate::database::schema::{release_sets, staged_versions};
use crate::package::{CrateName, Version};
use crate::statement::statement;

/// A release set.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = release_sets)]
pub struct ReleaseSet {
    pub id: i32,
    pub name: SetName,
    pub title: Option<String>,
    /// Whether everyone who may read the registry may read the set while it is open.
    pub is_preview: bool,
    state: String,
    /// Changes with what is staged.
    pub revision: i64,
    /// None: an operator.
    pub created_by: Option<i32>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// None: the set expired.
    pub ended_by: Option<String>,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// What was staged when the set ended.
    pub contents: Option<Value>,
}

impl ReleaseSet {
    /// The state; an open set whose time is over has expired, even before that is written.
    pub fn state(&self, now: DateTime<Utc>) -> SetState {
        match self.state.parse() {
            Ok(SetState::Open) | Err(_) if self.expires_at <= now => SetState::Expired,
            Ok(state) => state,
            Err(_) => SetState::Open,
        }
    }

    /// Whether it ended before anything was staged: its name is free.
    pub fn is_unused(&self, now: DateTime<Utc>) -> bool {
        self.state(now) != SetState::Open && self.revision == 0
    }

    /// Refuses a change of a set that has ended.
    pub fn check_open(&self, now: DateTime<Utc>) -> Result<(), SetRefusal> {
        match self.state(now) {
            SetState::Open => Ok(()),
            state => {
                let ended = self.ended_at.unwrap_or(self.expires_at);
                Err(SetRefusal::Ended { name: self.name.clone(), state, ended })
            }
        }
    }
}

/// A set to create.
#[derive(Clone, Debug)]
pub struct NewSet<'a> {
    pub name: &'a SetName,
    pub title: Option<&'a str>,
    pub is_preview: bool,
    pub created_by: Option<i32>,
    pub expires_at: DateTime<Utc>,
    /// Whether it is for the only version that a plain publish staged.
    pub is_of_publish: bool,
}

/// Creates a set; None if there is or was one with this name. One that ended before anything was staged in it does not count.
pub fn create(connection: &mut PgConnection, new: &NewSet<'_>) -> QueryResult<Option<ReleaseSet>> {
    let values = (
        release_sets::title.eq(new.title),
        release_sets::is_preview.eq(new.is_preview),
        release_sets::created_by.eq(new.created_by),
        release_sets::expires_at.eq(new.expires_at),
        release_sets::is_of_publish.eq(new.is_of_publish),
    );
    let anew = (
        values,
        release_sets::state.eq(SetState::Open.as_str()),
        release_sets::created_at.eq(diesel::dsl::now),
        release_sets::ended_at.eq(None::<DateTime<Utc>>),
        release_sets::ended_by.eq(None::<String>),
        release_sets::reason.eq(None::<String>),
        release_sets::contents.eq(None::<Value>),
    );
    let unused = release_sets::table
        .filter(release_sets::name.eq(new.name))
        .filter(release_sets::state.ne(SetState::Open.as_str()).or(release_sets::expires_at.le(diesel::dsl::now)))
        .filter(release_sets::revision.eq(0));
    let begun_anew =
        diesel::update(unused).set(anew).returning(ReleaseSet::as_returning()).get_result(connection).optional()?;
    if begun_anew.is_some() {
        return Ok(begun_anew);
    }
    diesel::insert_into(release_sets::table)
        .values((release_sets::name.eq(new.name), values))
        .on_conflict_do_nothing()
        .returning(ReleaseSet::as_returning())
        .get_result(connection)
        .optional()
}

/// Finds a set, whatever its state.
pub fn find(connection: &mut PgConnection, name: &SetName) -> QueryResult<Option<ReleaseSet>> {
    release_sets::table.filter(release_sets::name.eq(name)).select(ReleaseSet::as_select()).first(connection).optional()
}

/// Finds a set and locks its row until the transaction ends, with the present time. Every change of a set takes this lock
/// before those of crates.
pub fn find_and_lock(
    connection: &mut PgConnection,
    name: &SetName,
) -> QueryResult<Option<(ReleaseSet, DateTime<Utc>)>> {
    release_sets::table
        .filter(release_sets::name.eq(name))
        .select((ReleaseSet::as_select(), sql::<Timestamptz>("clock_timestamp()")))
        .for_no_key_update()
        .first(connection)
        .optional()
}

/// The open set that an earlier plain publish of a version by this user has made.
pub fn of_publish(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    user: i32,
) -> QueryResult<Option<SetName>> {
    staged_versions::table
        .inner_join(release_sets::table)
        .filter(staged_versions::canonical_name.eq(name.canonical()))
        .filter(staged_versions::num_without_build.eq(num.without_build()))
        .filter(release_sets::is_of_publish)
        .filter(release_sets::created_by.eq(user))
        .filter(release_sets::state.eq(SetState::Open.as_str()))
        .filter(release_sets::expires_at.gt(diesel::dsl::now))
        .select(release_sets::name)
        .first(connection)
        .optional()
}

/// The number of open sets that a user has created.
pub fn open_of(connection: &mut PgConnection, user: i32) -> QueryResult<i64> {
    release_sets::table
        .filter(release_sets::created_by.eq(user))
        .filter(release_sets::state.eq(SetState::Open.as_str()))
        .count()
        .get_result(connection)
}

/// The login of a set's creator.
pub fn creator(connection: &mut PgConnection, set: &ReleaseSet) -> QueryResult<Option<String>> {
    set.created_by.map_or(Ok(None), |user| login_of(connection, user))
}

/// The conditions on listed sets.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<SetState>,
    /// Only sets that this user may see.
    pub seen_by: Option<i32>,
    /// Only sets older than this one, for the next page.
    pub before: Option<i32>,
}

/// Lists sets, the newest first.
pub fn list(connection: &mut PgConnection, filter: &Filter, limit: i64) -> QueryResult<Vec<ReleaseSet>> {
    let mut query =
        release_sets::table.select(ReleaseSet::as_select()).order(release_sets::id.desc()).limit(limit).into_boxed();
    let is_over = || sql::<Bool>("release_sets.expires_at <= now()");
    match filter.state {
        None => {}
        Some(SetState::Open) => {
            query = query.filter(release_sets::state.eq("open")).filter(diesel::dsl::not(is_over()));
        }
        Some(SetState::Expired) => {
            let is_open = release_sets::state.eq("open");
            query = query.filter(release_sets::state.eq("expired").or(is_open.and(is_over())));
        }
        Some(state) => query = query.filter(release_sets::state.eq(state.as_str())),
    }
    if let Some(user) = filter.seen_by {
        query = query.filter(
            sql::<Bool>("(is_preview OR EXISTS (WITH asked AS (SELECT release_sets.id AS set_id, ")
                .bind::<Integer, _>(user)
                .sql(&format!(" AS user_id) {})", membership()))
                // Into a set of an operator every user may publish.
                .sql(" OR created_by IS NULL OR created_by = ")
                .bind::<Integer, _>(user)
                .sql(&format!(" OR {STAGED_BEFORE}"))
                .bind::<Integer, _>(user)
                .sql("))))"),
        );
    }
    if let Some(before) = filter.before {
        query = query.filter(release_sets::id.lt(before));
    }
    query.load(connection)
}

/// SQL: whether a user had staged something in the set when it ended. The id of the user and three parentheses follow.
const STAGED_BEFORE: &str =
    "jsonb_path_exists(contents, '$.*[*].staged_by ? (@ == $login)', jsonb_build_object('login', (
    SELECT login FROM users WHERE id = ";

/// Whether a user had staged something in a set when it ended.
pub fn had_staged(set: &ReleaseSet, login: &str) -> bool {
    let contents = set.contents.iter().flat_map(|contents| ["versions", "changes"].map(|field| &contents[field]));
    contents.filter_map(Value::as_array).flatten().any(|one| one["staged_by"] == login)
}

/// SQL: the crates that are in sets, with who has put them there.
const STAGED: &str = "
    (SELECT set_id, canonical_name, staged_by, owner_if_new, staged_at, is_new_crate FROM staged_versions
     UNION ALL
     SELECT set_id, canonical_name, staged_by, NULL, staged_at, false
     FROM staged_changes JOIN versions ON versions.id = version_id JOIN crates ON crates.id = crate_id) AS staged";

/// SQL: whether `asked.user_id` has staged something, or will own a new crate that a machine has staged; never NULL.
const STAGED_FOR: &str = "(staged.staged_by = asked.user_id OR staged.owner_if_new IS NOT DISTINCT FROM asked.user_id)";

/// SQL: rows if `asked.user_id` may publish the existing crate `staged.canonical_name`. The owners of a crate that was made
/// or imported since, because the name was free, have nothing to do with what is staged.
const PUBLISHES: &str = "
    SELECT FROM crates AS own JOIN crate_owners ON crate_owners.crate_id = own.id
    WHERE own.canonical_name = staged.canonical_name AND crate_owners.user_id = asked.user_id
        AND own.created_at <= staged.staged_at AND NOT staged.is_new_crate
    UNION ALL
    SELECT FROM crates AS own JOIN crate_team_owners ON crate_team_owners.crate_id = own.id
    JOIN team_members USING (team_id)
    WHERE own.canonical_name = staged.canonical_name AND team_members.user_id = asked.user_id
        AND own.created_at <= staged.staged_at AND NOT staged.is_new_crate";

/// SQL: rows if `asked.user_id` has staged something in `asked.set_id`, may publish one of its crates, or belongs to a team that
/// has to approve one of them.
fn membership() -> String {
    let covers =
        rule_covers("staged.canonical_name", "(SELECT id FROM crates WHERE canonical_name = staged.canonical_name)");
    format!(
        "SELECT FROM asked JOIN {STAGED} USING (set_id)
         WHERE {STAGED_FOR} OR EXISTS ({PUBLISHES})
             OR EXISTS (SELECT FROM staging_rules AS rule JOIN team_members ON team_members.team_id = rule.approved_by
                        WHERE team_members.user_id = asked.user_id AND {covers})"
    )
}

/// Whether a user belongs to a set: by having created it, by having staged something in it, by the right to publish one of its
/// crates, or as one of those who have to approve them. Every user belongs to a set of an operator.
pub fn is_member(connection: &mut PgConnection, set: &ReleaseSet, user: i32) -> QueryResult<bool> {
    Ok(set.created_by.is_none_or(|creator| creator == user) || has_part(connection, set, user)?)
}

/// Whether a user has a part in a set, apart from having created it.
pub fn has_part(connection: &mut PgConnection, set: &ReleaseSet, user: i32) -> QueryResult<bool> {
    statement(format!("WITH asked AS (SELECT $1 AS set_id, $2 AS user_id) SELECT EXISTS ({})", membership()))
        .bind::<Integer, _>(set.id)
        .bind::<Integer, _>(user)
        .returning::<Bool>()
        .get_result(connection)
}

/// Whether a user has created a set, or has staged or may publish everything in it. No user decides over a set of an
/// operator.
pub fn is_manager(connection: &mut PgConnection, set: &ReleaseSet, user: i32) -> QueryResult<bool> {
    match set.created_by {
        None => return Ok(false),
        Some(creator) if creator == user => return Ok(true),
        Some(_) => {}
    }
    statement(format!(
        "WITH asked AS (SELECT $1 AS set_id, $2 AS user_id),
         judged AS (
             SELECT {STAGED_FOR} OR EXISTS ({PUBLISHES}) AS is_theirs
             FROM asked JOIN {STAGED} USING (set_id))
         SELECT coalesce(bool_and(is_theirs), false) FROM judged"
    ))
    .bind::<Integer, _>(set.id)
    .bind::<Integer, _>(user)
    .returning::<Bool>()
    .get_result(connection)
}

/// Whether a user may stage more in a set, or take this crate out of it: its creator, and those who have staged
/// something in it or may publish one of its crates.
pub fn is_contributor(
    connection: &mut PgConnection,
    set: &ReleaseSet,
    (user, krate): (i32, Option<&CrateName>),
) -> QueryResult<bool> {
    if set.created_by == Some(user) {
        return Ok(true);
    }
    statement(format!(
        "WITH asked AS (SELECT $1 AS set_id, $2 AS user_id, $3 AS only_of)
         SELECT EXISTS (
             SELECT FROM asked JOIN {STAGED} USING (set_id)
             WHERE (only_of IS NULL OR staged.canonical_name = only_of)
                 AND ({STAGED_FOR} OR EXISTS ({PUBLISHES})))"
    ))
    .bind::<Integer, _>(set.id)
    .bind::<Integer, _>(user)
    .bind::<Nullable<Text>, _>(krate.map(CrateName::canonical))
    .returning::<Bool>()
    .get_result(connection)
}

/// Notes that something else is staged now. The caller holds the set's lock.
pub fn raise_revision(connection: &mut PgConnection, id: i32) -> QueryResult<i64> {
    diesel::update(release_sets::table.find(id))
        .set(release_sets::revision.eq(release_sets::revision + 1))
        .returning(release_sets::revision)
        .get_result(connection)
}

/// Ends a set. The caller holds its lock.
pub fn end(
    connection: &mut PgConnection,
    id: i32,
    (state, by): (SetState, Option<&str>),
    (reason, contents): (Option<&str>, &Value),
) -> QueryResult<()> {
    diesel::update(release_sets::table.find(id))
        .set((
            release_sets::state.eq(state.as_str()),
            release_sets::ended_at.eq(diesel::dsl::now),
            release_sets::ended_by.eq(by),
            release_sets::reason.eq(reason),
            release_sets::contents.eq(contents),
        ))
        .execute(connection)
        .map(drop)
}

/// Changes title, end and visibility of a set. The caller holds its lock.
pub fn update(
    connection: &mut PgConnection,
    id: i32,
    (title, expires_at, is_preview): (Option<&str>, DateTime<Utc>, bool),
) -> QueryResult<()> {
    diesel::update(release_sets::table.find(id))
        .set((
            release_sets::title.eq(title),
            release_sets::expires_at.eq(expires_at),
            release_sets::is_preview.eq(is_preview),
        ))
        .execute(connection)
        .map(drop)
}

/// The open sets that are not empty and end before this time, and when.
pub fn ending_before(connection: &mut PgConnection, time: DateTime<Utc>) -> QueryResult<Vec<(SetName, DateTime<Utc>)>> {
    statement(
        "SELECT name, expires_at FROM release_sets
         WHERE state = 'open' AND expires_at < $1 AND EXISTS (SELECT FROM staged_versions WHERE set_id = release_sets.id)
         ORDER BY expires_at LIMIT 100",
    )
    .bind::<Timestamptz, _>(time)
    .returning::<(Text, Timestamptz)>()
    .get_results(connection)
}

/// The names of open sets whose time is over.
pub fn overdue(connection: &mut PgConnection, limit: i64) -> QueryResult<Vec<SetName>> {
    statement("SELECT name FROM release_sets WHERE state = 'open' AND expires_at <= now() ORDER BY expires_at LIMIT $1")
        .bind::<BigInt, _>(limit)
        .returning::<Text>()
        .get_results(connection)
}
