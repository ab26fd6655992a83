//! What an upstream is doing, for people.

use std::time::{Duration, Instant};

use chrono::TimeDelta;

use super::outages::Answering;
use super::settings::UpstreamSettings;
use super::upstream::Upstream;

/// What an upstream is doing.
#[derive(Clone, Debug)]
pub struct UpstreamState {
    pub name: String,
    /// The URL of its sparse index, with a slash at the end.
    pub index: String,
    /// The age at which most of its versions are shown.
    pub cooldown: Option<TimeDelta>,
    pub is_strict: bool,
    pub is_offline: bool,
    pub answering: Answering,
    /// How long nothing is requested from now on, if a pause is on.
    pub pause: Option<Duration>,
}

impl UpstreamState {
    pub(super) fn of(upstream: &Upstream) -> Self {
        let UpstreamSettings { name, index, cooldowns, stale, .. } = &upstream.settings;
        let pause = upstream.client.pausing_until().map(|until| until.saturating_duration_since(Instant::now()));
        Self {
            name: name.clone(),
            index: index.clone(),
            cooldown: cooldowns.of_all,
            is_strict: cooldowns.is_strict,
            is_offline: stale.is_none(),
            answering: upstream.client.outages.now(),
            pause,
        }
    }
}
