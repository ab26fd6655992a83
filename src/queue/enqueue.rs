//! Asking for a job.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Jsonb, Nullable, SmallInt, Text};
use diesel::{PgConnection, QueryResult, sql_query};

use super::settings::GAP;
use super::storage::{IdRow, NEXT_LAP, lock_key, milliseconds, wake, wake_channel};
use super::{Duplicates, Job, JobId, Order};
use crate::statement::statement;

/// A job about to be enqueued.
pub struct Enqueue<'a, J> {
    job: &'a J,
    requested_by: Option<&'a str>,
    request_id: Option<&'a str>,
    delay: Duration,
    priority: i16,
    quietly: bool,
}

/// Tells the workers of a queue, also in other processes, that a job was enqueued [quietly](Enqueue::quietly): after the
/// commit, in a transaction of its own that waits for no disk. Within this process [`Wakeups`](super::Wakeups) is quicker.
pub fn announce(connection: &mut PgConnection, queue: &str) -> QueryResult<()> {
    connection.transaction(|connection| {
        sql_query("SET LOCAL synchronous_commit TO off").execute(connection)?;
        wake(connection, queue)
    })
}

/// The longest key of a job, in bytes. It stands in two indexes of the database, of which an entry holds 2,704.
pub const MAX_KEY: usize = 2000;

/// Why a job could not be added.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    #[error("the job can't be written as JSON")]
    Payload(#[source] serde_json::Error),
    #[error(
        "jobs of the kind {kind} are ordered or deduplicated by their key, and this one has none: let Job::key name one"
    )]
    NoKey { kind: &'static str },
    #[error(
        "the key of a job of the kind {kind} has {length} bytes, above the limit of {MAX_KEY}: let Job::key shorten it"
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

    /// Who asked for it, for the history.
    pub fn requested_by(mut self, who: &'a str) -> Self {
        self.requested_by = Some(who);
        self
    }

    /// Which request asked for it, for the log and the history.
    pub fn of_request(mut self, id: Option<&'a str>) -> Self {
        self.request_id = id;
        self
    }

    /// Not to be started earlier than this from now.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Another priority than that of its kind. Higher runs first; in an ordered key the order of arrival comes first.
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// Without waking anybody: the caller does so after its commit, with [`announce`]. A commit that notifies takes a lock
    /// of the whole database until it is on the disk, so those who enqueue at once would wait for each other's disk
    /// writes instead of sharing them.
    pub fn quietly(mut self) -> Self {
        self.quietly = true;
        self
    }

    /// Adds the job, or wakes its twin where the kind asks for that, and answers which job is owed. It is owed when the
    /// caller's transaction commits, together with whatever else that does.
    ///
    /// In a transaction that enqueues several jobs of ordered kinds, ask for them in a fixed order of their keys: each
    /// key is locked to the end of the transaction, so that its order is the order of the commits.
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
        // Ids and turns of a key are given out under its lock, so both need one transaction.
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
        // Whose turn it is: nobody's who stands in line already.
        let turn = match J::POLICY.order {
            Order::Any => "NULL",
            Order::ByKey => "NOT EXISTS (SELECT FROM jobs WHERE jobs.kind = asked.kind AND jobs.key = asked.key)",
        };
        let told = if self.quietly { "" } else { ", pg_notify($9, '')" };
        let statement = statement(format!(
            "WITH asked AS (
                SELECT $1 AS queue, $2 AS kind, $3 AS key, $4 AS payload, $5 AS priority, $6 AS requested_by, $7 AS request_id,
                       clock_timestamp() + $8 * interval '1 millisecond' AS run_at),
             added AS (
                INSERT INTO jobs (queue, kind, key, payload, priority, requested_by, request_id, run_at, turn, lap)
                SELECT queue, kind, key, payload, priority, requested_by, request_id, run_at, {turn}, {NEXT_LAP} FROM asked
                RETURNING id)
             SELECT id FROM added{told}"
        ))
        .bind::<Text, _>(J::POLICY.queue)
        .bind::<Text, _>(J::KIND)
        .bind::<Nullable<Text>, _>(key)
        .bind::<Jsonb, _>(payload)
        .bind::<SmallInt, _>(self.priority)
        .bind::<Nullable<Text>, _>(self.requested_by)
        .bind::<Nullable<Text>, _>(self.request_id)
        .bind::<BigInt, _>(milliseconds(self.delay));
        let row: IdRow = if self.quietly {
            statement.get_result(connection)?
        } else {
            statement.bind::<Text, _>(wake_channel(J::POLICY.queue)).get_result(connection)?
        };
        Ok(row.id)
    }
}

/// Makes a waiting job of the key due, after `delay`, unless somebody holds its row: then it may have read what is older
/// than this request. It stays locked until the caller commits, so that whoever claims it sees what the caller wrote.
/// A claim that is between its two steps is left its gap: made due, it would be stolen.
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
