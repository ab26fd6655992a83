//! Events on their way to webhooks, and there. A webhook for which something waits, and which is not paused, has a job: it delivers
//! the first, and enqueues the next job if more waits. Both that and adding a delivery lock the row of the webhook.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz};

use super::endpoints::Webhook;
use crate::database::schema::{webhook_deliveries, webhook_events, webhooks};
use crate::webhook::Secret;
use crate::webhook::event_type::EventType;

/// Records an event; returns its number.
pub fn add_event(connection: &mut PgConnection, kind: &EventType, body: &str, at: DateTime<Utc>) -> QueryResult<i64> {
    diesel::insert_into(webhook_events::table)
        .values((webhook_events::kind.eq(kind.name), webhook_events::body.eq(body), webhook_events::happened_at.eq(at)))
        .returning(webhook_events::id)
        .get_result(connection)
}

/// The kind of the jobs that deliver.
pub const KIND: &str = "deliver_webhook";

/// What the jobs of a webhook have as their key.
pub fn key(webhook: i32) -> String {
    format!("webhook {webhook}")
}

/// SQL: the first delivery that waits for the webhook that `$webhook` is.
const FIRST: &str = "(SELECT waiting.id FROM webhook_deliveries AS waiting
                      WHERE waiting.webhook_id = $webhook AND waiting.delivered_at IS NULL ORDER BY waiting.id LIMIT 1)";

/// SQL: the job of the webhook that `$webhook` is.
const JOB: &str = "(kind = 'deliver_webhook' AND key = 'webhook ' || $webhook)";

/// Puts an event behind all others of these webhooks, whose rows are locked, and of which some may be gone; returns those for
/// which nothing waited before, which have no job.
pub fn add(connection: &mut PgConnection, webhooks: &[i32], event: i64) -> QueryResult<Vec<i32>> {
    #[derive(QueryableByName)]
    struct Idle {
        #[diesel(sql_type = Integer)]
        webhook: i32,
    }
    let idle: Vec<Idle> = diesel::sql_query(
        "WITH asked AS (SELECT id AS webhook FROM webhooks WHERE id = ANY($1)),
         added AS (INSERT INTO webhook_deliveries (webhook_id, event_id) SELECT webhook, $2 FROM asked)
         SELECT webhook FROM asked
         WHERE NOT EXISTS (SELECT FROM webhook_deliveries WHERE webhook_id = webhook AND delivered_at IS NULL)
         ORDER BY webhook",
    )
    .bind::<Array<Integer>, _>(webhooks)
    .bind::<BigInt, _>(event)
    .load(connection)?;
    Ok(idle.into_iter().map(|one| one.webhook).collect())
}

/// The number of the last delivery of a webhook, whose row is locked.
pub fn newest(connection: &mut PgConnection, webhook: i32) -> QueryResult<i64> {
    webhook_deliveries::table
        .filter(webhook_deliveries::webhook_id.eq(webhook))
        .order(webhook_deliveries::id.desc())
        .select(webhook_deliveries::id)
        .first(connection)
}

/// What is sent, and where.
#[derive(Clone, Debug)]
pub struct Message {
    pub delivery: i64,
    pub url: String,
    /// The newest first.
    pub secrets: Vec<Secret>,
    /// The id by which receivers know the event.
    pub id: String,
    pub body: String,
    pub is_paused: bool,
}

/// The first event that waits for a webhook; None if nothing does, or the webhook is gone.
pub fn first(connection: &mut PgConnection, webhook: i32) -> QueryResult<Option<Message>> {
    type Row = ((i64, String, bool), (Vec<u8>, Option<Vec<u8>>, Option<DateTime<Utc>>), (String, String));
    let row: Option<Row> = webhook_deliveries::table
        .inner_join(webhooks::table)
        .inner_join(webhook_events::table)
        .filter(webhook_deliveries::webhook_id.eq(webhook).and(webhook_deliveries::delivered_at.is_null()))
        .order(webhook_deliveries::id)
        .select((
            (webhook_deliveries::id, webhooks::url, webhooks::paused_at.is_not_null()),
            (webhooks::secret, webhooks::previous_secret, webhooks::previous_until),
            (webhook_events::public_id, webhook_events::body),
        ))
        .first(connection)
        .optional()?;
    Ok(row.map(|((delivery, url, is_paused), (secret, previous, until), (id, body))| {
        let previous = previous.filter(|_| until.is_some_and(|until| until > Utc::now()));
        let secrets = [Some(secret), previous].into_iter().flatten().map(Secret::of_bytes).collect();
        Message { delivery, url, secrets, id, body, is_paused }
    }))
}

/// Notes that the webhook has accepted it.
pub fn note_delivered(connection: &mut PgConnection, number: i64, status: u16, took_ms: i32) -> QueryResult<()> {
    diesel::update(webhook_deliveries::table.find(number))
        .set((
            webhook_deliveries::delivered_at.eq(Utc::now()),
            webhook_deliveries::status.eq(i16::try_from(status).ok()),
            webhook_deliveries::took_ms.eq(took_ms),
        ))
        .execute(connection)
        .map(drop)
}

/// Whether a webhook has a job that is not dead.
pub fn has_job(connection: &mut PgConnection, webhook: i32) -> QueryResult<bool> {
    diesel::select(
        sql::<Bool>("EXISTS (SELECT FROM jobs WHERE kind = ")
            .bind::<Text, _>(KIND)
            .sql(" AND key = ")
            .bind::<Text, _>(key(webhook))
            .sql(")"),
    )
    .get_result(connection)
}

/// The webhooks that are not paused, and for which something waits without a job, dead or not: an operator has discarded it.
pub fn without_job(connection: &mut PgConnection) -> QueryResult<Vec<i32>> {
    #[derive(QueryableByName)]
    struct Left {
        #[diesel(sql_type = Integer)]
        id: i32,
    }
    let left: Vec<Left> = diesel::sql_query(format!(
        "SELECT id FROM webhooks
         WHERE paused_at IS NULL
             AND EXISTS (SELECT FROM webhook_deliveries WHERE webhook_id = webhooks.id AND delivered_at IS NULL)
             AND NOT EXISTS (SELECT FROM jobs WHERE {job}) AND NOT EXISTS (SELECT FROM dead_jobs WHERE {job})
         ORDER BY id",
        job = JOB.replace("$webhook", "webhooks.id")
    ))
    .load(connection)?;
    Ok(left.into_iter().map(|one| one.id).collect())
}

/// How much waits for a webhook.
pub fn count_waiting(connection: &mut PgConnection, webhook: i32) -> QueryResult<i64> {
    webhook_deliveries::table
        .filter(webhook_deliveries::webhook_id.eq(webhook).and(webhook_deliveries::delivered_at.is_null()))
        .count()
        .get_result(connection)
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

/// Whether deliveries succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum State {
    /// The last attempt was accepted, or none was made yet.
    Active,
    /// The first event that waits was not accepted, and is attempted again.
    Failing,
    Paused,
}

impl State {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Standing {
    /// The state of the webhook whose standing this is.
    pub fn state(&self, webhook: &Webhook) -> State {
        match (&webhook.pause, &self.error) {
            (Some(_), _) => State::Paused,
            (None, Some(_)) => State::Failing,
            (None, None) => State::Active,
        }
    }
}

/// How these webhooks are doing, in the order of their numbers.
pub fn standings(connection: &mut PgConnection, webhooks: &[i32]) -> QueryResult<Vec<Standing>> {
    diesel::sql_query(format!(
        "SELECT asked.id AS webhook, coalesce(waiting.count, 0) AS waiting, waiting.since AS waiting_since,
                (SELECT max(delivered_at) FROM (
                     SELECT delivered_at FROM webhook_deliveries WHERE webhook_id = asked.id AND delivered_at IS NOT NULL
                     ORDER BY id DESC LIMIT 1) AS last) AS last_delivered_at,
                coalesce(jobs.attempts, 0) AS attempts, jobs.last_error AS error,
                CASE WHEN jobs.last_error IS NOT NULL THEN jobs.run_at END AS next_attempt_at
         FROM unnest($1) AS asked (id)
         LEFT JOIN LATERAL (
             SELECT count(*) AS count, min(event.happened_at) AS since
             FROM webhook_deliveries AS delivery JOIN webhook_events AS event ON event.id = delivery.event_id
             WHERE delivery.webhook_id = asked.id AND delivery.delivered_at IS NULL) AS waiting ON true
         LEFT JOIN jobs ON waiting.count > 0 AND jobs.turn AND {job}
         ORDER BY asked.id",
        job = JOB.replace("$webhook", "asked.id")
    ))
    .bind::<Array<Integer>, _>(webhooks)
    .load(connection)
}

/// A delivery, for people.
#[derive(QueryableByName, Clone, Debug, PartialEq)]
pub struct Delivery {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// The event's own number, and the id by which receivers know it.
    #[diesel(sql_type = BigInt)]
    pub event: i64,
    #[diesel(sql_type = Text)]
    pub public_id: String,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Timestamptz)]
    pub happened_at: DateTime<Utc>,
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

fn delivery() -> String {
    let of = |text: &str| text.replace("$webhook", "delivery.webhook_id");
    format!(
        "SELECT delivery.id, event.id AS event, event.public_id, event.type AS kind, event.happened_at, delivery.delivered_at,
                delivery.status, delivery.took_ms, job.attempts, job.last_error AS error, job.id AS job,
                dead.id IS NOT NULL AS is_dead, event.body
         FROM webhook_deliveries AS delivery
         JOIN webhook_events AS event ON event.id = delivery.event_id
         LEFT JOIN LATERAL (SELECT * FROM jobs WHERE turn AND {job} LIMIT 1) AS job
             ON delivery.delivered_at IS NULL AND delivery.id = {first}
         LEFT JOIN LATERAL (SELECT id FROM dead_jobs WHERE {job} LIMIT 1) AS dead
             ON delivery.delivered_at IS NULL AND delivery.id = {first}",
        job = of(JOB),
        first = of(FIRST),
    )
}

/// The deliveries of a webhook, newest first. `before`: only those with lower numbers, for the next page.
pub fn list(
    connection: &mut PgConnection,
    webhook: i32,
    before: Option<i64>,
    limit: i64,
) -> QueryResult<Vec<Delivery>> {
    diesel::sql_query(format!(
        "{} WHERE delivery.webhook_id = $1 AND delivery.id < $2 ORDER BY delivery.id DESC LIMIT $3",
        delivery()
    ))
    .bind::<Integer, _>(webhook)
    .bind::<BigInt, _>(before.unwrap_or(i64::MAX))
    .bind::<BigInt, _>(limit)
    .load(connection)
}

/// A delivery of a webhook.
pub fn find(connection: &mut PgConnection, webhook: i32, number: i64) -> QueryResult<Option<Delivery>> {
    diesel::sql_query(format!("{} WHERE delivery.webhook_id = $1 AND delivery.id = $2", delivery()))
        .bind::<Integer, _>(webhook)
        .bind::<BigInt, _>(number)
        .get_result(connection)
        .optional()
}

/// Makes the first job of a webhook due, after failures have delayed it, and begins to count them anew.
pub fn hurry(connection: &mut PgConnection, webhook: i32) -> QueryResult<bool> {
    diesel::sql_query(
        "UPDATE jobs SET run_at = clock_timestamp(), attempts = 0
         WHERE id = (SELECT id FROM jobs WHERE kind = $1 AND key = $2 AND turn AND last_failed_at >= claimed_at
                     FOR NO KEY UPDATE SKIP LOCKED)",
    )
    .bind::<Text, _>(KIND)
    .bind::<Text, _>(key(webhook))
    .execute(connection)
    .map(|hurried| hurried > 0)
}

/// Removes up to `limit` deliveries that were made before a time, or that have waited since then for the end of a pause; returns how
/// many.
pub fn prune(connection: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM webhook_deliveries WHERE id IN (
             SELECT delivery.id
             FROM webhook_deliveries AS delivery
             JOIN webhook_events AS event ON event.id = delivery.event_id
             JOIN webhooks ON webhooks.id = delivery.webhook_id
             WHERE event.happened_at < $1 AND (delivery.delivered_at < $1 OR (delivery.delivered_at IS NULL AND paused_at < $1))
             ORDER BY delivery.id LIMIT $2)",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(limit)
    .execute(connection)
}

/// Removes events from before a time that no delivery has.
pub fn prune_events(connection: &mut PgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM webhook_events AS event
         WHERE happened_at < $1 AND NOT EXISTS (SELECT FROM webhook_deliveries WHERE event_id = event.id)",
    )
    .bind::<Timestamptz, _>(before)
    .execute(connection)
}
