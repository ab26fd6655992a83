//! Lists of jobs for people: filtered, and followed from the last job of a page. A page costs no more for a longer history.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{PgConnection, QueryResult, sql_query};

use super::inspection::{DEAD, DONE, FAILING, JobView, pending};

/// Receipts that are looked through for a page of finished jobs.
pub const LOOKED_THROUGH: i64 = 50_000;

/// The states in which jobs are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Listed {
    /// Not done, dead or discarded.
    #[default]
    Pending,
    Running,
    Waiting,
    Delayed,
    Behind,
    /// Pending, and the last attempt failed, including those that run again.
    Failing,
    Dead,
    /// Finished or discarded.
    Done,
}

impl Listed {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Which jobs to list. Empty texts are not conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub state: Listed,
    pub kind: String,
    /// What the job is about: the name of a crate in any spelling, or the whole key.
    pub key: String,
    /// Who requested it.
    pub requested_by: String,
}

/// A page of a list.
#[derive(Clone, Debug, Default)]
pub struct JobPage {
    pub jobs: Vec<JobView>,
    /// Where the next page begins, if there may be one.
    pub next: Option<i64>,
    /// There may be older jobs that match: not all receipts were looked through for this page.
    pub is_cut: bool,
}

/// The conditions of a filter, with its values as the first three parameters. A key may be the path of a file, which ends
/// with the name of the crate.
const CONDITIONS: &str = "($1 = '' OR kind = $1)
    AND ($2 = '' OR key = $2 OR replace(regexp_replace(lower(key), '^.*/', ''), '-', '_') = replace(lower($2), '-', '_'))
    AND ($3 = '' OR lower(requested_by) = lower($3))";

/// A page of jobs: pending ones in the order of their arrival, dead and finished ones newest first. `from` is
/// [`JobPage::next`] of the page before.
pub fn page(
    connection: &mut PgConnection,
    filter: &JobFilter,
    from: Option<i64>,
    limit: usize,
) -> QueryResult<JobPage> {
    match filter.state {
        Listed::Done => finished(connection, filter, from, limit),
        Listed::Dead => {
            let query = format!("{DEAD} WHERE {CONDITIONS} AND ($4 IS NULL OR id < $4) ORDER BY id DESC LIMIT $5");
            one(connection, &query, filter, from, limit)
        }
        state => {
            let pending = pending();
            let jobs = match state {
                Listed::Pending => pending,
                // As `jobs list --failed` has them, and as they are counted.
                Listed::Failing => format!("{pending} WHERE {FAILING}"),
                state => format!("SELECT * FROM ({pending}) AS of_all WHERE state = '{}'", state.as_str()),
            };
            let query = format!(
                "SELECT * FROM ({jobs}) AS pending WHERE {CONDITIONS} AND ($4 IS NULL OR id > $4) ORDER BY id LIMIT $5"
            );
            one(connection, &query, filter, from, limit)
        }
    }
}

/// A page that is followed by the id of its last job.
fn one(
    connection: &mut PgConnection,
    query: &str,
    filter: &JobFilter,
    from: Option<i64>,
    limit: usize,
) -> QueryResult<JobPage> {
    let mut jobs: Vec<JobView> = sql_query(query)
        .bind::<Text, _>(&filter.kind)
        .bind::<Text, _>(&filter.key)
        .bind::<Text, _>(&filter.requested_by)
        .bind::<Nullable<BigInt>, _>(from)
        .bind::<BigInt, _>(rows(limit))
        .get_results(connection)?;
    let follows = jobs.len() > limit;
    jobs.truncate(limit);
    let next = jobs.last().filter(|_| follows).map(|last| last.id);
    Ok(JobPage { jobs, next, is_cut: false })
}

/// One more than a page has, which shows whether another follows.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1
}

#[derive(QueryableByName)]
struct Finished {
    #[diesel(embed)]
    job: JobView,
    #[diesel(sql_type = BigInt)]
    seq: i64,
}

/// A page that is followed by the number of a receipt. Looks through a bounded number of receipts.
fn finished(
    connection: &mut PgConnection,
    filter: &JobFilter,
    from: Option<i64>,
    limit: usize,
) -> QueryResult<JobPage> {
    #[derive(QueryableByName)]
    struct Bounds {
        #[diesel(sql_type = Nullable<BigInt>)]
        oldest: Option<i64>,
        #[diesel(sql_type = Nullable<BigInt>)]
        newest: Option<i64>,
    }
    let bounds: Bounds =
        sql_query("SELECT min(seq) AS oldest, max(seq) AS newest FROM job_history").get_result(connection)?;
    let Some((oldest, newest)) = bounds.oldest.zip(bounds.newest) else { return Ok(JobPage::default()) };
    let before = from.unwrap_or(i64::MAX).min(newest.saturating_add(1));
    let down_to = before.saturating_sub(LOOKED_THROUGH);
    let query = format!(
        "{} AND {CONDITIONS} AND seq < $4 AND seq >= $5 ORDER BY seq DESC LIMIT $6",
        DONE.replacen("SELECT id", "SELECT seq, id", 1)
    );
    let mut found: Vec<Finished> = sql_query(query)
        .bind::<Text, _>(&filter.kind)
        .bind::<Text, _>(&filter.key)
        .bind::<Text, _>(&filter.requested_by)
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(down_to)
        .bind::<BigInt, _>(rows(limit))
        .get_results(connection)?;
    let follows = found.len() > limit;
    found.truncate(limit);
    let is_cut = !follows && down_to > oldest;
    let next = if follows { found.last().map(|last| last.seq) } else { is_cut.then_some(down_to) };
    Ok(JobPage { jobs: found.into_iter().map(|row| row.job).collect(), next, is_cut })
}

/// The ids of dead jobs of a kind, oldest first, none of them after `until`.
pub fn dead_of_kind(connection: &mut PgConnection, kind: &str, until: i64, limit: i64) -> QueryResult<Vec<i64>> {
    let rows: Vec<super::storage::IdRow> =
        sql_query("SELECT id FROM dead_jobs WHERE kind = $1 AND id <= $2 ORDER BY id LIMIT $3")
            .bind::<Text, _>(kind)
            .bind::<BigInt, _>(until)
            .bind::<BigInt, _>(limit)
            .get_results(connection)?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
