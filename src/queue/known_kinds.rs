//! The kinds of jobs that this program has, and how they are treated, without the code that performs them.

use super::job::Policy;
use super::registry::{Registry, Workers};

/// The kinds of jobs that this program has.
#[derive(Clone, Debug)]
pub struct KnownKinds {
    kinds: Vec<(&'static str, Policy)>,
    in_all: Vec<&'static str>,
}

impl KnownKinds {
    pub fn of<Env: 'static>(registry: &Registry<Env>) -> Self {
        let kinds = registry.kinds().into_iter();
        let in_all = |queue: &&str| registry.workers_of(queue) == Workers::OneInAll;
        Self {
            kinds: kinds.filter_map(|(kind, _)| Some((kind, registry.policy_of(kind)?))).collect(),
            in_all: registry.queues().into_iter().filter(in_all).collect(),
        }
    }

    /// The policy of a kind; None for one that this program does not have.
    pub fn policy_of(&self, kind: &str) -> Option<Policy> {
        self.kinds.iter().find(|(known, _)| *known == kind).map(|(_, policy)| *policy)
    }

    /// Each kind with its queue.
    pub fn with_queues(&self) -> Vec<(&'static str, &'static str)> {
        self.kinds.iter().map(|(kind, policy)| (*kind, policy.queue)).collect()
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.kinds.iter().map(|(kind, _)| *kind).collect()
    }

    /// The kinds whose failures say nothing of this installation.
    pub fn of_others(&self) -> Vec<&'static str> {
        self.kinds.iter().filter(|(_, policy)| policy.is_of_others).map(|(kind, _)| *kind).collect()
    }

    /// The queues with one active worker in the installation.
    pub fn queues_with_one_worker(&self) -> &[&'static str] {
        &self.in_all
    }
}
