//! Whether an upstream answers: what its requests came to, and an entry of the audit log about a long outage and its end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::runtime::Handle;

use super::alarm::Alarm;
use crate::database::access::audit::Action;

/// What the requests of this process came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answering {
    /// When the last answer came.
    pub answered_at: Option<DateTime<Utc>>,
    /// Since when every request has failed, and the last failure; None if the last request was answered.
    pub failing: Option<(DateTime<Utc>, String)>,
    /// Whether the outage is in the audit log.
    is_reported: bool,
}

/// Notes answers and failures of one upstream.
pub struct Outages {
    upstream: String,
    /// How long an outage lasts before it is reported.
    allowed: Duration,
    alarm: Alarm,
    runtime: Handle,
    now: Mutex<Answering>,
}

impl Outages {
    pub fn new(upstream: String, allowed: Duration, (alarm, runtime): (Alarm, Handle)) -> Self {
        Self { upstream, allowed, alarm, runtime, now: Mutex::default() }
    }

    /// What the requests came to so far.
    pub fn now(&self) -> Answering {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn answered(&self) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let was = std::mem::replace(&mut *now, Answering { answered_at: Some(Utc::now()), ..Answering::default() });
        drop(now);
        if let Some((since, _)) = was.failing.filter(|_| was.is_reported) {
            self.alarm.note(&self.runtime, Action::UpstreamBack, &self.upstream, json!({ "since": since }));
        }
    }

    pub fn failed(&self, problem: &str) {
        let at = Utc::now();
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.failing.as_ref().map_or(at, |(since, _)| *since);
        now.failing = Some((since, problem.to_owned()));
        let lasts = at.signed_duration_since(since).max(TimeDelta::zero()).to_std().unwrap_or_default();
        if lasts < self.allowed || now.is_reported {
            return;
        }
        now.is_reported = true;
        drop(now);
        let detail = json!({ "since": since, "problem": problem });
        self.alarm.raise(&self.runtime, Action::UpstreamAway, &self.upstream, detail);
    }
}
