//! Enqueueing a job: delay, priority, order, deduplication.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Jsonb, Nullable, SmallInt, Text};
use diesel::{PgConnection, QueryResult, sql_query};

use super::channels::{wake, wake_channel};
use super::job::{Duplicates, Job, JobId, Order};
use super::order::{NEXT_LAP, lock_key};
use super::settings::GAP;
use super::storage::{IdRow, milliseconds};
use crate::statement::statement;
use crate::trace;

/// A job about to be enqueued.
pub struct Enqueue<'a, J> {
    job: &'a J,
    requested_by: Option<&'a str>,
    request_id: Option<&'a str>,
    delay: Duration,
    priority: i16,
    quietly: bool,
}

/// Wakes the workers of a queue in all processes after a job was enqueued [quietly](Enqueue::quietly). Call it after the
/// commit, outside a transaction: it is one of its own, in one statement, and waits for no disk. Within this process
/// [`Wakeups`](super::Wakeups) is faster.
pub fn announce(connection: &mut PgConnection, queue: &str) -> QueryResult<()> {
    statement("SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, '')")
        .bind::<Text, _>(wake_channel(queue))
        .execute(connection)
        .map(drop)
}

/// The longest key of a job, in bytes. It is in two indexes of the database, whose entries hold 2,704 bytes.
pub const MAX_KEY: usize = 2000;

/// Why a job could not be added.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    #[error("the job cannot be written as JSON")]
    Payload(#[source] serde_json::Error),
    #[error(
        "a job of the kind {kind} has no key, although the kind is ordered or deduplicated by key: implement Job::key"
    )]
    NoKey { kind: &'static str },
    #[error(
        "the key of a job of the kind {kind} has {length} bytes, above the limit of {MAX_KEY}: shorten it in Job::key"
    )]
    LongKey { kind: &'static str, length: usize },
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

impl<'a, J: Job> Enqueue<'a, J> {
    pub fn new(job: &'a J) -> Self {
        let priority = J::POLICY.priority;
        Self { job, requested_by: None, request_id: None, delay: Duration::ZERO, priority, quietly: false }
    }

    /// The requester, for fair turns and the history.
    pub fn requested_by(mut self, who: &'a str) -> Self {
        self.requested_by = Some(who);
        self
    }

    /// The id of the request that enqueues the job, for the log and the history.
    pub fn of_request(mut self, id: Option<&'a str>) -> Self {
        self.request_id = id;
        self
    }

    /// Delays the start by at least this long.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Replaces the priority of the kind. Higher runs first, but jobs of an ordered key keep the order of arrival.
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// Wakes no worker; the caller does so after its commit, with [`announce`]. A commit that notifies holds a lock on the
    /// whole database until it is on disk, so concurrent transactions that enqueue would wait for each other's disk
    /// writes instead of sharing them.
    pub fn quietly(mut self) -> Self {
        self.quietly = true;
        self
    }

    /// Adds the job, or makes its pending twin due if the kind deduplicates, and gives the id of that job. The job is
    /// pending when the caller's transaction commits.
    ///
    /// A transaction that enqueues several jobs of ordered kinds must do so in a fixed order of their keys: each key is
    /// locked until the end of the transaction, so that its order is the order of the commits.
    pub fn insert(self, connection: &mut PgConnection) -> Result<JobId, EnqueueError> {
        let policy = J::POLICY;
        let key = self.job.key();
        if let Some(length) = key.as_ref().map(String::len).filter(|length| *length > MAX_KEY) {
            return Err(EnqueueError::LongKey { kind: J::KIND, length });
        }
        let payload = serde_json::to_value(self.job).map_err(EnqueueError::Payload)?;
        if policy.order == Order::Any && policy.duplicates == Duplicates::Keep {
            return Ok(self.insert_row(connection, key.as_deref(), payload)?);
        }
        let key = key.ok_or(EnqueueError::NoKey { kind: J::KIND })?;
        // The lock of a key must cover its ids and turns, so both need one transaction.
        connection.transaction(|connection| {
            if policy.order == Order::ByKey {
                lock_key(connection, J::KIND, &key)?;
            }
            if policy.duplicates == Duplicates::WakeTwin
                && let Some(twin) = wake_twin(connection, J::KIND, &key, self.delay)?
            {
                if !self.quietly {
                    wake(connection, policy.queue)?;
                }
                return Ok(twin);
            }
            Ok(self.insert_row(connection, Some(&key), payload)?)
        })
    }

    fn insert_row(
        self,
        connection: &mut PgConnection,
        key: Option<&str>,
        payload: serde_json::Value,
    ) -> QueryResult<JobId> {
        // The first row of a key has the turn.
        let turn = match J::POLICY.order {
            Order::Any => "NULL",
            Order::ByKey => {
                "NOT EXISTS (SELECT FROM jobs WHERE jobs.kind = requested.kind AND jobs.key = requested.key)"
            }
        };
        let notification = if self.quietly { "" } else { ", pg_notify($10, '')" };
        let statement = statement(format!(
            "WITH requested AS (
                SELECT $1 AS queue, $2 AS kind, $3 AS key, $4 AS payload, $5 AS priority, $6 AS requested_by, $7 AS request_id, $8 AS traceparent,
                       clock_timestamp() + $9 * interval '1 millisecond' AS run_at),
             added AS (
                INSERT INTO jobs (queue, kind, key, payload, priority, requested_by, request_id, traceparent, run_at, turn, lap)
                SELECT queue, kind, key, payload, priority, requested_by, request_id, traceparent, run_at, {turn}, {NEXT_LAP} FROM requested
                RETURNING id)
             SELECT id FROM added{notification}"
        ))
        .bind::<Text, _>(J::POLICY.queue)
        .bind::<Text, _>(J::KIND)
        .bind::<Nullable<Text>, _>(key)
        .bind::<Jsonb, _>(payload)
        .bind::<SmallInt, _>(self.priority)
        .bind::<Nullable<Text>, _>(self.requested_by)
        .bind::<Nullable<Text>, _>(self.request_id)
        .bind::<Nullable<Text>, _>(trace::current())
        .bind::<BigInt, _>(milliseconds(self.delay));
        let row: IdRow = if self.quietly {
            statement.get_result(connection)?
        } else {
            statement.bind::<Text, _>(wake_channel(J::POLICY.queue)).get_result(connection)?
        };
        Ok(row.id)
    }
}

/// Makes a waiting job of the key due after `delay`. A job whose row is locked does not count, since it may have read older
/// data. The row stays locked until the caller commits, so that the worker that claims it sees what the caller wrote. A
/// claim between its two steps keeps its gap; if it became due, another worker would take it over.
fn wake_twin(connection: &mut PgConnection, kind: &str, key: &str, delay: Duration) -> QueryResult<Option<JobId>> {
    let rows: Vec<IdRow> = sql_query(
        "UPDATE jobs
         SET run_at = least(run_at, greatest(clock_timestamp() + $3 * interval '1 millisecond',
                                             CASE WHEN last_failed_at >= claimed_at THEN NULL
                                                  ELSE claimed_at + $4 * interval '1 millisecond' END))
         WHERE id = (SELECT id FROM jobs WHERE kind = $1 AND key = $2 ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
         RETURNING id",
    )
    .bind::<Text, _>(kind)
    .bind::<Text, _>(key)
    .bind::<BigInt, _>(milliseconds(delay))
    .bind::<BigInt, _>(milliseconds(GAP))
    .get_results(connection)?;
    Ok(rows.first().map(|row| row.id))
}
