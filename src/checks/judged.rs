//! By what the state of a registry is judged.

use crate::config::LimitOptions;
use crate::queue::KnownKinds;

/// By what the state of the database is judged.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    pub limits: &'a LimitOptions,
    /// The kinds of jobs that this program has.
    pub kinds: &'a KnownKinds,
}
