//! All kinds of jobs, and the connections that their runner uses.

use std::error::Error;
use std::num::NonZeroUsize;

use diesel::PgConnection;

use super::delete_crate::DeleteCrate;
use super::delete_version::DeleteVersion;
use super::email::{SendNotices, SendToAddress};
use super::environment::Environment;
use super::index_export::{EXPORT, ExportIndex};
use super::maintain_index::MaintainIndex;
use super::publish_version::PublishVersion;
use super::remove_crate_file::RemoveCrateFile;
use super::sync_crate::SyncCrate;
use super::sync_index::SyncIndex;
use super::version_change::QUEUE;
use super::webhooks::DeliverWebhook;
use super::yank::{UnyankVersion, YankVersion};
use crate::database::pool::Dedicated;
use crate::database::{CheckedSession, Pool};
use crate::queue::listener::Server;
use crate::queue::registry::RegistryError;
use crate::queue::{ConnectionSource, Job, Lend, Registry, Workers};

/// The workers of a process that send mail.
const MAILING: NonZeroUsize = NonZeroUsize::new(1).unwrap(); // one is not zero

/// The workers of a process that deliver to webhooks.
const DELIVERING: NonZeroUsize = NonZeroUsize::new(4).unwrap(); // four is not zero

/// All kinds of jobs.
pub fn registry() -> Result<Registry<Environment>, RegistryError> {
    Registry::default()
        .batch::<SyncIndex>(|kinds| {
            kinds
                .member::<PublishVersion>()
                .member::<YankVersion>()
                .member::<UnyankVersion>()
                .member::<DeleteVersion>()
                .member::<DeleteCrate>()
                .member::<SyncCrate>()
        })?
        .job::<MaintainIndex>()?
        .job::<RemoveCrateFile>()?
        .job::<DeliverWebhook>()?
        .job::<SendNotices>()?
        .job::<SendToAddress>()?
        .job::<ExportIndex>()?
        // The larger a batch of the index is, the less a publish costs; and there is one index to maintain.
        .workers(QUEUE, Workers::OneInAll)?
        .workers(MaintainIndex::POLICY.queue, Workers::OneInAll)?
        .workers(EXPORT, Workers::OneInAll)?
        // A receiver that does not answer occupies one for as long as an attempt may take.
        .workers(DeliverWebhook::POLICY.queue, Workers::PerProcess(DELIVERING))?
        .workers(SendNotices::POLICY.queue, Workers::PerProcess(MAILING))
}

impl ConnectionSource for Pool {
    fn connect(&self) -> Result<Box<dyn Lend>, Box<dyn Error + Send + Sync>> {
        Ok(Box::new(self.dedicated()?))
    }

    fn capacity(&self) -> Option<usize> {
        self.dedicated_capacity()
    }
}

impl Lend for Dedicated {
    fn lend(&mut self, with: &mut dyn FnMut(&mut PgConnection)) {
        // Only the shared connection of tests can refuse, and only while it is lent: an error of the test.
        self.with(with).unwrap_or_else(|error| panic!("{error}"));
    }

    fn is_outdated(&self) -> bool {
        Dedicated::is_outdated(self)
    }
}

impl Server for CheckedSession {
    fn url(&mut self) -> String {
        CheckedSession::url(self)
    }

    fn query(&self) -> Option<&'static str> {
        Some(self.statement())
    }

    fn admit(&mut self, answer: Option<&str>) -> Result<(), String> {
        CheckedSession::admit(self, answer).map_err(|refused| refused.to_string())
    }

    fn is_current(&self) -> bool {
        CheckedSession::is_current(self)
    }
}
