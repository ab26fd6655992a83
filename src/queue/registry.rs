//! Which kinds there are, and which run together as a batch.

use std::collections::HashMap;
use std::marker::PhantomData;

use diesel::PgConnection;
use serde_json::Value;

use super::connection::{Lend, LendExt};
use super::{Job, JobError, Outcome, Policy};

/// A kind whose jobs run one at a time.
pub trait Perform<Env>: Job {
    /// Does the work. It may be repeated from any point at which the last attempt was killed, so it says *ensure*.
    fn perform(self, environment: &Env, run: &mut Run<'_>) -> Result<Outcome, JobError>;
}

/// A piece of work that several jobs, perhaps of several kinds, share: they are claimed together, performed by one call,
/// and end in one commit.
pub trait Batch<Env>: Send + Sync + 'static {
    /// What each job contributes.
    type Member;
    /// The most jobs in one batch. The backlog makes the batch; nobody waits for one to fill.
    const SIZE: usize;

    /// Does the work of all members and answers for each of them, in their order. An error outside the vector is the
    /// failure of all.
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

/// What a job is given of the runner while it runs.
pub struct Run<'a> {
    connection: &'a mut dyn Lend,
}

impl<'a> Run<'a> {
    pub(super) fn new(connection: &'a mut dyn Lend) -> Self {
        Self { connection }
    }

    /// Lends the connection that holds the job's row lock. What is written here commits together with the deletion of
    /// the job's row, or not at all.
    pub fn with_connection<R>(&mut self, f: impl FnOnce(&mut PgConnection) -> R) -> R {
        self.connection.with(f)
    }
}

pub(super) type Verdicts = Vec<Result<Outcome, JobError>>;

/// A kind or a batch, its types forgotten.
pub(super) trait Group<Env>: Send + Sync {
    fn policy(&self) -> Policy;
    fn size(&self) -> usize;
    /// One verdict for each of the `(kind, payload)` pairs.
    fn perform(&self, environment: &Env, jobs: Vec<(&str, Value)>, run: &mut Run<'_>) -> Result<Verdicts, JobError>;
}

/// Every kind that a runner can perform.
pub struct Registry<Env> {
    groups: Vec<Box<dyn Group<Env>>>,
    kinds: HashMap<&'static str, usize>,
}

/// A set of kinds that can't work. Each says what to change.
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
}

impl<Env: 'static> Default for Registry<Env> {
    fn default() -> Self {
        Self { groups: Vec::new(), kinds: HashMap::new() }
    }
}

impl<Env: 'static> Registry<Env> {
    /// Adds a kind whose jobs run one at a time.
    pub fn job<J: Perform<Env> + Sync>(mut self) -> Result<Self, RegistryError> {
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
        for kind in kinds.parsers.keys() {
            self.add_kind(kind, group)?;
        }
        self.groups.push(Box::new(Together::<Env, B> { policy, parsers: kinds.parsers }));
        Ok(self)
    }

    fn add_kind(&mut self, kind: &'static str, group: usize) -> Result<(), RegistryError> {
        match self.kinds.insert(kind, group) {
            None => Ok(()),
            Some(_) => Err(RegistryError::KindTwice(kind)),
        }
    }

    /// The names of the queues that the kinds wait in, each once.
    pub fn queues(&self) -> Vec<&'static str> {
        let mut queues: Vec<_> = self.groups.iter().map(|group| group.policy().queue).collect();
        queues.sort_unstable();
        queues.dedup();
        queues
    }

    /// The kinds that wait in a queue.
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

    pub(super) fn same_group(&self, one: &str, other: &str) -> bool {
        self.kinds.get(one) == self.kinds.get(other)
    }

    /// The largest batch of a queue, and the longest time limit.
    pub(super) fn bounds(&self, queue: &str) -> (usize, std::time::Duration) {
        let of_queue = || self.groups.iter().filter(|group| group.policy().queue == queue);
        (
            of_queue().map(|group| group.size()).max().unwrap_or(1),
            of_queue().map(|group| group.policy().time_limit).max().unwrap_or_default(),
        )
    }
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

    /// A payload that can't be read fails alone.
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
                    .unwrap_or_else(|| Err(JobError::own("the batch gave no verdict for this job")))
            })
            .collect())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the payload of this {kind} job can't be read by this version of the program")]
struct UnreadablePayload {
    kind: String,
    source: serde_json::Error,
}

fn parse<J: Job>(kind: &str, payload: Value) -> Result<J, JobError> {
    Ok(serde_json::from_value(payload).map_err(|source| UnreadablePayload { kind: kind.to_owned(), source })?)
}
