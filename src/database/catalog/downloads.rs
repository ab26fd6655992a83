//! Download counts: by day for the last ninety days, and in total.

use chrono::{DateTime, Days, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Integer};

use crate::database::registry_counts;
use crate::database::schema::{version_downloads_by_day, versions};

/// The number of days before today whose downloads are recent.
pub const RECENT_DAYS: u64 = 90;

/// The downloads of a version on one day in UTC.
#[derive(Queryable, Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfDay {
    pub version_id: i32,
    pub day: NaiveDate,
    pub downloads: i64,
}

/// Adds downloads to the counts, atomically. Downloads of versions that no longer exist are ignored. Concurrent calls
/// lock the rows in the same order, so they do not deadlock.
pub fn add(connection: &mut PgConnection, counted: &[OfDay]) -> QueryResult<usize> {
    connection.transaction(|connection| {
        let added = add_all(connection, counted)?;
        registry_counts::fold(connection)?;
        Ok(added)
    })
}

fn add_all(connection: &mut PgConnection, counted: &[OfDay]) -> QueryResult<usize> {
    diesel::sql_query(
        "WITH counted AS (
             SELECT version_id, versions.crate_id, day, downloads
             FROM unnest($1, $2, $3) AS new (version_id, day, downloads) JOIN versions ON versions.id = version_id
         ), days AS (
             INSERT INTO version_downloads_by_day AS old (version_id, day, downloads)
             SELECT version_id, day, sum(downloads) FROM counted GROUP BY version_id, day ORDER BY version_id, day
             ON CONFLICT (version_id, day) DO UPDATE SET downloads = old.downloads + excluded.downloads
         ), registry AS (
             INSERT INTO registry_count_changes (kind, name, change)
             SELECT 'downloads', '', sum(downloads) FROM counted HAVING count(*) > 0
         ), totals AS (
             INSERT INTO version_downloads AS old (version_id, downloads)
             SELECT version_id, sum(downloads) FROM counted GROUP BY version_id ORDER BY version_id
             ON CONFLICT (version_id) DO UPDATE SET downloads = old.downloads + excluded.downloads
         )
         INSERT INTO crate_downloads AS old (crate_id, downloads, recent)
         SELECT crate_id, sum(downloads), sum(downloads) FROM counted GROUP BY crate_id ORDER BY crate_id
         ON CONFLICT (crate_id) DO UPDATE
             SET downloads = old.downloads + excluded.downloads, recent = old.recent + excluded.recent",
    )
    .bind::<Array<Integer>, _>(counted.iter().map(|one| one.version_id).collect::<Vec<_>>())
    .bind::<Array<Date>, _>(counted.iter().map(|one| one.day).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(counted.iter().map(|one| one.downloads).collect::<Vec<_>>())
    .execute(connection)
}

/// Removes days that are no longer recent from the counts by day and from the recent downloads. One of several
/// processes does it, once a day; true if this one did.
pub fn forget_old_days(connection: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<bool> {
    let since = first_recent_day(now);
    connection.transaction(|connection| {
        let moved = diesel::sql_query("UPDATE downloads_window SET since = $1 WHERE since < $1")
            .bind::<Date, _>(since)
            .execute(connection)?;
        if moved == 0 {
            return Ok(false);
        }
        // Rows are locked in the order of ids, as in `add`.
        diesel::sql_query(
            "WITH gone AS (
                 DELETE FROM version_downloads_by_day WHERE day < $1 RETURNING version_id, downloads
             ), of_crates AS (
                 SELECT crate_id, sum(downloads) AS downloads FROM gone JOIN versions ON versions.id = version_id
                 GROUP BY crate_id
             ), locked AS (
                 SELECT crate_downloads.crate_id, of_crates.downloads
                 FROM crate_downloads JOIN of_crates USING (crate_id) ORDER BY crate_id FOR NO KEY UPDATE OF crate_downloads
             )
             UPDATE crate_downloads SET recent = recent - locked.downloads FROM locked
             WHERE crate_downloads.crate_id = locked.crate_id",
        )
        .bind::<Date, _>(since)
        .execute(connection)?;
        Ok(true)
    })
}

/// The first recent day.
pub fn first_recent_day(now: DateTime<Utc>) -> NaiveDate {
    let today = now.date_naive();
    today.checked_sub_days(Days::new(RECENT_DAYS)).unwrap_or(today)
}

/// The recent downloads of these versions, the oldest day first.
pub fn of_versions(connection: &mut PgConnection, ids: &[i32], now: DateTime<Utc>) -> QueryResult<Vec<OfDay>> {
    version_downloads_by_day::table
        .filter(version_downloads_by_day::version_id.eq_any(ids))
        .filter(version_downloads_by_day::day.ge(first_recent_day(now)))
        .order((version_downloads_by_day::day, version_downloads_by_day::version_id))
        .select((
            version_downloads_by_day::version_id,
            version_downloads_by_day::day,
            version_downloads_by_day::downloads,
        ))
        .load(connection)
}

/// The recent downloads of a version until this day, which is included, over ninety days.
pub fn of_version_until(connection: &mut PgConnection, id: i32, until: NaiveDate) -> QueryResult<Vec<OfDay>> {
    let since = until.checked_sub_days(Days::new(RECENT_DAYS - 1)).unwrap_or(until);
    version_downloads_by_day::table
        .filter(version_downloads_by_day::version_id.eq(id))
        .filter(version_downloads_by_day::day.between(since, until))
        .order(version_downloads_by_day::day)
        .select((
            version_downloads_by_day::version_id,
            version_downloads_by_day::day,
            version_downloads_by_day::downloads,
        ))
        .load(connection)
}

/// The recent downloads of a crate by day, without those of some versions.
pub fn of_other_versions(
    connection: &mut PgConnection,
    crate_id: i32,
    excluded: &[i32],
    now: DateTime<Utc>,
) -> QueryResult<Vec<(NaiveDate, i64)>> {
    use diesel::dsl::sql;
    version_downloads_by_day::table
        .inner_join(versions::table)
        .filter(versions::crate_id.eq(crate_id))
        .filter(versions::id.ne_all(excluded))
        .filter(version_downloads_by_day::day.ge(first_recent_day(now)))
        .group_by(version_downloads_by_day::day)
        .order(version_downloads_by_day::day)
        .select((version_downloads_by_day::day, sql::<BigInt>("sum(version_downloads_by_day.downloads)::bigint")))
        .load(connection)
}
