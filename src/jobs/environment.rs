//! What jobs are given besides their own data, and what the runner is given to find them.

use std::error::Error;

use diesel::PgConnection;

use super::sync_index::SyncIndex;
use super::{
    DeleteVersion, MaintainIndex, PublishVersion, QUEUE, RemoveCrateFile, SyncCrate, UnyankVersion, YankVersion,
};
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::database::pool::Dedicated;
use crate::index::Index;
use crate::queue::registry::RegistryError;
use crate::queue::{ConnectionSource, Job, Lend, Registry, Workers};

/// The world of a job.
pub struct Environment {
    pub index: Index,
    pub crate_store: CrateStore,
}

/// Every kind of job there is.
pub fn registry() -> Result<Registry<Environment>, RegistryError> {
    Registry::default()
        .batch::<SyncIndex>(|kinds| {
            kinds
                .member::<PublishVersion>()
                .member::<YankVersion>()
                .member::<UnyankVersion>()
                .member::<DeleteVersion>()
                .member::<SyncCrate>()
        })?
        .job::<MaintainIndex>()?
        .job::<RemoveCrateFile>()?
        // The larger a batch of the index is, the less a publish costs; and there is one index to maintain.
        .workers(QUEUE, Workers::OneInAll)?
        .workers(MaintainIndex::POLICY.queue, Workers::OneInAll)
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
        // Only the test's shared connection can refuse, and only when it is lent out already: a mistake of the test.
        self.with(with).unwrap_or_else(|error| panic!("{error}"));
    }
}
