//! What an operator has set about an upstream.

use std::path::Path;
use std::time::Duration;

use crate::advisory::policy::Actions;
use crate::crate_store::CrateStore;
use crate::upstream::Token;
use crate::upstream_cache::cooldown::Cooldowns;

/// How long things last, of all upstreams.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// How long an index file is served without asking.
    pub fresh: Duration,
    /// How long an index file is served without an answer; None for ever, and nothing is asked.
    pub stale: Option<Duration>,
    /// How long an upstream may not answer before the audit log says so.
    pub away: Duration,
}

/// An upstream to serve.
#[derive(Clone)]
pub struct UpstreamPlan {
    pub name: String,
    /// The URL of its sparse index, with a slash at the end.
    pub index: String,
    pub token: Option<(String, Token)>,
    pub cooldowns: Cooldowns,
    pub advisory_actions: Actions,
}

/// Where files of upstreams are kept.
pub struct Places<'a> {
    /// The directory of the index files.
    pub index_files: &'a Path,
    /// Whether they are in the database instead, for all machines.
    pub is_shared: bool,
    /// Crate files, of at most so many bytes.
    pub crate_files: CrateStore,
    pub max_bytes: u64,
}

/// What an operator has set.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    pub name: String,
    /// The URL of its sparse index, with a slash at the end.
    pub index: String,
    pub fresh: Duration,
    /// How long an index file is served without an answer; None for ever.
    pub stale: Option<Duration>,
    pub cooldowns: Cooldowns,
    pub advisory_actions: Actions,
}
