//! The conditions that must hold when no job is pending any more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Text};
use diesel::{PgConnection, sql_query};
use supercargo::queue::JobId;

use crate::driver::{Deeds, Plan};
use crate::kinds::{Fate, Kind, MAX_ATTEMPTS};
use crate::meddling::{Asked, Job};

/// Errors in the traces that poison jobs cause.
const EXPECTED_ERRORS: [&str; 2] = ["a job is dead", "dead: their processes were killed each time they ran"];

/// The result of a run.
pub struct Verdict {
    seed: u64,
    jobs: usize,
    starts: usize,
    kills: usize,
    deaths: usize,
    stops: usize,
    /// Starts beyond the first of each job.
    repeats: usize,
    /// Claims that were taken over before their second step.
    taken_over: usize,
    dead: usize,
    took: Duration,
    pub violations: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, jobs, starts, kills, deaths, stops, repeats, taken_over, dead, took, violations } = self;
        write!(
            f,
            "seed {seed}: {jobs} jobs, {starts} starts, {kills} kills, {deaths} deaths of poison, {stops} stops, \
             {repeats} repeats, {taken_over} taken over, {dead} dead, {} violations, {:.1} s",
            violations.len(),
            took.as_secs_f64()
        )
    }
}

/// The records of one job.
#[derive(Default)]
struct Record {
    done: i64,
    failed: i64,
    lost: i64,
    died: i64,
    effects: i64,
    starts: i64,
    is_dead: bool,
    is_pending: bool,
}

pub fn of(
    plan: &Plan,
    asked: Asked,
    deeds: &Deeds,
    directory: &Path,
    connection: &mut PgConnection,
    began: Instant,
) -> Verdict {
    let jobs = asked.jobs.into_inner().unwrap();
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap_or_default();
    let starts: Vec<Start> = read("starts").lines().map(parse_start).collect();
    let trace = read("trace");
    let records = records(connection, &starts);

    let mut violations: Vec<String> = read("violations").lines().map(str::to_owned).collect();
    if !deeds.in_time {
        violations.push("end: jobs are still pending".to_owned());
    }
    for (id, job) in &jobs {
        let record = records.get(id);
        let wrong = record.map_or_else(|| vec!["there is no record".to_owned()], |record| wrong_ends(job, record));
        violations
            .extend(wrong.iter().map(|wrong| format!("end: job {id}, {} {:?}: {wrong}", job.kind.name(), job.fate)));
    }
    let unknown = records.keys().filter(|id| !jobs.contains_key(id));
    violations.extend(unknown.map(|id| format!("phantom: job {id} was rolled back and has records")));
    violations.extend(second_starts(&starts));
    violations.extend(backward_steps(&jobs, &starts));
    violations.extend(broken_gaps(connection));
    violations.extend(unseen_requests(connection));
    let errors = trace.lines().filter(|line| line.contains(" ERROR "));
    let unexpected = errors.filter(|line| !EXPECTED_ERRORS.iter().any(|expected| line.contains(expected)));
    violations.extend(unexpected.map(|line| format!("trace: {line}")));
    violations.extend(trace.lines().filter(|line| line.contains("deadlock")).map(|line| format!("trace: {line}")));

    let ran: BTreeSet<_> = starts.iter().map(|(id, _)| id).collect();
    Verdict {
        seed: plan.seed,
        jobs: jobs.len(),
        starts: starts.len(),
        kills: deeds.kills,
        deaths: deeds.deaths,
        stops: deeds.stops,
        repeats: starts.len() - ran.len(),
        taken_over: trace.lines().filter(|line| line.contains("another worker has taken over")).count(),
        dead: records.values().filter(|record| record.is_dead).count(),
        took: began.elapsed(),
        violations,
    }
}

/// A job, and the claim number under which it started.
type Start = (JobId, i64);

fn parse_start(line: &str) -> Start {
    let (id, claim_no) = line.split_once(' ').expect("a line holds two numbers");
    (id.parse().expect("the id of a job"), claim_no.parse().expect("a claim number"))
}

/// A claim permits one start: a worker whose claim was taken over never starts the job.
fn second_starts(starts: &[Start]) -> Vec<String> {
    let mut known = BTreeSet::new();
    let second = starts.iter().filter(|start| !known.insert(**start));
    second.map(|(id, claim_no)| format!("fence: job {id} started twice under the claim {claim_no}")).collect()
}

fn records(connection: &mut PgConnection, starts: &[Start]) -> BTreeMap<JobId, Record> {
    #[derive(QueryableByName)]
    struct Fact {
        #[diesel(sql_type = BigInt)]
        id: JobId,
        #[diesel(sql_type = Text)]
        what: String,
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let facts: Vec<Fact> = sql_query(
        "SELECT id, outcome AS what, count(*) AS count FROM job_history GROUP BY id, outcome
         UNION ALL SELECT id, 'effect', count(*) FROM effects GROUP BY id
         UNION ALL SELECT id, 'is dead', 1 FROM dead_jobs
         UNION ALL SELECT id, 'is pending', 1 FROM jobs",
    )
    .load(connection)
    .unwrap();
    let mut records = BTreeMap::<_, Record>::new();
    for Fact { id, what, count } in facts {
        let record = records.entry(id).or_default();
        match what.as_str() {
            "done" => record.done = count,
            "failed" => record.failed = count,
            "lost" => record.lost = count,
            "dead" => record.died = count,
            "effect" => record.effects = count,
            "is dead" => record.is_dead = true,
            "is pending" => record.is_pending = true,
            _ => {}
        }
    }
    for (id, _) in starts {
        records.entry(*id).or_default().starts += 1;
    }
    records
}

/// A job ends once: done, with its effect, or dead, if it is poison and only then.
fn wrong_ends(job: &Job, record: &Record) -> Vec<String> {
    let Record { done, failed, lost, died, effects, starts, is_dead, is_pending } = *record;
    let poison = job.fate == Fate::Poison;
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what)
        }
    };
    must(!is_pending, "still pending".to_owned());
    must(is_dead == poison && died == i64::from(poison), format!("dead: {is_dead}, receipts of that: {died}"));
    must(done == i64::from(!poison), format!("done {done} times"));
    must(effects == done, format!("{effects} effects, and done {done} times"));
    must(!poison || starts <= i64::from(MAX_ATTEMPTS), format!("poison, and started {starts} times"));
    let ends = done + failed + lost + died;
    must(starts <= ends, format!("started {starts} times, and {ends} ends are on record"));
    if !wrong.is_empty() {
        wrong.push(format!("{starts} starts; receipts: {done} done, {failed} failed, {lost} lost, {died} dead"));
    }
    wrong
}

/// The jobs of an ordered key start in the order of their ids.
fn backward_steps(jobs: &BTreeMap<JobId, Job>, starts: &[Start]) -> Vec<String> {
    let mut last = BTreeMap::<&str, JobId>::new();
    let mut backward = Vec::new();
    for (id, _) in starts {
        let Some(job) = jobs.get(id).filter(|job| job.kind == Kind::Ordered) else { continue };
        if let Some(before) = last.insert(&job.key, *id)
            && before > *id
        {
            backward.push(format!("order: job {id} of {} started after {before}", job.key));
        }
    }
    backward
}

/// Nobody claims what was claimed before its gap is over, unless an operator made it due.
fn broken_gaps(connection: &mut PgConnection) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Broken {
        #[diesel(sql_type = BigInt)]
        id: JobId,
        #[diesel(sql_type = Text)]
        kind: String,
        #[diesel(sql_type = Double)]
        after: f64,
    }
    let broken: Vec<Broken> = sql_query(
        "SELECT id, kind, extract(epoch FROM finished_at - started_at)::float8 AS after
         FROM job_history AS lost
         WHERE outcome = 'lost' AND finished_at - started_at < $1 * interval '1 millisecond'
               AND NOT EXISTS (SELECT FROM retried WHERE retried.id = lost.id AND claimed_at = started_at)
         ORDER BY seq",
    )
    .bind::<BigInt, _>(i64::try_from(crate::GAP.as_millis()).unwrap())
    .load(connection)
    .unwrap();
    let text =
        |row: Broken| format!("gap: job {}, {}, was taken over {:.4} s after its claim", row.id, row.kind, row.after);
    broken.into_iter().map(text).collect()
}

/// After the last request of a key, a job of the key started.
fn unseen_requests(connection: &mut PgConnection) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Unseen {
        #[diesel(sql_type = Text)]
        key: String,
        #[diesel(sql_type = BigInt)]
        requests: i64,
        #[diesel(sql_type = BigInt)]
        seen: i64,
    }
    let unseen: Vec<Unseen> = sql_query(
        "SELECT key, requested.requests, coalesce(seen.requests, 0) AS seen FROM requested LEFT JOIN seen USING (key)
         WHERE seen.requests IS DISTINCT FROM requested.requests AND key <> $1",
    )
    .bind::<Text, _>(crate::meddling::BAD_KEY)
    .load(connection)
    .unwrap();
    unseen
        .into_iter()
        .map(|row| format!("twin: {} was asked for {} times, and {} were seen", row.key, row.requests, row.seen))
        .collect()
}
