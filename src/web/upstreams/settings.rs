//! What an operator has set about an upstream.

use std::time::Duration;

use crate::advisory::policy::Actions;
use crate::upstream::Token;
use crate::upstream_cache::cooldown::Cooldowns;

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
