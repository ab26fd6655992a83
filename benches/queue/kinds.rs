//! Kinds that do nothing but say that they were run, and a runner of them. Each waits in a queue of its own name.

use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use diesel::connection::InstrumentationEvent;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use supercargo::queue::{
    Batch, Completions, ConnectionSource, Job, JobError, Lend, Member, Outcome, Perform, Policy, Registry, Run, Runner,
    Wakeups, Workers,
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs one at a time.
#[derive(Serialize, Deserialize)]
pub struct Single {
    pub number: u64,
}

impl Job for Single {
    const KIND: &'static str = "single";
    const POLICY: Policy = Policy::in_queue(Self::KIND);
}

impl Perform<Starts> for Single {
    fn perform(self, starts: &Starts, _: &mut Run<'_>) -> Result<Outcome, JobError> {
        starts.report(1)?;
        Ok(Outcome::default())
    }
}

/// Runs with others, up to `N` at a time.
#[derive(Serialize, Deserialize)]
pub struct Shared<const N: usize> {
    number: u64,
}

/// The work that they share.
pub struct Together<const N: usize>;

macro_rules! shared_kind {
    ($size:literal, $kind:literal) => {
        impl Job for Shared<$size> {
            const KIND: &'static str = $kind;
            const POLICY: Policy = Policy::in_queue(Self::KIND);
        }
    };
}
shared_kind!(10, "shared-10");
shared_kind!(50, "shared-50");
shared_kind!(500, "shared-500");

impl<const N: usize> Batch<Starts> for Together<N> {
    type Member = u64;
    const SIZE: usize = N;

    fn perform(
        starts: &Starts,
        members: Vec<u64>,
        _: &mut Run<'_>,
    ) -> Result<Vec<Result<Outcome, JobError>>, JobError> {
        starts.report(members.len())?;
        Ok(members.into_iter().map(|_| Ok(Outcome::default())).collect())
    }
}

impl<const N: usize> Member<Starts, Together<N>> for Shared<N>
where
    Self: Job,
{
    fn into_member(self) -> u64 {
        self.number
    }
}

pub fn registry_of_single(workers: usize) -> Result<Registry<Starts>, Box<dyn Error + Send + Sync>> {
    let workers = NonZeroUsize::new(workers).ok_or("no workers")?;
    Ok(Registry::default().job::<Single>()?.workers(Single::KIND, Workers::PerProcess(workers))?)
}

pub fn registry_of_shared<const N: usize>() -> Result<Registry<Starts>, Box<dyn Error + Send + Sync>>
where
    Shared<N>: Job,
{
    Ok(Registry::default().batch::<Together<N>>(|kinds| kinds.member::<Shared<N>>())?)
}

/// Sends the start of each batch and its size.
pub struct Starts(Mutex<Sender<(Instant, usize)>>);

impl Starts {
    fn report(&self, jobs: usize) -> Result<(), JobError> {
        let now = Instant::now();
        let sender = self.0.lock().map_err(|_| JobError::failed("a job panicked while it sent"))?;
        Ok(sender.send((now, jobs))?)
    }
}

/// Where it is heard.
pub struct Heard(Receiver<(Instant, usize)>);

impl Heard {
    pub fn next(&self) -> Result<(Instant, usize), RecvTimeoutError> {
        self.0.recv_timeout(PATIENCE)
    }

    /// How many jobs have started of which nobody has heard yet.
    pub fn rest(&self) -> usize {
        self.0.try_iter().map(|(_, jobs)| jobs).sum()
    }

    /// Waits until so many jobs have started; answers how many a second there were, and the size of the largest batch.
    pub fn rate(&self, count: usize) -> Result<(f64, usize), RecvTimeoutError> {
        let (first, mut last) = self.next()?;
        let (mut before_last, mut seen, mut largest) = (0, last, last);
        let mut last_start = first;
        while seen < count {
            before_last = seen;
            (last_start, last) = self.next()?;
            seen += last;
            largest = largest.max(last);
        }
        Ok((before_last as f64 / (last_start - first).as_secs_f64(), largest))
    }
}

/// Statements that were sent, each with one space between two words.
pub type Record = Arc<Mutex<Vec<String>>>;

pub fn record(connection: &mut PgConnection) -> Record {
    let record = Record::default();
    let writer = Arc::clone(&record);
    connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let (InstrumentationEvent::StartQuery { query, .. }, Ok(mut record)) = (event, writer.lock()) {
            let text = query.to_string();
            let statement = text.split(" -- binds:").next().unwrap_or_default();
            record.push(statement.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    });
    record
}

pub struct Source {
    pub url: String,
    /// Where the records of all connections are collected, if they are wanted.
    pub records: Option<Arc<Mutex<Vec<Record>>>>,
}

struct Own(PgConnection);

impl ConnectionSource for Source {
    fn connect(&self) -> Result<Box<dyn Lend>, Box<dyn Error + Send + Sync>> {
        let mut connection = PgConnection::establish(&self.url)?;
        if let Some(mut records) = self.records.as_ref().and_then(|records| records.lock().ok()) {
            records.push(record(&mut connection));
        }
        Ok(Box::new(Own(connection)))
    }
}

impl Lend for Own {
    fn lend(&mut self, with: &mut dyn FnMut(&mut PgConnection)) {
        with(&mut self.0);
    }
}

pub fn runner(registry: Registry<Starts>, source: Source, wakeups: Wakeups) -> (Runner<Starts>, Heard) {
    let (sender, receiver) = channel();
    let starts = Starts(Mutex::new(sender));
    (Runner::new(registry, starts, source, "bench", wakeups, Completions::default()), Heard(receiver))
}
