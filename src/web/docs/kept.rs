//! What is kept in memory: the indexes of archives that were read last, and the key of grants.

use std::sync::{Arc, OnceLock};

use diesel::PgConnection;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::grant::Key;
use crate::database::catalog::version_docs;
use crate::docs_archive::Index;
use crate::package::Checksum;
use crate::web::ApiError;

/// The memory for indexes, in bytes. An index of a thousand files has some hundred KiB.
const INDEXES: u64 = 32 * 1024 * 1024;

/// Archives never change, so nothing here is ever outdated.
pub(in crate::web) struct KeptDocs {
    indexes: Cache<Checksum, Arc<Index>, Weights>,
    key: OnceLock<Key>,
}

#[derive(Clone)]
struct Weights;

impl Weighter<Checksum, Arc<Index>> for Weights {
    fn weight(&self, _checksum: &Checksum, index: &Arc<Index>) -> u64 {
        index.weight().max(1)
    }
}

impl Default for KeptDocs {
    fn default() -> Self {
        let options = OptionsBuilder::new().estimated_items_capacity(64).weight_capacity(INDEXES).shards(1).build();
        let options = options.expect("both capacities are given"); // the builder asks for no more
        let indexes =
            Cache::with_options(options, Weights, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { indexes, key: OnceLock::new() }
    }
}

impl KeptDocs {
    /// The index of an archive; None if no version has it any longer.
    pub(super) fn index(&self, connection: &mut PgConnection, checksum: Checksum) -> Result<Option<Arc<Index>>, ApiError> {
        if let Some(index) = self.indexes.get(&checksum) {
            return Ok(Some(index));
        }
        let Some(stored) = version_docs::entries(connection, checksum)? else { return Ok(None) };
        let index = Arc::new(Index::decode(&stored).map_err(ApiError::internal)?);
        self.indexes.insert(checksum, Arc::clone(&index));
        Ok(Some(index))
    }

    pub(super) fn key(&self, connection: &mut PgConnection) -> Result<Key, ApiError> {
        if let Some(key) = self.key.get() {
            return Ok(key.clone());
        }
        let key = Key::new(&version_docs::key(connection)?);
        Ok(self.key.get_or_init(|| key).clone())
    }
}
