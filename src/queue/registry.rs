//! The registry of job kinds: single kinds, batches, and the workers of each queue.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use diesel::PgConnection;
use serde_json::Value;

use super::claim::ClaimableKinds;
use super::connection::{Lend, LendExt};
use super::job::{Job, Order, Outcome, Policy};
use super::job_error::JobError;

/// Jobs that were started this often before are run alone.
const SUSPECT: u32 = 2;

/// A kind whose jobs run one at a time.
pub trait Perform<Env>: Job {
    /// Does the work. The last attempt may have been killed at any point, so the work must be idempotent.
    fn perform(self, environment: &Env, run: &mut Run<'_>) -> Result<Outcome, JobError>;
}

/// Work that several jobs, perhaps of several kinds, share: they are claimed together, performed by one call, and end in
/// one commit.
pub trait Batch<Env>: Send + Sync + 'static {
    /// The part that each job contributes.
    type Member;
    /// The largest number of jobs in one batch. A batch is made of the jobs that are due; no job waits for it to fill.
    const SIZE: usize;

    /// Does the work of all members and gives the result of each, in their order. An error outside the vector is the error
    /// of all members.
    fn perform(
        environment: &Env,
        members: Vec<Self::Member>,
        run: &mut Run<'_>,
    ) -> Result<Vec<Result<Outcome, JobError>>, JobError>;
}

/// A kind that is performed as part of a batch.
pub trait Member<Env, B: Batch<Env>>: Job {
    fn into_member(self) -> B::Member;
}

/// The access of a running job to its connection and deadline.
pub struct Run<'a> {
    connection: &'a mut dyn Lend,
    deadline: Instant,
    attempt: i32,
}

impl<'a> Run<'a> {
    pub(super) fn new(connection: &'a mut dyn Lend, deadline: Instant, attempt: i32) -> Self {
        Self { connection, deadline, attempt }
    }

    /// Which attempt this is, from 1; of a batch, that of its first job.
    pub fn attempt(&self) -> u32 {
        self.attempt.unsigned_abs()
    }

    /// The end of the time limit. A job that waits for something external should stop before, with an error that names
    /// what it waited for.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The remaining time; zero after the deadline.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Lends the connection that holds the job's row lock. Its writes commit together with the deletion of the job's row, or
    /// not at all.
    pub fn with_connection<R>(&mut self, f: impl FnOnce(&mut PgConnection) -> R) -> R {
        self.connection.with(f)
    }
}

pub(super) type Verdicts = Vec<Result<Outcome, JobError>>;

/// A kind or a batch with its types erased.
pub(super) trait Group<Env>: Send + Sync {
    fn policy(&self) -> Policy;
    fn size(&self) -> usize;
    /// One result for each `(kind, payload)` pair.
    fn perform(&self, environment: &Env, jobs: Vec<(&str, Value)>, run: &mut Run<'_>) -> Result<Verdicts, JobError>;
}

/// The number of workers of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// This many in every process with workers.
    PerProcess(NonZeroUsize),
    /// One in the whole installation, by an advisory lock; the workers of other processes stand by. For work that is
    /// cheaper in larger batches. Correctness must not depend on it: a worker that was cut off may still run.
    OneInAll,
}

/// The kinds that a runner can perform, and the workers of each queue.
pub struct Registry<Env> {
    groups: Vec<Box<dyn Group<Env>>>,
    kinds: HashMap<&'static str, usize>,
    workers: BTreeMap<&'static str, Workers>,
}

/// An error in a set of kinds.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    #[error("the job kind {0:?} is registered twice: give one of the two another KIND")]
    KindTwice(&'static str),
    #[error(
        "the job kind {kind:?} and the batch it belongs to differ in their policies: give every member of a batch the \
         same POLICY"
    )]
    PolicyDiffers { kind: &'static str },
    #[error("a batch has no members: register at least one kind with it")]
    EmptyBatch,
    #[error(
        "the job kind {kind:?} is ordered by key and belongs to a batch, which runs its members together: give it \
         Order::Any, or register it on its own"
    )]
    OrderedInBatch { kind: &'static str },
    #[error("the batch of the job kind {kind:?} has a SIZE of 0: give it a SIZE of at least 1")]
    BatchOfNone { kind: &'static str },
    #[error(
        "the job kind {kind:?} would never be started: give it max_attempts of at least 1 and a time_limit above zero"
    )]
    NeverStarted { kind: &'static str },
    #[error("the queue {queue:?} has workers but no kinds: use one of the queues {known}")]
    UnknownQueue { queue: &'static str, known: String },
}

impl<Env: 'static> Default for Registry<Env> {
    fn default() -> Self {
        Self { groups: Vec::new(), kinds: HashMap::new(), workers: BTreeMap::new() }
    }
}

impl<Env: 'static> Registry<Env> {
    /// Adds a kind whose jobs run one at a time.
    pub fn job<J: Perform<Env> + Sync>(mut self) -> Result<Self, RegistryError> {
        check_can_start(J::KIND, &J::POLICY)?;
        let group = self.groups.len();
        self.add_kind(J::KIND, group)?;
        self.groups.push(Box::new(Single::<J>(PhantomData)));
        Ok(self)
    }

    /// Adds a batch with the kinds that `members` names.
    pub fn batch<B: Batch<Env>>(
        mut self,
        members: impl FnOnce(BatchKinds<Env, B>) -> BatchKinds<Env, B>,
    ) -> Result<Self, RegistryError> {
        let kinds = members(BatchKinds { policy: None, parsers: HashMap::new(), error: None });
        if let Some(error) = kinds.error {
            return Err(error);
        }
        let policy = kinds.policy.ok_or(RegistryError::EmptyBatch)?;
        let group = self.groups.len();
        for &kind in kinds.parsers.keys() {
            check_can_start(kind, &policy)?;
            if policy.order == Order::ByKey {
                return Err(RegistryError::OrderedInBatch { kind });
            }
            if B::SIZE == 0 {
                return Err(RegistryError::BatchOfNone { kind });
            }
            self.add_kind(kind, group)?;
        }
        self.groups.push(Box::new(Together::<Env, B> { policy, parsers: kinds.parsers }));
        Ok(self)
    }

    /// Sets the workers of a queue whose kinds are registered. The default is one worker in every process.
    pub fn workers(mut self, queue: &'static str, workers: Workers) -> Result<Self, RegistryError> {
        let known = self.queues();
        if !known.contains(&queue) {
            return Err(RegistryError::UnknownQueue { queue, known: known.join(", ") });
        }
        self.workers.insert(queue, workers);
        Ok(self)
    }

    /// The workers of a queue.
    pub fn workers_of(&self, queue: &str) -> Workers {
        self.workers.get(queue).copied().unwrap_or(Workers::PerProcess(NonZeroUsize::MIN))
    }

    /// The policy of a kind, if it is registered.
    pub fn policy_of(&self, kind: &str) -> Option<Policy> {
        self.group_of(kind).map(|group| group.policy())
    }

    /// Every kind with its queue.
    pub fn kinds(&self) -> Vec<(&'static str, &'static str)> {
        self.queues()
            .into_iter()
            .flat_map(|queue| self.kinds_of(queue).into_iter().map(move |kind| (kind, queue)))
            .collect()
    }

    fn add_kind(&mut self, kind: &'static str, group: usize) -> Result<(), RegistryError> {
        match self.kinds.insert(kind, group) {
            None => Ok(()),
            Some(_) => Err(RegistryError::KindTwice(kind)),
        }
    }

    /// The names of the queues of all kinds, each once.
    pub fn queues(&self) -> Vec<&'static str> {
        let mut queues: Vec<_> = self.groups.iter().map(|group| group.policy().queue).collect();
        queues.sort_unstable();
        queues.dedup();
        queues
    }

    /// The kinds of a queue.
    pub fn kinds_of(&self, queue: &str) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self
            .kinds
            .iter()
            .filter(|&(_, &group)| self.groups[group].policy().queue == queue)
            .map(|(&kind, _)| kind)
            .collect();
        kinds.sort_unstable();
        kinds
    }

    pub(super) fn group_of(&self, kind: &str) -> Option<&dyn Group<Env>> {
        self.kinds.get(kind).map(|&group| &*self.groups[group])
    }

    /// A job of this kind with as many starts does not run with others.
    pub(super) fn fresh_below(&self, kind: &str) -> i32 {
        let limit = self.policy_of(kind).map_or(SUSPECT, |policy| policy.max_attempts);
        i32::try_from(limit.min(SUSPECT)).unwrap_or(i32::MAX)
    }

    /// The kinds of a queue, for a claim.
    pub fn claimable_kinds(&self, queue: &str) -> ClaimableKinds {
        let as_number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let mut claimable = ClaimableKinds { kinds: self.kinds_of(queue), ..ClaimableKinds::default() };
        for kind in &claimable.kinds {
            let group = self.kinds[kind];
            claimable.batches.push(as_number(group));
            claimable.sizes.push(as_number(self.groups[group].size()));
            claimable.fresh_below.push(self.fresh_below(kind));
        }
        claimable
    }
}

fn check_can_start(kind: &'static str, policy: &Policy) -> Result<(), RegistryError> {
    if policy.max_attempts == 0 || policy.time_limit.is_zero() {
        return Err(RegistryError::NeverStarted { kind });
    }
    Ok(())
}

struct Single<J>(PhantomData<fn() -> J>);

impl<Env, J: Perform<Env>> Group<Env> for Single<J> {
    fn policy(&self) -> Policy {
        J::POLICY
    }

    fn size(&self) -> usize {
        1
    }

    fn perform(&self, environment: &Env, jobs: Vec<(&str, Value)>, run: &mut Run<'_>) -> Result<Verdicts, JobError> {
        Ok(jobs.into_iter().map(|(kind, payload)| parse::<J>(kind, payload)?.perform(environment, run)).collect())
    }
}

type Parser<M> = fn(&str, Value) -> Result<M, JobError>;

/// Collects the kinds of a batch.
pub struct BatchKinds<Env, B: Batch<Env>> {
    policy: Option<Policy>,
    parsers: HashMap<&'static str, Parser<B::Member>>,
    error: Option<RegistryError>,
}

impl<Env, B: Batch<Env>> BatchKinds<Env, B> {
    pub fn member<J: Member<Env, B>>(mut self) -> Self {
        if *self.policy.get_or_insert(J::POLICY) != J::POLICY {
            self.error = Some(RegistryError::PolicyDiffers { kind: J::KIND });
        }
        if self.parsers.insert(J::KIND, |kind, payload| Ok(parse::<J>(kind, payload)?.into_member())).is_some() {
            self.error = Some(RegistryError::KindTwice(J::KIND));
        }
        self
    }
}

struct Together<Env, B: Batch<Env>> {
    policy: Policy,
    parsers: HashMap<&'static str, Parser<B::Member>>,
}

impl<Env, B: Batch<Env>> Group<Env> for Together<Env, B> {
    fn policy(&self) -> Policy {
        self.policy
    }

    fn size(&self) -> usize {
        B::SIZE
    }

    /// Performs the batch; a payload that cannot be read fails on its own.
    fn perform(&self, environment: &Env, jobs: Vec<(&str, Value)>, run: &mut Run<'_>) -> Result<Verdicts, JobError> {
        let mut members = Vec::with_capacity(jobs.len());
        let mut verdicts: Vec<Option<Result<Outcome, JobError>>> = Vec::with_capacity(jobs.len());
        for (kind, payload) in jobs {
            match self.parsers[kind](kind, payload) {
                Ok(member) => {
                    members.push(member);
                    verdicts.push(None);
                }
                Err(unreadable) => verdicts.push(Some(Err(unreadable))),
            }
        }
        if members.is_empty() {
            return Ok(verdicts.into_iter().flatten().collect());
        }
        let mut performed = B::perform(environment, members, run)?.into_iter();
        Ok(verdicts
            .into_iter()
            .map(|verdict| {
                verdict
                    .or_else(|| performed.next())
                    .unwrap_or_else(|| Err(JobError::failed("the batch returned no result for this job")))
            })
            .collect())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the payload of this {kind} job cannot be read by this version")]
struct UnreadablePayload {
    kind: String,
    source: serde_json::Error,
}

fn parse<J: Job>(kind: &str, payload: Value) -> Result<J, JobError> {
    Ok(serde_json::from_value(payload).map_err(|source| UnreadablePayload { kind: kind.to_owned(), source })?)
}
