//! Which repairs are allowed, and what they use.

use std::time::Duration;

use crate::database::access::audit::Actor;
use crate::database::catalog::owners::Owner;
use crate::upstream::Upstream;

pub struct Repairs<'a> {
    /// Another registry that has the same crate files.
    pub mirror: Option<Mirror>,
    /// Owners of restored crates whose own owners are not known.
    pub owners: Vec<Owner>,
    /// Takes yank states from the index: the database has lost its latest changes.
    pub yanks_from_index: bool,
    /// Requeues dead jobs.
    pub retry_dead: bool,
    pub actor: Actor,
    /// Runs every job that is due, on this thread.
    pub perform: &'a dyn Fn() -> Result<(), String>,
    /// How long other workers may take before the jobs are run here.
    pub grace: Duration,
}

/// A registry to download crate files from.
pub struct Mirror {
    /// The `dl` of its config.json.
    pub template: String,
    pub upstream: Upstream,
}
