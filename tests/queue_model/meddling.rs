//! Other access to the rows: requests that enqueue, an operator, and transactions that lock a row for a moment.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::{BigInt, Text};
use diesel::{PgConnection, sql_query};
use rand::RngExt;
use rand::rngs::StdRng;
use supercargo::queue::{JobId, intervention};

use crate::driver::Plan;
use crate::kinds::{Fate, How, Kind, Work};

/// Jobs that one thread enqueues, at the usual scale.
const JOBS: u32 = 220;
/// Keys of the ordered kind and of the deduplicated kind.
const KEYS: u32 = 6;
/// A twin of this key kills its process.
pub const BAD_KEY: &str = "bad";

/// The jobs whose transactions committed.
#[derive(Default)]
pub struct Asked {
    next: AtomicI64,
    pub jobs: Mutex<BTreeMap<JobId, Job>>,
    /// Ordered keys with a job that kills its process. A key has at most one, since its other jobs wait for it.
    bad_keys: Mutex<HashSet<String>>,
}

pub struct Job {
    pub kind: Kind,
    pub key: String,
    pub fate: Fate,
}

/// Enqueues jobs, several in one transaction, and rolls some transactions back.
pub fn enqueue(plan: &Plan, mut chance: StdRng, asked: &Asked, connection: &mut PgConnection) {
    let (mut left, mut poison) = (JOBS * plan.scale, 2 * plan.scale);
    let every = left / (2 * poison);
    let mut bad_requests = 2;
    while left > 0 {
        let mut batch: Vec<(Kind, Work)> = Vec::new();
        for _ in 0..chance.random_range(1..=24).min(left) {
            left -= 1;
            let (kind, mut work) = draw(plan, &mut chance, asked);
            // Keys are locked until the end of the transaction; one key per transaction avoids deadlocks.
            if batch.iter().any(|(other, _)| is_keyed(*other)) && is_keyed(kind) {
                continue;
            }
            if poison > 0 && left % every == 0 && kind != Kind::Twin && asked.takes_poison(kind, &work.key) {
                poison -= 1;
                work.fate = Fate::Poison;
            }
            if kind == Kind::Twin && bad_requests > 0 && chance.random_bool(0.1) {
                bad_requests -= 1;
                (work.key, work.fate) = (BAD_KEY.to_owned(), Fate::Poison);
            }
            batch.push((kind, work));
        }
        let pause = Duration::from_micros(chance.random_range(0..3000));
        let rolled_back = chance.random_bool(0.05);
        let added = connection.transaction::<_, Box<dyn std::error::Error>, _>(|connection| {
            let mut added = Vec::new();
            for (kind, work) in batch {
                if kind == Kind::Twin {
                    sql_query(
                        "INSERT INTO requested (key, requests) VALUES ($1, 1)
                         ON CONFLICT (key) DO UPDATE SET requests = requested.requests + 1",
                    )
                    .bind::<Text, _>(&work.key)
                    .execute(connection)?;
                }
                let job = Job { kind, key: work.key.clone(), fate: work.fate };
                added.push((kind.enqueue(connection, work)?, job));
            }
            std::thread::sleep(pause);
            if rolled_back { Err(Error::RollbackTransaction.into()) } else { Ok(added) }
        });
        match added {
            Ok(added) => {
                let mut jobs = asked.jobs.lock().unwrap();
                for (id, job) in added {
                    jobs.entry(id).or_insert(job);
                }
            }
            Err(error) => assert!(rolled_back, "a request failed: {error}"),
        }
        std::thread::sleep(Duration::from_millis(chance.random_range(0..120)));
    }
}

impl Asked {
    fn takes_poison(&self, kind: Kind, key: &str) -> bool {
        kind != Kind::Ordered || self.bad_keys.lock().unwrap().insert(key.to_owned())
    }
}

fn is_keyed(kind: Kind) -> bool {
    matches!(kind, Kind::Ordered | Kind::Twin)
}

fn draw(plan: &Plan, chance: &mut StdRng, asked: &Asked) -> (Kind, Work) {
    let kind = Kind::ALL[chance.random_range(0..Kind::ALL.len())];
    let keys = plan.scale * if is_keyed(kind) { KEYS } else { 100 };
    let key = format!("key-{}", chance.random_range(0..keys));
    let fate = match chance.random_range(0..100) {
        // The key decides what a twin does.
        _ if kind == Kind::Twin => Fate::Done,
        0..20 => {
            let how = [How::BeforeItsEffect, How::AfterItsEffect, How::ByPanic, How::ByStatement];
            Fate::Fails(chance.random_range(1..=2), how[chance.random_range(0..how.len())])
        }
        20..25 => Fate::Outage,
        _ => Fate::Done,
    };
    (kind, Work { n: asked.next.fetch_add(1, Ordering::SeqCst), key, fate })
}

/// Locks one row after the other for a moment, and retries some jobs as an operator. A transaction that locks one row only
/// causes no deadlock, and the operator skips locked rows.
pub fn meddle(mut chance: StdRng, over: &AtomicBool, connection: &mut PgConnection, operator: &mut PgConnection) {
    sql_query("SET lock_timeout = '20ms'").execute(connection).unwrap();
    while !over.load(Ordering::SeqCst) {
        let pause = Duration::from_micros(chance.random_range(500..6000));
        let met = connection.transaction(|connection| {
            let next = chance.random_bool(0.5).then(|| chance.random_range(0..15));
            if lock(connection, next.map_or(Target::Any, Target::Next))?.is_some() {
                // A claim of several jobs may wait for this row now, without the rows after it.
                if next.is_some() && chance.random_bool(0.2) {
                    (0..3).try_for_each(|_| retry(operator, Target::BetweenSteps))?;
                    std::thread::sleep(2 * pause);
                }
                std::thread::sleep(pause);
            }
            Ok(())
        });
        match met {
            // The wait for a row exceeded lock_timeout.
            Err(Error::DatabaseError(_, error)) if error.message().contains("lock timeout") => {}
            met => met.unwrap(),
        }
        if chance.random_bool(0.05) {
            retry(operator, Target::Any).unwrap();
        }
        std::thread::sleep(Duration::from_micros(chance.random_range(500..4000)));
    }
}

fn retry(operator: &mut PgConnection, target: Target) -> QueryResult<()> {
    operator.transaction(|operator| {
        let Some(job) = lock(operator, target)? else { return Ok(()) };
        sql_query(
            "INSERT INTO retried (id, claimed_at) SELECT id, claimed_at FROM jobs
             WHERE id = $1 AND claimed_at IS NOT NULL",
        )
        .bind::<BigInt, _>(job)
        .execute(operator)?;
        intervention::retry(operator, job, "the model's operator").map(drop)
    })
}

/// The row to lock.
enum Target {
    Any,
    /// One of those that are claimed next. A locked row is waited for and not skipped, so that it is locked at the moment
    /// when the first step of a claim releases it.
    Next(i64),
    /// A claimed row that is not locked: its worker has not reached the second step, or is dead.
    BetweenSteps,
}

fn lock(connection: &mut PgConnection, target: Target) -> QueryResult<Option<JobId>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        id: JobId,
    }
    let lock = match target {
        Target::Any => "SELECT id FROM jobs ORDER BY random() LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED".to_owned(),
        Target::Next(place) => format!(
            "SELECT id FROM jobs WHERE id = (
                    SELECT id FROM jobs WHERE run_at <= clock_timestamp() AND turn IS NOT FALSE
                    ORDER BY id OFFSET {place} LIMIT 1)
                 FOR NO KEY UPDATE"
        ),
        Target::BetweenSteps => "SELECT id FROM jobs
                 WHERE run_at > clock_timestamp() AND claimed_at IS NOT NULL
                       AND (last_failed_at IS NULL OR last_failed_at < claimed_at)
                 ORDER BY claimed_at DESC, id DESC LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED"
            .to_owned(),
    };
    let row: Option<Row> = sql_query(lock).get_result(connection).optional()?;
    Ok(row.map(|row| row.id))
}
