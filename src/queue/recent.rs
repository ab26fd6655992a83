//! What jobs did in the last day, in half hours.
//!
//! The history has millions of receipts in a busy installation, so it is not read anew each time. Receipts are in the order
//! of `seq`, which is very nearly that of time, so the first one of a time is found by bisection; no index on the time is
//! needed. Half hours that are over are read once per process and kept. The current one is read again, at most every few
//! seconds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Nullable, Timestamptz};
use diesel::{PgConnection, QueryResult, sql_query};

/// Seconds of a part of the day.
pub const PART: i64 = 30 * 60;
/// Parts of the day.
pub const PARTS: usize = 48;
/// How long what was read is shown again.
pub const FRESH: Duration = Duration::from_secs(5);
/// How long after its end a part may still change: receipts become visible when their transactions end.
const SETTLES: i64 = 120;
/// How much later than its neighbours a receipt may be, in seconds.
const OUT_OF_ORDER: i64 = 60;

/// What jobs did in a part of the day.
#[derive(QueryableByName, Clone, Debug, PartialEq)]
pub struct Part {
    /// In seconds since 1970.
    #[diesel(sql_type = BigInt)]
    pub start: i64,
    /// Finished jobs.
    #[diesel(sql_type = BigInt)]
    pub done: i64,
    /// Attempts that failed or were lost, and deaths.
    #[diesel(sql_type = BigInt)]
    pub failed: i64,
    /// Seconds from the request to the start of the attempt that finished the job: the median.
    #[diesel(sql_type = Nullable<Double>)]
    pub median: Option<f64>,
    /// The same: 95 of 100 jobs waited no longer.
    #[diesel(sql_type = Nullable<Double>)]
    pub p95: Option<f64>,
}

impl Part {
    fn empty(start: i64) -> Self {
        Self { start, done: 0, failed: 0, median: None, p95: None }
    }
}

/// The last day: [`PARTS`] parts, the last of which is the current one.
#[derive(Clone, Debug)]
pub struct LastDay {
    pub parts: Vec<Part>,
    /// When it was read.
    pub at: DateTime<Utc>,
    read: Instant,
}

/// Remembers the last day. Cheap to clone.
#[derive(Clone, Default)]
pub struct RecentHistory(Arc<Remembered>);

#[derive(Default)]
struct Remembered {
    latest: RwLock<Option<Arc<LastDay>>>,
    /// The parts that cannot change any longer, by their starts. Locked while somebody reads the history.
    settled: Mutex<BTreeMap<i64, Part>>,
}

impl RecentHistory {
    /// The last day, at most [`FRESH`] old. One caller reads at a time, and the others get what was read before.
    pub fn look(&self, connection: &mut PgConnection) -> QueryResult<Arc<LastDay>> {
        let fresh = |day: &Arc<LastDay>| day.read.elapsed() < FRESH;
        if let Some(day) = self.latest().filter(fresh) {
            return Ok(day);
        }
        let mut settled = match (self.0.settled.try_lock(), self.latest()) {
            (Ok(settled), _) => settled,
            (Err(std::sync::TryLockError::WouldBlock), Some(before)) => return Ok(before),
            _ => self.0.settled.lock().unwrap_or_else(PoisonError::into_inner),
        };
        if let Some(day) = self.latest().filter(fresh) {
            return Ok(day);
        }
        let day = Arc::new(read(connection, &mut settled)?);
        *self.0.latest.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&day));
        Ok(day)
    }

    fn latest(&self) -> Option<Arc<LastDay>> {
        self.0.latest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads the parts that are not settled, and keeps those that are now.
fn read(connection: &mut PgConnection, settled: &mut BTreeMap<i64, Part>) -> QueryResult<LastDay> {
    #[derive(QueryableByName)]
    struct Now {
        #[diesel(sql_type = Timestamptz)]
        at: DateTime<Utc>,
    }
    // Receipts have the times of the database's clock.
    let Now { at } = sql_query("SELECT clock_timestamp() AS at").get_result(connection)?;
    let starts = starts(at.timestamp());
    settled.retain(|start, _| starts.contains(start));
    let mut parts: BTreeMap<i64, Part> = starts.iter().map(|start| (*start, Part::empty(*start))).collect();
    if let Some(from) = starts.iter().copied().find(|start| !settled.contains_key(start)) {
        for part in since(connection, from)? {
            // One that began after the time was read is left for the next look.
            parts.entry(part.start).and_modify(|known| *known = part);
        }
    }
    for (start, part) in &mut parts {
        if let Some(kept) = settled.get(start) {
            *part = kept.clone();
        } else if start + PART + SETTLES < at.timestamp() {
            settled.insert(*start, part.clone());
        }
    }
    Ok(LastDay { parts: parts.into_values().collect(), at, read: Instant::now() })
}

/// The starts of the parts of the day until a time, in seconds.
fn starts(now: i64) -> Vec<i64> {
    let current = now.div_euclid(PART) * PART;
    (0..PARTS as i64).rev().map(|back| current - back * PART).collect()
}

/// The parts from a start on that have receipts.
fn since(connection: &mut PgConnection, from: i64) -> QueryResult<Vec<Part>> {
    let time = DateTime::from_timestamp(from, 0).unwrap_or(DateTime::UNIX_EPOCH);
    let first = first_receipt(connection, time - TimeDelta::seconds(OUT_OF_ORDER))?;
    sql_query(
        "SELECT floor(extract(epoch FROM finished_at)::float8 / $3)::bigint * $3 AS start,
                count(*) FILTER (WHERE outcome = 'done') AS done,
                count(*) FILTER (WHERE outcome IN ('failed', 'lost', 'dead')) AS failed,
                percentile_disc(0.5) WITHIN GROUP (ORDER BY waited) FILTER (WHERE outcome = 'done') AS median,
                percentile_disc(0.95) WITHIN GROUP (ORDER BY waited) FILTER (WHERE outcome = 'done') AS p95
         FROM (SELECT finished_at, outcome,
                      greatest(extract(epoch FROM started_at - created_at), 0)::float8 AS waited
               FROM job_history WHERE seq >= $1 AND finished_at >= $2) AS receipts
         GROUP BY 1",
    )
    .bind::<BigInt, _>(first)
    .bind::<Timestamptz, _>(time)
    .bind::<BigInt, _>(PART)
    .get_results(connection)
}

/// The number of the first receipt at or after a time, found by bisection in the order of receipts.
fn first_receipt(connection: &mut PgConnection, time: DateTime<Utc>) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct First {
        #[diesel(sql_type = Nullable<BigInt>)]
        seq: Option<i64>,
    }
    let first: Vec<First> = sql_query(
        "WITH RECURSIVE bisected (low, high) AS (
            SELECT min(seq), max(seq) + 1 FROM job_history
            UNION ALL
            SELECT CASE WHEN is_before THEN middle + 1 ELSE low END, CASE WHEN is_before THEN high ELSE middle END
            FROM (SELECT low, high, low + (high - low) / 2 AS middle FROM bisected WHERE low < high) AS halves,
                 LATERAL (SELECT coalesce((SELECT finished_at < $1 FROM job_history WHERE seq >= middle
                                           ORDER BY seq LIMIT 1), false) AS is_before) AS probe)
         SELECT low AS seq FROM bisected WHERE low = high LIMIT 1",
    )
    .bind::<Timestamptz, _>(time)
    .get_results(connection)?;
    Ok(first.into_iter().find_map(|row| row.seq).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_with_the_current_half_hour() {
        let starts = starts(1_800_000_900);
        assert_eq!((starts.len(), starts[0], starts[47]), (48, 1_799_915_400, 1_800_000_000));
    }
}
