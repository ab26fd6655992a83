//! By what the versions of an upstream are judged: what people have decided, and advisories. Both are in memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::settings::UpstreamSettings;
use crate::package::CrateName;
use crate::upstream_cache::advisories::Advisories;
use crate::upstream_cache::rules::Rules;
use crate::upstream_cache::verdict::Policy;

/// What was read last; None until it was read.
#[derive(Default)]
pub(super) struct Judging {
    rules: RwLock<Option<Arc<Rules>>>,
    /// With the number that changes when they do.
    advisories: RwLock<Option<(i64, Arc<Advisories>)>>,
    /// Increases when one of them changes.
    decided: AtomicU64,
}

/// The database could not be read since the start.
#[derive(Clone, Copy, Debug)]
pub struct Unread;

impl Judging {
    /// A number that increases when what is known changes: what passed under the same number passes still, if the index file is the
    /// same.
    pub fn decided(&self) -> u64 {
        self.decided.load(Ordering::Acquire)
    }

    /// By what the versions of a crate are judged, and the number of that state.
    pub fn policy_of(&self, settings: &UpstreamSettings, name: &CrateName) -> Result<(Policy, u64), Unread> {
        // Before what it is about: an older number means only that it is judged again.
        let decided = self.decided();
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let rules = rules.as_ref().ok_or(Unread)?.of_crate(name);
        let advisories = self.advisories.read().unwrap_or_else(PoisonError::into_inner);
        let advisories = advisories.as_ref().ok_or(Unread)?.1.of_crate(name);
        let (age, actions) = (settings.cooldowns.of(name), settings.advisory_actions);
        // Those that change nothing cost nothing.
        let advisories = advisories.filter(|_| age.is_some() || !actions.only_warn());
        Ok((Policy { age, rules, advisories, actions }, decided))
    }

    /// Takes over the rules that were read.
    pub fn take_rules(&self, rules: Rules) {
        let mut present = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        if present.as_deref() != Some(&rules) {
            *present = Some(Arc::new(rules));
            self.decided.fetch_add(1, Ordering::Release);
        }
    }

    /// Which advisories were read.
    pub fn generation(&self) -> Option<i64> {
        let advisories = self.advisories.read().unwrap_or_else(PoisonError::into_inner);
        advisories.as_ref().map(|(generation, _)| *generation)
    }

    pub fn take_advisories(&self, generation: i64, advisories: Advisories) {
        let mut present = self.advisories.write().unwrap_or_else(PoisonError::into_inner);
        *present = Some((generation, Arc::new(advisories)));
        self.decided.fetch_add(1, Ordering::Release);
    }
}
