//! Which process asks an upstream for a file: one at a time, by a lease that ends by itself when the process dies.
//!
//! All times are those of the database, so the clocks of the machines need not agree. Leases of this table are short, and nothing
//! is locked while an upstream is asked.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};

/// How long a lease lasts that is not renewed.
pub const LEASE: Duration = Duration::from_secs(10);
/// How long the answer counts that there is no such file, at most.
const ABSENT: Duration = Duration::from_secs(10);

/// What the database says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether the lease is this process's now.
    pub is_taken: bool,
    /// That of the index file; None if there is none.
    pub revision: Option<i64>,
    /// How long ago the upstream last answered; None if that is not known.
    pub age: Option<Duration>,
    /// Whether it answered that there is no such file.
    pub is_absent: bool,
    /// How long it has answered that.
    pub absent_for: Option<Duration>,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file is the one in the database.
    Checked,
    /// There is no such file. One that is kept is still believed in.
    Missing,
    /// There is no such file, and none is believed in.
    Absent,
    Failed,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    is_taken: bool,
    #[diesel(sql_type = Nullable<BigInt>)]
    revision: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    age: Option<i64>,
    #[diesel(sql_type = Bool)]
    is_absent: bool,
    #[diesel(sql_type = Nullable<BigInt>)]
    absent_for: Option<i64>,
}

/// Takes the lease for a file, if none has it and the last answer is at least so old.
pub fn take(
    connection: &mut PgConnection,
    (upstream, subject): (&str, &str),
    holder: i64,
    age: Duration,
) -> QueryResult<Seen> {
    let query = diesel::sql_query(
        "WITH taken AS (
            INSERT INTO upstream_requests AS one (upstream, subject, holder, leased_until)
            VALUES ($1, $2, $3, clock_timestamp() + $4 * interval '1 millisecond')
            ON CONFLICT (upstream, subject) DO UPDATE SET holder = excluded.holder, leased_until = excluded.leased_until
            WHERE coalesce(one.leased_until < clock_timestamp(), true)
                  AND coalesce(one.checked_at > clock_timestamp() OR one.checked_at <= clock_timestamp()
                      - CASE WHEN one.is_absent THEN least($5, $6) ELSE $5 END * interval '1 millisecond', true)
            RETURNING 1)
         SELECT EXISTS (SELECT FROM taken) AS is_taken, file.revision, coalesce(request.is_absent, false) AS is_absent,
                (extract(epoch FROM clock_timestamp() - request.checked_at) * 1000)::bigint AS age,
                (extract(epoch FROM clock_timestamp() - request.absent_since) * 1000)::bigint AS absent_for
         FROM (VALUES ($1, $2)) AS asked (upstream, subject)
         LEFT JOIN upstream_requests AS request USING (upstream, subject)
         LEFT JOIN upstream_index_files AS file ON file.upstream = asked.upstream AND file.path = asked.subject",
    );
    let found: Found = query
        .bind::<Text, _>(upstream)
        .bind::<Text, _>(subject)
        .bind::<BigInt, _>(holder)
        .bind::<BigInt, _>(milliseconds(LEASE))
        .bind::<BigInt, _>(milliseconds(age))
        .bind::<BigInt, _>(milliseconds(ABSENT))
        .get_result(connection)?;
    Ok(Seen {
        is_taken: found.is_taken,
        revision: found.revision,
        age: found.age.and_then(duration),
        is_absent: found.is_absent,
        absent_for: found.absent_for.and_then(duration),
    })
}

impl Seen {
    /// Whether the answer is recent enough for one who wants it no older than this.
    pub fn is_recent(&self, age: Duration) -> bool {
        let age = if self.is_absent { age.min(ABSENT) } else { age };
        self.age.is_some_and(|since| since < age)
    }
}

/// Ends a lease, unless it has ended or is another process's by now.
pub fn end(
    connection: &mut PgConnection,
    (upstream, subject): (&str, &str),
    holder: i64,
    outcome: Outcome,
) -> QueryResult<()> {
    let more = match outcome {
        Outcome::Checked => ", checked_at = clock_timestamp(), is_absent = false, absent_since = NULL",
        Outcome::Missing => ", absent_since = coalesce(absent_since, clock_timestamp())",
        Outcome::Absent => {
            ", checked_at = clock_timestamp(), is_absent = true, absent_since = coalesce(absent_since, clock_timestamp())"
        }
        Outcome::Failed => "",
    };
    let query = diesel::sql_query(format!(
        "UPDATE upstream_requests SET holder = NULL, leased_until = NULL{more}
         WHERE upstream = $1 AND subject = $2 AND holder = $3"
    ));
    let query = query.bind::<Text, _>(upstream).bind::<Text, _>(subject).bind::<BigInt, _>(holder);
    query.execute(connection).map(drop)
}

/// Prolongs leases of a process.
pub fn renew(connection: &mut PgConnection, upstream: &str, subjects: &[String], holder: i64) -> QueryResult<()> {
    let query = diesel::sql_query(
        "UPDATE upstream_requests SET leased_until = clock_timestamp() + $4 * interval '1 millisecond'
         WHERE upstream = $1 AND subject = ANY ($2) AND holder = $3",
    );
    let query = query.bind::<Text, _>(upstream).bind::<Array<Text>, _>(subjects).bind::<BigInt, _>(holder);
    query.bind::<BigInt, _>(milliseconds(LEASE)).execute(connection).map(drop)
}

/// Those of these files for which a lease is held.
pub fn leased(connection: &mut PgConnection, upstream: &str, subjects: &[String]) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Leased {
        #[diesel(sql_type = Text)]
        subject: String,
    }
    let query = diesel::sql_query(
        "SELECT subject FROM upstream_requests
         WHERE upstream = $1 AND subject = ANY ($2) AND leased_until >= clock_timestamp()",
    );
    let found: Vec<Leased> = query.bind::<Text, _>(upstream).bind::<Array<Text>, _>(subjects).load(connection)?;
    Ok(found.into_iter().map(|one| one.subject).collect())
}

/// Removes what nothing follows from: absent files, crate files, and index files that were not asked for since a day.
pub fn tidy(connection: &mut PgConnection) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM upstream_requests
         WHERE coalesce(leased_until < clock_timestamp() - interval '1 minute', true)
               AND coalesce(checked_at < clock_timestamp() - CASE WHEN is_absent THEN interval '1 minute' ELSE interval '1 day' END,
                            coalesce(absent_since < clock_timestamp() - interval '1 day', true))",
    )
    .execute(connection)
}

/// At most a hundred years, which the database can count with.
fn milliseconds(duration: Duration) -> i64 {
    duration.as_millis().min(3_155_760_000_000).try_into().unwrap_or_default()
}

fn duration(milliseconds: i64) -> Option<Duration> {
    u64::try_from(milliseconds).ok().map(Duration::from_millis)
}
