//! Which crates are published by approvals only, and who has to approve.

use std::fmt;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};
use serde::Serialize;

use crate::database::access::caller::Authority;
use crate::database::catalog::publish_facts::rule_covers;
use crate::database::schema::{set_approvals, staging_rules, teams};
use crate::package::CrateName;
use crate::package::crate_pattern::CratePattern;
use crate::statement::statement;

/// What a rule is about.
#[derive(Clone, Debug)]
pub enum Subject {
    Crates(CratePattern),
    /// The crates that a team owns, by its id and name.
    OfTeam(i32, String),
}

/// A rule to add.
#[derive(Clone, Debug)]
pub struct NewRule {
    pub subject: Subject,
    pub approvals: i32,
    pub by_another: bool,
    /// The team whose members approve.
    pub approved_by: Option<i32>,
}

/// A rule.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: i32,
    /// A crate, a prefix with `*`, or `team:NAME` for the crates of a team.
    pub subject: String,
    /// How many users have to approve.
    pub approvals: i32,
    /// Whether the approval of a user who staged a version does not count for it.
    pub by_another: bool,
    /// The team whose members approve; None: the users who may publish the crate.
    pub approved_by: Option<String>,
}

/// Adds a rule; None if there is one with this subject.
pub fn add(connection: &mut PgConnection, rule: &NewRule) -> QueryResult<Option<i32>> {
    let (subject, canonical, is_prefix, owned_by) = match &rule.subject {
        Subject::Crates(pattern) => {
            let (canonical, is_prefix) = pattern.canonical();
            (pattern.to_string(), Some(canonical), is_prefix, None)
        }
        Subject::OfTeam(id, name) => (format!("team:{name}"), None, false, Some(*id)),
    };
    let same = staging_rules::table
        .filter(staging_rules::canonical.eq(&canonical))
        .filter(staging_rules::is_prefix.eq(is_prefix))
        .filter(staging_rules::canonical.is_not_null());
    if diesel::select(diesel::dsl::exists(same)).get_result(connection)? {
        return Ok(None);
    }
    diesel::insert_into(staging_rules::table)
        .values((
            staging_rules::subject.eq(subject),
            staging_rules::canonical.eq(canonical),
            staging_rules::is_prefix.eq(is_prefix),
            staging_rules::owned_by.eq(owned_by),
            staging_rules::approvals.eq(rule.approvals),
            staging_rules::by_another.eq(rule.by_another),
            staging_rules::approved_by.eq(rule.approved_by),
        ))
        .on_conflict_do_nothing()
        .returning(staging_rules::id)
        .get_result(connection)
        .optional()
}

/// Removes a rule; its subject, if there was one.
pub fn remove(connection: &mut PgConnection, id: i32) -> QueryResult<Option<String>> {
    diesel::delete(staging_rules::table.find(id)).returning(staging_rules::subject).get_result(connection).optional()
}

/// All rules, in the order of their ids.
pub fn list(connection: &mut PgConnection) -> QueryResult<Vec<Rule>> {
    let rows: Vec<(i32, String, i32, bool, Option<String>)> = staging_rules::table
        .left_join(teams::table.on(staging_rules::approved_by.eq(teams::id.nullable())))
        .order(staging_rules::id)
        .select((
            staging_rules::id,
            staging_rules::subject,
            staging_rules::approvals,
            staging_rules::by_another,
            teams::name.nullable(),
        ))
        .load(connection)?;
    let rule =
        |(id, subject, approvals, by_another, approved_by)| Rule { id, subject, approvals, by_another, approved_by };
    Ok(rows.into_iter().map(rule).collect())
}

/// The rules that name a team, each as its number and subject.
pub fn naming_team(connection: &mut PgConnection, team: i32) -> QueryResult<Vec<String>> {
    let rows: Vec<(i32, String)> = staging_rules::table
        .filter(staging_rules::owned_by.eq(team).or(staging_rules::approved_by.eq(team)).assume_not_null())
        .order(staging_rules::id)
        .select((staging_rules::id, staging_rules::subject))
        .load(connection)?;
    Ok(rows.into_iter().map(|(id, subject)| format!("{id}: {subject}")).collect())
}

/// Notes that a user approves a revision of a set.
pub fn approve(connection: &mut PgConnection, (set_id, revision): (i32, i64), approver: &Authority) -> QueryResult<()> {
    let (token, as_admin) = (approver.token.id, approver.is_admin());
    diesel::insert_into(set_approvals::table)
        .values((
            set_approvals::set_id.eq(set_id),
            set_approvals::user_id.eq(approver.user.id),
            set_approvals::token_id.eq(token),
            set_approvals::as_admin.eq(as_admin),
            set_approvals::revision.eq(revision),
        ))
        .on_conflict((set_approvals::set_id, set_approvals::user_id))
        .do_update()
        .set((
            set_approvals::token_id.eq(token),
            set_approvals::as_admin.eq(as_admin),
            set_approvals::revision.eq(revision),
            set_approvals::at.eq(diesel::dsl::now),
        ))
        .execute(connection)
        .map(drop)
}

/// Takes an approval back; false if there is none.
pub fn withdraw(connection: &mut PgConnection, set_id: i32, user: i32) -> QueryResult<bool> {
    diesel::delete(set_approvals::table.find((set_id, user))).execute(connection).map(|removed| removed > 0)
}

/// SQL: whether an approval of `users` with `api_tokens` counts. That of a token which was revoked does not: somebody else may have had
/// the token. The token of a session ends with the session, and the user who approved with it had just proved to be that user.
const COUNTS: &str = "disabled_at IS NULL AND removed_at IS NULL AND role = 'member'
                      AND (revoked_at IS NULL OR sign_in IS NOT NULL)";

/// The logins of the active users who have approved a revision of a set, in the order of their approvals.
pub fn approvers(connection: &mut PgConnection, set_id: i32, revision: i64) -> QueryResult<Vec<(i32, String)>> {
    statement(format!(
        "SELECT users.id, login FROM set_approvals JOIN users ON users.id = user_id
         JOIN api_tokens ON api_tokens.id = token_id
         WHERE set_id = $1 AND revision = $2 AND {COUNTS}
         ORDER BY at, users.id"
    ))
    .bind::<Integer, _>(set_id)
    .bind::<BigInt, _>(revision)
    .returning::<(Integer, Text)>()
    .get_results(connection)
}

/// The logins of users who have approved an earlier revision of a set, and not this one.
pub fn former_approvers(connection: &mut PgConnection, set_id: i32, revision: i64) -> QueryResult<Vec<String>> {
    statement(
        "SELECT login FROM set_approvals JOIN users ON users.id = user_id WHERE set_id = $1 AND revision < $2
         ORDER BY at, users.id",
    )
    .bind::<Integer, _>(set_id)
    .bind::<BigInt, _>(revision)
    .returning::<Text>()
    .get_results(connection)
}

/// What a crate of a set needs to be published: the approvals of a rule.
#[derive(QueryableByName, Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    #[diesel(sql_type = Text)]
    pub name: CrateName,
    /// None: no rule is about the crate.
    #[diesel(sql_type = Nullable<Text>)]
    pub subject: Option<String>,
    #[diesel(sql_type = Integer)]
    pub approvals: i32,
    /// The ids of the users whose approvals count.
    #[diesel(sql_type = Array<Integer>)]
    pub givers: Vec<i32>,
    #[diesel(sql_type = Bool)]
    pub by_another: bool,
    #[diesel(sql_type = Nullable<Text>)]
    pub approved_by: Option<String>,
    /// The logins of users whose approval would count; of many only the first. Admins are not among them.
    #[diesel(sql_type = Array<Text>)]
    pub eligible: Vec<String>,
}

/// Users who are named at most.
const NAMED: usize = 20;

impl Needed {
    fn wanted(&self) -> usize {
        usize::try_from(self.approvals).unwrap_or(usize::MAX).saturating_sub(self.givers.len())
    }

    /// Whether more approvals are needed.
    pub fn is_missing(&self) -> bool {
        self.wanted() > 0
    }
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, subject, approvals, givers, by_another, approved_by, eligible } = self;
        let who = match (approved_by, by_another) {
            (Some(team), false) => format!("members of the team {team}"),
            (Some(team), true) => format!("members of the team {team} who did not stage it"),
            (None, false) => "users who may publish it".to_owned(),
            (None, true) => "users who may publish it and did not stage it".to_owned(),
        };
        let rule = subject.as_ref().map_or_else(String::new, |subject| format!(" (rule {subject})"));
        let noun = if *approvals == 1 { "approval" } else { "approvals" };
        write!(f, "`{name}`{rule} needs {approvals} {noun} of {who}, and has {} of these; ", givers.len())?;
        match (eligible.len(), eligible.join(", ")) {
            (0, _) => write!(f, "no user can give it, so ask an admin"),
            (count, logins) if count < self.wanted() => {
                write!(f, "only {logins} can approve, so ask an admin")
            }
            (NAMED.., logins) => write!(f, "{logins} and others can approve"),
            (_, logins) => write!(f, "{logins} can approve"),
        }
    }
}

/// What the rules want for these crates, and what the approvals of a set give. A crate without a rule needs one approval of a
/// user who may publish it. An approval counts if its user belongs to the team that the rule names, or else may publish the
/// crate, has staged it if it is new, has created the set with it, or approves as an admin; and, if another one has to
/// approve, has staged no version of the crate in the set.
pub fn needed(
    connection: &mut PgConnection,
    (set_id, revision): (i32, i64),
    names: &[CrateName],
) -> QueryResult<Vec<Needed>> {
    let canonical: Vec<String> = names.iter().map(CrateName::canonical).collect();
    let texts: Vec<String> = names.iter().map(ToString::to_string).collect();
    let covers = rule_covers("asked.canonical_name", "crates.id");
    statement(format!(
        "WITH given AS (SELECT $1 AS set_id, $2 AS revision),
         asked AS (SELECT * FROM unnest($3, $4) AS named (canonical_name, name))
         SELECT asked.name, subject, coalesce(approvals, 1) AS approvals, coalesce(by_another, false) AS by_another,
                    teams.name AS approved_by, ARRAY(
                 SELECT users.id FROM given JOIN set_approvals USING (set_id, revision) JOIN users ON users.id = user_id
                 JOIN api_tokens ON api_tokens.id = token_id
                 WHERE {COUNTS}
                     AND CASE WHEN rule.approved_by IS NOT NULL
                              THEN EXISTS (SELECT FROM team_members AS member
                                           WHERE member.team_id = rule.approved_by AND member.user_id = users.id)
                              ELSE users.is_admin AND as_admin
                                   OR EXISTS (SELECT FROM crate_owners AS own
                                              WHERE own.crate_id = crates.id AND own.user_id = users.id)
                                   OR EXISTS (SELECT FROM crate_team_owners AS own JOIN team_members USING (team_id)
                                              WHERE own.crate_id = crates.id AND team_members.user_id = users.id)
                                   -- A new crate has no owner yet.
                                   OR EXISTS (SELECT FROM staged_versions AS new JOIN release_sets ON release_sets.id = new.set_id
                                              WHERE new.set_id = given.set_id AND is_new_crate
                                                  AND new.canonical_name = asked.canonical_name
                                                  AND users.id IN (coalesce(new.owner_if_new, new.staged_by), release_sets.created_by)) END
                     AND NOT (coalesce(rule.by_another, false) AND EXISTS (
                             SELECT FROM staged_versions AS staged
                             WHERE staged.set_id = given.set_id AND staged.canonical_name = asked.canonical_name
                                 AND staged.staged_by = users.id))) AS givers,
                 ARRAY(
                     SELECT login FROM given, users
                     WHERE disabled_at IS NULL AND removed_at IS NULL AND NOT is_machine AND role IN ('member', 'service')
                         AND users.id IN (
                             SELECT user_id FROM team_members WHERE team_id = rule.approved_by
                             UNION ALL
                             SELECT user_id FROM crate_owners WHERE rule.approved_by IS NULL AND crate_id = crates.id
                             UNION ALL
                             SELECT user_id FROM crate_team_owners JOIN team_members USING (team_id)
                             WHERE rule.approved_by IS NULL AND crate_id = crates.id
                             UNION ALL
                             SELECT unnest(ARRAY[coalesce(new.owner_if_new, new.staged_by), release_sets.created_by])
                             FROM staged_versions AS new JOIN release_sets ON release_sets.id = new.set_id
                             WHERE rule.approved_by IS NULL AND new.set_id = given.set_id AND is_new_crate
                                 AND new.canonical_name = asked.canonical_name)
                         AND NOT EXISTS (SELECT FROM set_approvals AS done
                                         WHERE (done.set_id, done.revision, done.user_id)
                                             = (given.set_id, given.revision, users.id))
                         AND NOT (coalesce(rule.by_another, false) AND EXISTS (
                                 SELECT FROM staged_versions AS staged
                                 WHERE staged.set_id = given.set_id AND staged.canonical_name = asked.canonical_name
                                     AND staged.staged_by = users.id))
                     ORDER BY login LIMIT $5) AS eligible
             FROM asked
             -- Not one that was made or imported since, because the name was free.
             LEFT JOIN crates ON crates.canonical_name = asked.canonical_name AND NOT EXISTS (
                 SELECT FROM given JOIN staged_versions AS staged USING (set_id)
                 WHERE staged.canonical_name = asked.canonical_name
                     AND (staged.is_new_crate OR staged.staged_at < crates.created_at))
             LEFT JOIN staging_rules AS rule ON {covers}
             LEFT JOIN teams ON teams.id = rule.approved_by
         ORDER BY asked.name, subject"
    ))
    .bind::<Integer, _>(set_id)
    .bind::<BigInt, _>(revision)
    .bind::<Array<Text>, _>(canonical)
    .bind::<Array<Text>, _>(texts)
    .bind::<BigInt, _>(i64::try_from(NAMED).unwrap_or(i64::MAX))
    .load(connection)
}
