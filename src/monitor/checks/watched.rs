//! The registry that the checks watch, and the limits.

use super::database::Source;
use crate::checks::Judged;
use crate::config::{LimitOptions, MonitorOptions};
use crate::index::Remote;
use crate::jobs;
use crate::monitor::CHECK_TIMEOUT;
use crate::monitor::error::MonitorError;
use crate::monitor::http::Http;
use crate::queue::KnownKinds;

pub struct Watched {
    pub(super) source: Source,
    pub(super) limits: LimitOptions,
    pub(super) http: Http,
    /// The index's remote, if it has one.
    pub(super) remote: Option<Remote>,
    kinds: KnownKinds,
}

impl Watched {
    pub fn new(options: &MonitorOptions, http: Http, remote: Option<Remote>) -> Result<Self, MonitorError> {
        Ok(Self {
            source: Source::of(&options.storage, CHECK_TIMEOUT)?,
            limits: options.limits.clone(),
            http,
            remote,
            kinds: KnownKinds::of(&jobs::registry()?),
        })
    }

    /// By what the database's state is judged.
    pub(super) fn judged(&self) -> Judged<'_> {
        Judged { limits: &self.limits, kinds: &self.kinds }
    }
}
