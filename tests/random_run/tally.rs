//! What happened, counted.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Debug, Default)]
pub struct Tally {
    /// Requests that were answered, by what was asked.
    pub operations: BTreeMap<&'static str, usize>,
    /// Requests that had to be sent more than once.
    pub sent_again: usize,
    /// What was done to the registry, by kind.
    pub blows: BTreeMap<&'static str, usize>,
    /// Processes that were started after the first start.
    pub restarts: usize,
    /// How often a release set was read.
    pub readings: usize,
    /// How many states of the git index were looked at.
    pub fetches: usize,
    pub lost: usize,
    pub stuck: usize,
    pub diverged: usize,
    /// What did not hold, a line each.
    pub violations: Vec<String>,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        for (name, count) in other.operations {
            *self.operations.entry(name).or_default() += count;
        }
        for (name, count) in other.blows {
            *self.blows.entry(name).or_default() += count;
        }
        self.sent_again += other.sent_again;
        self.restarts += other.restarts;
        self.readings += other.readings;
        self.fetches += other.fetches;
        self.lost += other.lost;
        self.stuck += other.stuck;
        self.diverged += other.diverged;
        self.violations.extend(other.violations);
    }

    pub fn did(&mut self, operation: &'static str) {
        *self.operations.entry(operation).or_default() += 1;
    }

    pub fn struck(&mut self, blow: &'static str) {
        *self.blows.entry(blow).or_default() += 1;
    }
}

fn listed(counts: &BTreeMap<&'static str, usize>) -> String {
    let parts: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    parts.join(", ")
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations: usize = self.operations.values().sum();
        let blows: usize = self.blows.values().sum();
        write!(
            f,
            "{operations} operations ({}), {} sent again; {blows} blows ({}); {} restarts; sets read {} times, and in {} states of the git index; lost {}, stuck {}, diverged {}",
            listed(&self.operations),
            self.sent_again,
            listed(&self.blows),
            self.restarts,
            self.readings,
            self.fetches,
            self.lost,
            self.stuck,
            self.diverged
        )?;
        if self.violations.is_empty() { Ok(()) } else { write!(f, "; {} VIOLATIONS", self.violations.len()) }
    }
}
