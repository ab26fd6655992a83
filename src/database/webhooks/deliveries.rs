//! Events on their way to webhooks, and there. A delivery waits until the webhook has accepted it; its job makes the attempts.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz};

use crate::database::schema::{webhook_deliveries, webhook_events, webhooks};
use crate::webhook::Secret;
use crate::webhook::event_type::EventType;

/// Records an event; returns its number.
pub fn add_event(connection: &mut PgConnection, kind: &EventType, body: &str) -> QueryResult<i64> {
    diesel::insert_into(webhook_events::table)
        .values((webhook_events::kind.eq(kind.name), webhook_events::body.eq(body)))
        .returning(webhook_events::id)
        .get_result(connection)
}

/// Puts an event behind all others of a webhook; returns the number of the delivery. It has no job yet.
pub fn add(connection: &mut PgConnection, webhook: i32, event: i64) -> QueryResult<i64> {
    diesel::insert_into(webhook_deliveries::table)
        .values((webhook_deliveries::webhook_id.eq(webhook), webhook_deliveries::event_id.eq(event)))
        .returning(webhook_deliveries::id)
        .get_result(connection)
}

/// Notes the job that delivers it.
pub fn set_job(connection: &mut PgConnection, delivery: i64, job: i64) -> QueryResult<()> {
    diesel::update(webhook_deliveries::table.find(delivery))
        .set(webhook_deliveries::job_id.eq(job))
        .execute(connection)
        .map(drop)
}

/// What is sent, and where.
#[derive(Clone, Debug)]
pub struct Message {
    pub webhook: i32,
    pub url: String,
    /// The newest first.
    pub secrets: Vec<Secret>,
    pub event: i64,
    pub body: String,
    pub is_paused: bool,
    /// The generation of jobs that may deliver it.
    pub generation: i32,
}

/// What a delivery has to send; None if it is made already, or its webhook is gone.
pub fn message(connection: &mut PgConnection, delivery: i64) -> QueryResult<Option<Message>> {
    type Row = ((i32, String, bool, i32), (Vec<u8>, Option<Vec<u8>>, Option<DateTime<Utc>>), (i64, String));
    let row: Option<Row> = webhook_deliveries::table
        .inner_join(webhooks::table)
        .inner_join(webhook_events::table)
        .filter(webhook_deliveries::id.eq(delivery).and(webhook_deliveries::delivered_at.is_null()))
        .select((
            (webhooks::id, webhooks::url, webhooks::paused_at.is_not_null(), webhooks::generation),
            (webhooks::secret, webhooks::previous_secret, webhooks::previous_until),
            (webhook_events::id, webhook_events::body),
        ))
        .first(connection)
        .optional()?;
    Ok(row.map(|((webhook, url, is_paused, generation), (secret, previous, until), (event, body))| {
        let previous = previous.filter(|_| until.is_some_and(|until| until > Utc::now()));
        let secrets = [Some(secret), previous].into_iter().flatten().map(Secret::of_bytes).collect();
        Message { webhook, url, secrets, event, body, is_paused, generation }
    }))
}

/// Notes that the webhook has accepted it.
pub fn note_delivered(connection: &mut PgConnection, delivery: i64, status: u16, took_ms: i32) -> QueryResult<()> {
    diesel::update(webhook_deliveries::table.find(delivery))
        .set((
            webhook_deliveries::delivered_at.eq(Utc::now()),
            webhook_deliveries::status.eq(i16::try_from(status).ok()),
            webhook_deliveries::took_ms.eq(took_ms),
        ))
        .execute(connection)
        .map(drop)
}

/// What waits, oldest first.
pub fn waiting(connection: &mut PgConnection, webhook: i32) -> QueryResult<Vec<i64>> {
    webhook_deliveries::table
        .filter(webhook_deliveries::webhook_id.eq(webhook).and(webhook_deliveries::delivered_at.is_null()))
        .order(webhook_deliveries::id)
        .select(webhook_deliveries::id)
        .load(connection)
}

/// Drops what waits for a webhook whose row is locked; returns how much. Its jobs find nothing and end.
pub fn drop_waiting(connection: &mut PgConnection, webhook: i32) -> QueryResult<usize> {
    diesel::delete(webhook_deliveries::table)
        .filter(webhook_deliveries::webhook_id.eq(webhook).and(webhook_deliveries::delivered_at.is_null()))
        .execute(connection)
}

/// How a webhook is doing.
#[derive(QueryableByName, Clone, Debug, PartialEq)]
pub struct Standing {
    #[diesel(sql_type = Integer)]
    pub webhook: i32,
    /// Deliveries that wait.
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// When the oldest of these events happened.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub waiting_since: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_delivered_at: Option<DateTime<Utc>>,
    /// Attempts of the first one that waits, and why the last one failed.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    #[diesel(sql_type = Nullable<Text>)]
    pub error: Option<String>,
    /// When the next attempt is made, after a failure.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// How these webhooks are doing, in the order of their numbers.
pub fn standings(connection: &mut PgConnection, webhooks: &[i32]) -> QueryResult<Vec<Standing>> {
    diesel::sql_query(
        "SELECT asked.id AS webhook, coalesce(waiting.count, 0) AS waiting, waiting.since AS waiting_since,
                (SELECT max(delivered_at) FROM (
                     SELECT delivered_at FROM webhook_deliveries WHERE webhook_id = asked.id AND delivered_at IS NOT NULL
                     ORDER BY id DESC LIMIT 1) AS last) AS last_delivered_at,
                coalesce(jobs.attempts, 0) AS attempts, jobs.last_error AS error,
                CASE WHEN jobs.last_error IS NOT NULL THEN jobs.run_at END AS next_attempt_at
         FROM unnest($1) AS asked (id)
         LEFT JOIN LATERAL (
             SELECT count(*) AS count, min(event.created_at) AS since
             FROM webhook_deliveries AS delivery JOIN webhook_events AS event ON event.id = delivery.event_id
             WHERE delivery.webhook_id = asked.id AND delivery.delivered_at IS NULL) AS waiting ON true
         LEFT JOIN LATERAL (
             SELECT job_id FROM webhook_deliveries
             WHERE webhook_id = asked.id AND delivered_at IS NULL ORDER BY id LIMIT 1) AS first ON true
         LEFT JOIN jobs ON jobs.id = first.job_id
         ORDER BY asked.id",
    )
    .bind::<diesel::sql_types::Array<Integer>, _>(webhooks)
    .load(connection)
}

/// A delivery, for people.
#[derive(QueryableByName, Clone, Debug, PartialEq)]
pub struct Delivery {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = BigInt)]
    pub event: i64,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub delivered_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub status: Option<i16>,
    #[diesel(sql_type = Nullable<Integer>)]
    pub took_ms: Option<i32>,
    /// Attempts so far, of one that waits.
    #[diesel(sql_type = Nullable<Integer>)]
    pub attempts: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    pub error: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub job: Option<i64>,
    /// Whether its job is dead, which takes a crash of the process at each attempt.
    #[diesel(sql_type = Bool)]
    pub is_dead: bool,
    #[diesel(sql_type = Text)]
    pub body: String,
}

const DELIVERY: &str =
    "SELECT delivery.id, event.id AS event, event.type AS kind, event.created_at, delivery.delivered_at,
            delivery.status, delivery.took_ms, jobs.attempts, jobs.last_error AS error, delivery.job_id AS job,
            dead_jobs.id IS NOT NULL AS is_dead, event.body
     FROM webhook_deliveries AS delivery
     JOIN webhook_events AS event ON event.id = delivery.event_id
     LEFT JOIN jobs ON jobs.id = delivery.job_id
     LEFT JOIN dead_jobs ON dead_jobs.id = delivery.job_id";

/// The deliveries of a webhook, newest first. `before`: only those with lower numbers, for the next page.
pub fn list(
    connection: &mut PgConnection,
    webhook: i32,
    before: Option<i64>,
    limit: i64,
) -> QueryResult<Vec<Delivery>> {
    diesel::sql_query(format!(
        "{DELIVERY} WHERE delivery.webhook_id = $1 AND delivery.id < $2 ORDER BY delivery.id DESC LIMIT $3"
    ))
    .bind::<Integer, _>(webhook)
    .bind::<BigInt, _>(before.unwrap_or(i64::MAX))
    .bind::<BigInt, _>(limit)
    .load(connection)
}

/// A delivery of a webhook.
pub fn find(connection: &mut PgConnection, webhook: i32, delivery: i64) -> QueryResult<Option<Delivery>> {
    diesel::sql_query(format!("{DELIVERY} WHERE delivery.webhook_id = $1 AND delivery.id = $2"))
        .bind::<Integer, _>(webhook)
        .bind::<BigInt, _>(delivery)
        .get_result(connection)
        .optional()
}

/// Makes the first job of a webhook due, after failures have delayed it.
pub fn hurry(connection: &mut PgConnection, kind: &str, key: &str) -> QueryResult<bool> {
    diesel::sql_query(
        "UPDATE jobs SET run_at = clock_timestamp()
         WHERE id = (SELECT id FROM jobs WHERE kind = $1 AND key = $2 AND turn AND last_failed_at >= claimed_at
                     FOR NO KEY UPDATE SKIP LOCKED)",
    )
    .bind::<Text, _>(kind)
    .bind::<Text, _>(key)
    .execute(connection)
    .map(|hurried| hurried > 0)
}

/// Removes up to `limit` deliveries that were made before a time, or that have waited since then without a job, and events that
/// no delivery has; returns how many deliveries.
pub fn prune(connection: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> QueryResult<usize> {
    let removed = diesel::sql_query(
        "DELETE FROM webhook_deliveries WHERE id IN (
             SELECT delivery.id FROM webhook_deliveries AS delivery JOIN webhook_events AS event ON event.id = delivery.event_id
             WHERE event.created_at < $1 AND (delivery.delivered_at < $1 OR delivery.job_id IS NULL)
             ORDER BY delivery.id LIMIT $2)",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(limit)
    .execute(connection)?;
    diesel::sql_query(
        "DELETE FROM webhook_events AS event
         WHERE created_at < $1 AND NOT EXISTS (SELECT FROM webhook_deliveries WHERE event_id = event.id)",
    )
    .bind::<Timestamptz, _>(before)
    .execute(connection)?;
    Ok(removed)
}
