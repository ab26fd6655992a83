//! What every check of a run uses: database, index, crate store and settings.

use diesel::PgConnection;

use super::error::VerifyError;
use super::settings::{Settings, Watch};
use crate::crate_store::CrateStore;
use crate::database::Pool;
use crate::index::Index;
use crate::package::RegistryUrls;
use crate::queue::inspection;

pub(super) struct Context<'a> {
    pub pool: &'a Pool,
    pub index: &'a Index,
    pub crate_store: &'a CrateStore,
    pub settings: &'a Settings,
    pub watch: &'a dyn Watch,
    /// The index URLs of this registry.
    pub registry_urls: RegistryUrls,
    /// The kinds of jobs that write the index.
    pub index_kinds: Vec<&'static str>,
}

impl Context<'_> {
    pub fn database<T>(&self, f: impl FnOnce(&mut PgConnection) -> diesel::QueryResult<T>) -> Result<T, VerifyError> {
        Ok(self.pool.with(f)??)
    }

    pub fn is_stopped(&self) -> bool {
        self.watch.is_stopped()
    }

    /// Whether a job that writes the index is pending for one of these keys.
    pub fn is_pending(&self, keys: &[&str]) -> Result<bool, VerifyError> {
        Ok(!self.database(|connection| inspection::pending_keys(connection, &self.index_kinds, keys))?.is_empty())
    }
}
