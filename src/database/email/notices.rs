//! What waits to be sent to users. A user for whom something waits has a job: it sends all of it in one mail, and enqueues the next
//! job if more has come meanwhile. Both that and adding a notice lock the row of the recipient.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Timestamptz};
use serde_json::Value;

use super::recipients::Recipient;
use crate::database::schema::{email_notices, email_recipients, users};

/// The kind of the jobs that send them.
pub const KIND: &str = "send_notices";

/// What the jobs of a user have as their key.
pub fn key(user: i32) -> String {
    format!("user {user}")
}

/// Adds an event for these users, whose rows are locked; returns those for whom nothing waited before, who have no job.
pub fn add(
    connection: &mut PgConnection,
    users: &[i32],
    (kind, data, at): (&str, &Value, DateTime<Utc>),
) -> QueryResult<Vec<i32>> {
    #[derive(QueryableByName)]
    struct Idle {
        #[diesel(sql_type = Integer)]
        user_id: i32,
    }
    let idle: Vec<Idle> = diesel::sql_query(
        "WITH asked AS (SELECT * FROM unnest($1) AS asked (user_id)),
         added AS (INSERT INTO email_notices (user_id, type, data, happened_at) SELECT user_id, $2, $3, $4 FROM asked)
         SELECT user_id FROM asked
         WHERE NOT EXISTS (SELECT FROM email_notices WHERE email_notices.user_id = asked.user_id) ORDER BY user_id",
    )
    .bind::<Array<Integer>, _>(users)
    .bind::<Text, _>(kind)
    .bind::<Jsonb, _>(data)
    .bind::<Timestamptz, _>(at)
    .load(connection)?;
    Ok(idle.into_iter().map(|one| one.user_id).collect())
}

/// One notice: its number, the type, its data, and when it happened.
pub type Row = (i64, String, Value, DateTime<Utc>);

/// What waits for a user with an address that is confirmed.
pub struct Waiting {
    pub login: String,
    pub is_disabled: bool,
    pub recipient: Recipient,
    /// The oldest first; there is one at least.
    pub rows: Vec<Row>,
}

impl Waiting {
    /// Whether a notice of this type is still sent: the user may have been disabled meanwhile, or want no more of them.
    pub fn is_sent(&self, kind: &str) -> bool {
        let group = kind.split_once('.').map_or(kind, |(group, _)| group);
        self.recipient.wants(group) && (!self.is_disabled || group == "user")
    }
}

/// Up to `limit` notices that wait for a user; None if none do, or there is no confirmed address.
pub fn waiting(connection: &mut PgConnection, user: i32, limit: i64) -> QueryResult<Option<Waiting>> {
    let recipient: Option<(String, bool, Recipient)> = email_recipients::table
        .inner_join(users::table)
        .filter(email_recipients::user_id.eq(user).and(email_recipients::confirmed_at.is_not_null()))
        .select((users::login, users::disabled_at.is_not_null(), Recipient::as_select()))
        .first(connection)
        .optional()?;
    let Some((login, is_disabled, recipient)) = recipient else { return Ok(None) };
    let rows: Vec<Row> = email_notices::table
        .filter(email_notices::user_id.eq(user))
        .order(email_notices::id)
        .limit(limit)
        .select((email_notices::id, email_notices::kind, email_notices::data, email_notices::happened_at))
        .load(connection)?;
    Ok((!rows.is_empty()).then_some(Waiting { login, is_disabled, recipient, rows }))
}

/// Removes the notices of a user up to a number; returns whether others wait.
pub fn remove(connection: &mut PgConnection, user: i32, last: i64) -> QueryResult<bool> {
    diesel::delete(email_notices::table.filter(email_notices::user_id.eq(user).and(email_notices::id.le(last))))
        .execute(connection)?;
    diesel::select(diesel::dsl::exists(email_notices::table.filter(email_notices::user_id.eq(user))))
        .get_result(connection)
}

/// Removes what a user does not want any more.
pub fn remove_unwanted(connection: &mut PgConnection, user: i32) -> QueryResult<()> {
    diesel::sql_query(
        "DELETE FROM email_notices USING email_recipients
         WHERE email_notices.user_id = $1 AND email_recipients.user_id = $1
             AND unwanted && ARRAY['*', split_part(type, '.', 1)]",
    )
    .bind::<Integer, _>(user)
    .execute(connection)
    .map(drop)
}

/// Removes everything that waits, and the jobs of mails.
pub fn remove_all(connection: &mut PgConnection) -> QueryResult<()> {
    diesel::delete(email_notices::table).execute(connection)?;
    for jobs in ["jobs", "dead_jobs"] {
        diesel::sql_query(format!("DELETE FROM {jobs} WHERE queue = 'mail'")).execute(connection)?;
    }
    Ok(())
}

/// The users for whom something waits without a job, dead or not: an operator has discarded it.
pub fn without_job(connection: &mut PgConnection) -> QueryResult<Vec<i32>> {
    #[derive(QueryableByName)]
    struct Left {
        #[diesel(sql_type = Integer)]
        user_id: i32,
    }
    let left: Vec<Left> = diesel::sql_query(
        "SELECT DISTINCT user_id FROM email_notices
         WHERE NOT EXISTS (SELECT FROM jobs WHERE kind = 'send_notices' AND key = 'user ' || user_id)
             AND NOT EXISTS (SELECT FROM dead_jobs WHERE kind = 'send_notices' AND key = 'user ' || user_id)
         ORDER BY user_id",
    )
    .load(connection)?;
    Ok(left.into_iter().map(|one| one.user_id).collect())
}

/// How sending goes.
#[derive(QueryableByName, Clone, Debug, PartialEq)]
pub struct Standing {
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// When the oldest of them happened.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub since: Option<DateTime<Utc>>,
    /// Why the last attempt failed, of any user.
    #[diesel(sql_type = Nullable<Text>)]
    pub error: Option<String>,
}

pub fn standing(connection: &mut PgConnection) -> QueryResult<Standing> {
    diesel::sql_query(
        "SELECT count(*) AS waiting, min(happened_at) AS since,
             (SELECT last_error FROM jobs WHERE kind IN ('send_notices', 'send_to_address') AND last_error IS NOT NULL
              ORDER BY last_failed_at DESC LIMIT 1) AS error
         FROM (SELECT happened_at FROM email_notices
               UNION ALL SELECT created_at FROM jobs WHERE kind = 'send_to_address') AS mails (happened_at)",
    )
    .get_result(connection)
}
