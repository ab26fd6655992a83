//! Who else is at the jobs' rows: requests that add them, an operator, and whoever locks a row for a moment.

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

/// Jobs that one thread asks for, at the usual scale.
const JOBS: u32 = 180;
/// Of a kind that runs in order, and of one whose twins are woken.
const KEYS: u32 = 6;
/// A twin of this key kills its process.
pub const BAD_KEY: &str = "bad";

/// What is owed since its transaction committed.
#[derive(Default)]
pub struct Asked {
    next: AtomicI64,
    pub jobs: Mutex<BTreeMap<JobId, Job>>,
    /// A key in which one job kills its process needs no second one: the others wait for it.
    bad_keys: Mutex<HashSet<String>>,
}

pub struct Job {
    pub kind: Kind,
    pub key: String,
    pub fate: Fate,
}

/// Asks for jobs now and then, several in one transaction, and takes some of them back.
pub fn enqueue(plan: &Plan, mut chance: StdRng, asked: &Asked, connection: &mut PgConnection) {
    let (mut left, mut poison) = (JOBS * plan.scale, 2 * plan.scale);
    let every = left / (2 * poison);
    let mut bad_requests = 2;
    while left > 0 {
        let mut batch: Vec<(Kind, Work)> = Vec::new();
        for _ in 0..chance.random_range(1..=12).min(left) {
            left -= 1;
            let (kind, mut work) = draw(plan, &mut chance, asked);
            // Keys are locked to the end of the transaction; with one of them nobody waits in a circle.
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
        std::thread::sleep(Duration::from_millis(chance.random_range(0..70)));
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
        // What a twin does is decided by its key.
        _ if kind == Kind::Twin => Fate::Done,
        0..20 => {
            let how = [How::BeforeItsEffect, How::AfterItsEffect, How::ByPanic, How::ByStatement];
            Fate::Fails(chance.random_range(1..=2), how[chance.random_range(0..how.len())])
        }
        20..23 => Fate::FailsShared,
        _ => Fate::Done,
    };
    (kind, Work { n: asked.next.fetch_add(1, Ordering::SeqCst), key, fate })
}

/// Locks one row after the other for a moment, and makes some of them due as an operator does. Waiting for a row, and
/// not passing over those that are held, gets it at the moment when the first step of a claim gives it up. Who holds
/// one row and asks for no second one stands in no circle.
pub fn meddle(mut chance: StdRng, over: &AtomicBool, connection: &mut PgConnection) {
    sql_query("SET lock_timeout = '20ms'").execute(connection).unwrap();
    while !over.load(Ordering::SeqCst) {
        let met = connection.transaction::<_, Error, _>(|connection| {
            let Some(row) = choose(&mut chance, connection)? else { return Ok(()) };
            let lock = sql_query("SELECT id FROM jobs WHERE id = $1 FOR NO KEY UPDATE").bind::<BigInt, _>(row);
            if lock.execute(connection)? == 0 {
                return Ok(());
            }
            if chance.random_bool(0.08) {
                sql_query(
                    "INSERT INTO retried (id, claimed_at)
                     SELECT id, claimed_at FROM jobs WHERE id = $1 AND claimed_at IS NOT NULL",
                )
                .bind::<BigInt, _>(row)
                .execute(connection)?;
                intervention::retry(connection, row, "the model's operator")?;
            }
            std::thread::sleep(Duration::from_micros(chance.random_range(500..5000)));
            Ok(())
        });
        match met {
            // It waited for a row as long as it may.
            Err(Error::DatabaseError(_, told)) if told.message().contains("lock timeout") => {}
            met => met.unwrap(),
        }
        std::thread::sleep(Duration::from_micros(chance.random_range(500..4000)));
    }
}

/// Any row, or one of those that are claimed next.
fn choose(chance: &mut StdRng, connection: &mut PgConnection) -> QueryResult<Option<JobId>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        id: JobId,
    }
    let row: Option<Row> = if chance.random_bool(0.3) {
        sql_query("SELECT id FROM jobs ORDER BY random() LIMIT 1").get_result(connection).optional()?
    } else {
        sql_query(
            "SELECT id FROM jobs WHERE run_at <= clock_timestamp() AND turn IS NOT FALSE ORDER BY id OFFSET $1 LIMIT 1",
        )
        .bind::<BigInt, _>(chance.random_range(0..15))
        .get_result(connection)
        .optional()?
    };
    Ok(row.map(|row| row.id))
}
