//! The kinds of the model's jobs, with the work and the checks of each.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Text};
use diesel::{PgConnection, QueryResult, sql_query};
use nix::sys::signal::{Signal, raise};
use serde::{Deserialize, Serialize};
use supercargo::queue::registry::RegistryError;
use supercargo::queue::{
    Backoff, Batch, Duplicates, Enqueue, EnqueueError, Job, JobError, JobId, Member, Order, Outcome, Perform, Policy,
    Registry, Run,
};

use crate::locks::{self, Held};

/// A job is dead after this many starts without success.
pub const MAX_ATTEMPTS: u32 = 10;
/// A job that was started this often runs alone from then on.
const SUSPECT: i32 = 2;
/// The queues that the kinds wait in.
pub const QUEUES: [&str; 3] = ["small", "large", "keyed"];

const fn policy(queue: &'static str) -> Policy {
    Policy {
        max_attempts: MAX_ATTEMPTS,
        backoff: Backoff { base: Duration::from_millis(50), cap: Duration::from_millis(400) },
        ..Policy::in_queue(queue)
    }
}

/// What a job does when it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    Done,
    /// Fails in its first attempts, this many.
    Fails(i32, How),
    /// Fails once, by an outage.
    Outage,
    /// Kills its process each time it runs.
    Poison,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    BeforeItsEffect,
    AfterItsEffect,
    ByPanic,
    ByStatement,
}

/// The data of a job. `n` is unique, also among jobs whose transaction was rolled back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Work {
    pub n: i64,
    pub key: String,
    pub fate: Fate,
}

macro_rules! kinds {
    ($($name:ident: $kind:literal, $policy:expr;)*) => {
        $(
            #[derive(Serialize, Deserialize)]
            pub struct $name(pub Work);

            impl Job for $name {
                const KIND: &'static str = $kind;
                const POLICY: Policy = $policy;

                fn key(&self) -> Option<String> {
                    Some(self.0.key.clone())
                }
            }
        )*

        /// Every kind of the model.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($name,)*
        }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $kind,)*
                }
            }

            pub fn enqueue(self, connection: &mut PgConnection, work: Work) -> Result<JobId, EnqueueError> {
                match self {
                    $(Self::$name => Enqueue::new(&$name(work)).requested_by("the model").insert(connection),)*
                }
            }
        }
    };
}

kinds! {
    Lone: "lone", policy(QUEUES[0]);
    Five: "five", policy(QUEUES[0]);
    Twenty: "twenty", policy(QUEUES[1]);
    TwentyToo: "twenty-too", policy(QUEUES[1]);
    Single: "single", policy(QUEUES[1]);
    Ordered: "ordered", Policy { order: Order::ByKey, ..policy(QUEUES[2]) };
    Twin: "twin", Policy { duplicates: Duplicates::WakeTwin, ..policy(QUEUES[2]) };
}

pub fn registry() -> Result<Registry<World>, RegistryError> {
    Registry::default()
        .batch::<Together<1>>(|kinds| kinds.member::<Lone>())?
        .batch::<Together<5>>(|kinds| kinds.member::<Five>())?
        .batch::<Together<20>>(|kinds| kinds.member::<Twenty>().member::<TwentyToo>())?
        .job::<Single>()?
        .job::<Ordered>()?
        .job::<Twin>()?
        .job::<Brief>()
}

/// A job that takes 0.1 s and has a time limit of 0.3 s. It is not part of the random runs, which stop processes for longer
/// than that.
#[derive(Serialize, Deserialize)]
pub struct Brief(pub i64);

impl Job for Brief {
    const KIND: &'static str = "brief";
    const POLICY: Policy = Policy { time_limit: Duration::from_millis(300), ..policy(QUEUES[2]) };
}

impl Perform<World> for Brief {
    fn perform(self, _: &World, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        std::thread::sleep(Duration::from_millis(100));
        run.with_connection(|connection| {
            sql_query("INSERT INTO effects (id) VALUES ($1)").bind::<BigInt, _>(self.0).execute(connection)
        })?;
        Ok(Outcome::default())
    }
}

/// Jobs that run together.
struct Together<const SIZE: usize>;

impl<const SIZE: usize> Batch<World> for Together<SIZE> {
    type Member = Work;
    const SIZE: usize = SIZE;

    fn perform(
        world: &World,
        members: Vec<Work>,
        run: &mut Run<'_>,
    ) -> Result<Vec<Result<Outcome, JobError>>, JobError> {
        world.perform(run, &members, |_, _| Ok(()))
    }
}

macro_rules! members {
    ($($name:ident in $size:literal;)*) => {
        $(impl Member<World, Together<$size>> for $name {
            fn into_member(self) -> Work {
                self.0
            }
        })*
    };
}

members! {
    Lone in 1;
    Five in 5;
    Twenty in 20;
    TwentyToo in 20;
}

impl Perform<World> for Single {
    fn perform(self, world: &World, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        world.perform(run, &[self.0], |_, _| Ok(()))?.remove(0)
    }
}

impl Perform<World> for Ordered {
    fn perform(self, world: &World, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        world
            .perform(run, &[self.0], |connection, job| {
                let earlier: Vec<IdRow> = sql_query("SELECT id FROM jobs WHERE kind = $1 AND key = $2 AND id < $3")
                    .bind::<Text, _>(Self::KIND)
                    .bind::<Text, _>(&job.key)
                    .bind::<BigInt, _>(job.id)
                    .get_results(connection)?;
                for IdRow { id } in earlier {
                    world.record_violation(&format!("order: job {} of {} runs while {id} is pending", job.id, job.key));
                }
                Ok(())
            })?
            .remove(0)
    }
}

impl Perform<World> for Twin {
    /// Copies the number of requests until now.
    fn perform(self, world: &World, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        world
            .perform(run, &[self.0], |connection, job| {
                sql_query(
                    "INSERT INTO seen (key, requests) SELECT key, requests FROM requested WHERE key = $1
                     ON CONFLICT (key) DO UPDATE SET requests = greatest(seen.requests, excluded.requests)",
                )
                .bind::<Text, _>(&job.key)
                .execute(connection)
                .map(drop)
            })?
            .remove(0)
    }
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: JobId,
}

/// The row of a job that runs, as its own transaction sees it.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: JobId,
    #[diesel(sql_type = BigInt)]
    n: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = BigInt)]
    claim_no: i64,
    #[diesel(sql_type = Text)]
    claimed_by: String,
    #[diesel(sql_type = Bool)]
    ever_failed: bool,
}

/// The files in which the jobs of a process record their starts and violations.
pub struct World {
    process: String,
    starts: File,
    violations: File,
}

impl World {
    pub fn open(directory: &Path, process: &str) -> std::io::Result<Self> {
        let append = |name| OpenOptions::new().append(true).create(true).open(directory.join(name));
        Ok(Self { process: process.to_owned(), starts: append("starts")?, violations: append("violations")? })
    }

    /// Writes a line in one write, so that lines of different processes do not mix.
    fn record_violation(&self, violation: &str) {
        (&self.violations).write_all(format!("{violation} ({})\n", self.process).as_bytes()).unwrap();
    }

    /// Runs jobs that were claimed together. `more` is the additional work of their kind.
    fn perform(
        &self,
        run: &mut Run<'_>,
        works: &[Work],
        more: impl Fn(&mut PgConnection, &Row) -> QueryResult<()>,
    ) -> Result<Vec<Result<Outcome, JobError>>, JobError> {
        let rows: Vec<Row> = run.with_connection(|connection| rows_of(connection, works))?;
        let starts: String = rows.iter().map(|row| format!("{} {}\n", row.id, row.claim_no)).collect();
        (&self.starts).write_all(starts.as_bytes())?;
        let jobs: Vec<_> = works.iter().map(|work| (work, rows.iter().find(|row| row.n == work.n))).collect();
        for (work, _) in jobs.iter().filter(|(_, row)| row.is_none()) {
            self.record_violation(&format!("existence: number {} of {} runs and has no row", work.n, work.key));
        }
        let jobs: Vec<_> = jobs.into_iter().filter_map(|(work, row)| Some((work.fate, row?))).collect();
        for (_, row) in &jobs {
            if row.claimed_by != self.process {
                self.record_violation(&format!(
                    "fence: job {} of {} runs, and is claimed by {}",
                    row.id, row.kind, row.claimed_by
                ));
            }
            if row.attempts > SUSPECT && works.len() > 1 {
                self.record_violation(&format!(
                    "company: job {} of {} is suspect and runs with others",
                    row.id, row.kind
                ));
            }
        }
        let _held: Vec<Held> = jobs
            .iter()
            .filter_map(|(_, row)| {
                let held = locks::try_hold(row.id);
                if held.is_none() {
                    self.record_violation(&format!("exclusion: job {} of {} is run by two at once", row.id, row.kind));
                }
                held
            })
            .collect();
        if jobs.iter().any(|(fate, _)| *fate == Fate::Poison) {
            raise(Signal::SIGKILL)?;
        }
        run.with_connection(|connection| jobs.iter().try_for_each(|(_, row)| more(connection, row)))?;
        // The time that the work takes.
        std::thread::sleep(Duration::from_micros(rand::random_range(0..3000)));
        let verdicts = run.with_connection(|connection| {
            let act = |&(fate, row): &(Fate, &Row)| act(connection, fate, row, works.len() == 1);
            jobs.iter().map(act).collect::<QueryResult<Vec<_>>>()
        })?;
        for (fate, row) in &jobs {
            match fate {
                Fate::Fails(times, How::ByPanic) if row.attempts <= *times => panic!("job {} panics", row.id),
                Fate::Outage if !row.ever_failed => {
                    return Err(JobError::outage(format!("away, as job {} met first", row.id)));
                }
                _ => {}
            }
        }
        Ok(verdicts)
    }
}

fn rows_of(connection: &mut PgConnection, works: &[Work]) -> QueryResult<Vec<Row>> {
    let numbers: Vec<_> = works.iter().map(|work| work.n).collect();
    sql_query(
        "SELECT id, (payload->>'n')::bigint AS n, kind, key, attempts, claim_no, coalesce(claimed_by, '') AS claimed_by,
                last_error IS NOT NULL AS ever_failed
         FROM jobs WHERE (payload->>'n')::bigint = ANY($1)",
    )
    .bind::<Array<BigInt>, _>(numbers)
    .get_results(connection)
}

/// The work of one job and its result. A batch is responsible for what its members wrote; a single job may fail after it wrote.
fn act(connection: &mut PgConnection, fate: Fate, row: &Row, alone: bool) -> QueryResult<Result<Outcome, JobError>> {
    let fails = match fate {
        Fate::Fails(times, how) if row.attempts <= times => Some(how),
        _ => None,
    };
    if fails.is_none() || (alone && fails == Some(How::AfterItsEffect)) {
        sql_query("INSERT INTO effects (id) VALUES ($1)").bind::<BigInt, _>(row.id).execute(connection)?;
    }
    Ok(match fails {
        None => Ok(Outcome::default()),
        // From here on the transaction is aborted, whatever the other members return.
        Some(How::ByStatement) => {
            sql_query("SELECT nonsense").execute(connection).map(|_| Outcome::default()).map_err(JobError::failed)
        }
        Some(how) => Err(JobError::failed(format!("fails {how:?} in attempt {}", row.attempts))),
    })
}
