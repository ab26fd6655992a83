//! The sweep: once a minute one process of the installation goes through all jobs and repairs what no worker can.
//!
//! It pages by id, so it neither stops at a row nor reads a page twice. Before it changes a row it checks the row again
//! under its lock, in a transaction of its own: an error there is recorded, and the sweep continues.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Integer, Nullable, Text};
use diesel::{PgConnection, QueryResult, sql_query};

use super::claim::LOST;
use super::connection::LendExt;
use super::inner::Inner;
use super::job::{JobId, Policy};
use super::runner_error::RunnerError;
use super::session::{SESSION_PREFIX, lock_by_name};
use super::settings::{Settings, jittered};
use super::storage::{self, milliseconds};
use super::{measures, order};
use crate::error_chain::ErrorChain;

/// Receipts that one statement removes.
const PRUNED_TOGETHER: i64 = 1000;
/// The longest retention that PostgreSQL can subtract from the present time.
const FOR_EVER: Duration = Duration::from_secs(1000 * 365 * 24 * 60 * 60);
/// The name of the advisory lock of the process that sweeps.
const SWEEP_LOCK: &str = "the sweep";

/// What a sweep found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows that were read.
    pub seen: u64,
    /// Jobs that used up their attempts because their processes died; they are dead now.
    pub buried: Vec<JobId>,
    /// Jobs that ran too long and whose sessions were ended.
    pub terminated: Vec<JobId>,
    /// Jobs whose rows are locked by a session that is not a worker's, and that session.
    pub held_by_others: Vec<(JobId, String)>,
    /// Kinds that are not registered, and the number of their jobs.
    pub unknown: BTreeMap<String, u64>,
    /// Jobs that received a turn which no row had.
    pub turns_passed: Vec<JobId>,
    /// Rows that could not be repaired, and the error.
    pub failed: Vec<(JobId, String)>,
    /// Receipts removed because they were older than the retention.
    pub pruned: usize,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: JobId,
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    key: Option<String>,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = BigInt)]
    claim_no: i64,
    #[diesel(sql_type = Bool)]
    due: bool,
    /// Seconds since a start whose end is not recorded.
    #[diesel(sql_type = Nullable<Double>)]
    running: Option<f64>,
    #[diesel(sql_type = Bool)]
    turn_is_stuck: bool,
    #[diesel(sql_type = Nullable<Text>)]
    last_error: Option<String>,
}

/// Goes through all jobs once. `policy_of` gives the policies of registered kinds.
pub fn sweep(
    connection: &mut PgConnection,
    policy_of: &dyn Fn(&str) -> Option<Policy>,
    settings: &Settings,
) -> QueryResult<Swept> {
    let mut swept = Swept::default();
    let mut after = i64::MIN;
    loop {
        let page = page(connection, after, settings.sweep_page)?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for row in &page {
            swept.seen += 1;
            let Some(policy) = policy_of(&row.kind) else {
                *swept.unknown.entry(row.kind.clone()).or_default() += 1;
                continue;
            };
            let repaired = connection.transaction(|connection| repair(connection, row, &policy, settings, &mut swept));
            if let Err(error) = repaired {
                swept.failed.push((row.id, error.to_string()));
            }
        }
    }
    swept.pruned = prune(connection, settings.history_retention)?;
    Ok(swept)
}

fn page(connection: &mut PgConnection, after: JobId, size: u32) -> QueryResult<Vec<Row>> {
    sql_query(format!(
        "SELECT id, queue, kind, key, attempts, claim_no, last_error, run_at <= clock_timestamp() AS due,
                CASE WHEN {LOST} THEN extract(epoch FROM clock_timestamp() - claimed_at)::float8 END AS running,
                turn = false IS TRUE AND NOT EXISTS (
                    SELECT FROM jobs AS other WHERE other.kind = jobs.kind AND other.key = jobs.key AND other.turn)
                    AS turn_is_stuck
         FROM jobs WHERE id > $1 ORDER BY id LIMIT $2"
    ))
    .bind::<BigInt, _>(after)
    .bind::<BigInt, _>(i64::from(size))
    .get_results(connection)
}

fn repair(
    connection: &mut PgConnection,
    row: &Row,
    policy: &Policy,
    settings: &Settings,
    swept: &mut Swept,
) -> QueryResult<()> {
    let too_long = (policy.time_limit.min(settings.longest_run) + settings.sweep_patience).as_secs_f64();
    if row.due && row.attempts.unsigned_abs() >= policy.max_attempts && lock_again(connection, row)? {
        let error = storage::killed_each_time(row.attempts, row.last_error.as_deref());
        storage::bury(connection, row.id, row.claim_no, &error)?;
        swept.buried.push(row.id);
    } else if row.running.is_some_and(|running| running > too_long) {
        end_holder(connection, row, swept)?;
    } else if row.turn_is_stuck
        && let Some(key) = &row.key
        && order::pass_turn(connection, &row.queue, &row.kind, key)?
    {
        swept.turns_passed.push(row.id);
    }
    Ok(())
}

/// Locks the row if it is unlocked and unchanged.
fn lock_again(connection: &mut PgConnection, row: &Row) -> QueryResult<bool> {
    let locked = sql_query(
        "SELECT id FROM jobs WHERE id = $1 AND claim_no = $2 AND attempts = $3 AND run_at <= clock_timestamp()
         FOR NO KEY UPDATE SKIP LOCKED",
    )
    .bind::<BigInt, _>(row.id)
    .bind::<BigInt, _>(row.claim_no)
    .bind::<Integer, _>(row.attempts)
    .execute(connection)?;
    Ok(locked > 0)
}

/// Ends the session that has locked the row, if it is a worker's. A row that is not locked comes due on its own.
fn end_holder(connection: &mut PgConnection, row: &Row, swept: &mut Swept) -> QueryResult<()> {
    #[derive(QueryableByName)]
    struct Holder {
        #[diesel(sql_type = Integer)]
        pid: i32,
        #[diesel(sql_type = Text)]
        name: String,
    }
    // A row lock is stored in the row, as the id of the transaction that holds it.
    let holders: Vec<Holder> = sql_query(
        "SELECT session.pid, coalesce(session.application_name, '') AS name
         FROM jobs
         JOIN pg_locks ON pg_locks.locktype = 'transactionid' AND pg_locks.transactionid = jobs.xmax
              AND pg_locks.mode = 'ExclusiveLock' AND pg_locks.granted
         JOIN pg_stat_activity AS session ON session.pid = pg_locks.pid
         WHERE jobs.id = $1 AND jobs.claim_no = $2",
    )
    .bind::<BigInt, _>(row.id)
    .bind::<BigInt, _>(row.claim_no)
    .get_results(connection)?;
    for holder in holders {
        if holder.name.starts_with(SESSION_PREFIX) {
            sql_query("SELECT pg_terminate_backend($1)").bind::<Integer, _>(holder.pid).execute(connection)?;
            swept.terminated.push(row.id);
        } else {
            swept.held_by_others.push((row.id, format!("{:?} (session {})", holder.name, holder.pid)));
        }
    }
    Ok(())
}

/// Removes receipts that are older than `retention`, oldest first, a page at a time.
fn prune(connection: &mut PgConnection, retention: Duration) -> QueryResult<usize> {
    let mut pruned = 0;
    loop {
        let removed = sql_query(
            "DELETE FROM job_history WHERE seq IN (
                SELECT seq FROM (SELECT seq, finished_at FROM job_history ORDER BY seq LIMIT $1) AS oldest
                WHERE finished_at < clock_timestamp() - $2 * interval '1 millisecond')",
        )
        .bind::<BigInt, _>(PRUNED_TOGETHER)
        .bind::<BigInt, _>(milliseconds(retention.min(FOR_EVER)))
        .execute(connection)?;
        pruned += removed;
        if removed == 0 {
            return Ok(pruned);
        }
    }
}

/// Sweeps while this process has the sweep's lock, until the pool stops.
pub(super) fn keep_sweeping<Env: Send + Sync + 'static>(inner: &Arc<Inner<Env>>) {
    while !inner.pool.pause(jittered(inner.settings.sweep_every)) {
        if let Err(error) = inner.sweep_while_leading() {
            tracing::warn!(error = %ErrorChain::of(&error), "a sweep failed and will be repeated");
        }
    }
}

impl<Env: Send + Sync + 'static> Inner<Env> {
    /// Sweeps on one connection until the pool stops. The process with the lock keeps it; the others try again each time.
    fn sweep_while_leading(&self) -> Result<(), RunnerError> {
        let mut connection = self.source.connect().map_err(RunnerError::Connect)?;
        connection.with(|connection| {
            sql_query("SELECT set_config('application_name', $1, false)")
                .bind::<Text, _>(format!("supercargo sweep {}", self.worker))
                .execute(connection)
        })?;
        loop {
            if connection.is_outdated() {
                return Err(RunnerError::Outdated);
            }
            if connection.with(|connection| lock_by_name(connection, SWEEP_LOCK))? {
                let began = Instant::now();
                let policy_of = |kind: &str| self.registry.policy_of(kind);
                let swept = connection.with(|connection| sweep(connection, &policy_of, &self.settings))?;
                measures::sweep_took(began.elapsed());
                report(&swept);
            }
            if self.pool.pause(jittered(self.settings.sweep_every)) {
                return Ok(());
            }
        }
    }
}

fn report(swept: &Swept) {
    tracing::debug!(seen = swept.seen, pruned = swept.pruned, "swept the queue");
    if !swept.buried.is_empty() {
        tracing::error!(jobs = ?swept.buried, "dead: their processes were killed each time they ran");
    }
    if !swept.terminated.is_empty() {
        tracing::error!(jobs = ?swept.terminated, "over the time limits of their kinds: their sessions were ended");
    }
    for (job, holder) in &swept.held_by_others {
        tracing::error!(
            job,
            holder,
            "locked for longer than the time limit of its kind, by a session that is not a worker's"
        );
    }
    for (kind, count) in &swept.unknown {
        tracing::warn!(kind, count, "jobs of an unknown kind are waiting for a newer version");
    }
    if !swept.turns_passed.is_empty() {
        tracing::error!(jobs = ?swept.turns_passed, "waited for a turn that no row had: rows were removed by hand");
    }
    for (job, error) in &swept.failed {
        tracing::error!(job, error, "a job could not be repaired");
    }
    for (finding, count) in [
        ("buried", swept.buried.len()),
        ("terminated", swept.terminated.len()),
        ("held_by_others", swept.held_by_others.len()),
        ("unknown_kind", swept.unknown.len()),
        ("stuck_turn", swept.turns_passed.len()),
        ("error", swept.failed.len()),
        ("pruned", swept.pruned),
    ] {
        measures::swept(finding, count);
    }
}
