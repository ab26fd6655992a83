//! What is kept in memory: the indexes of archives that were read last, and the key of grants.

use std::sync::{Arc, OnceLock};

use diesel::PgConnection;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::grant::Key;
use crate::database::catalog::version_docs::{self, FoundDocs};
use crate::docs_archive::{Index, MAX_INDEX};
use crate::package::Checksum;
use crate::web::ApiError;

/// The memory for indexes, in bytes: no index takes more than a quarter. An index of a thousand files has some hundred KiB.
const INDEXES: u64 = 4 * MAX_INDEX;

/// An archive, and the directory of the crate in it.
type Place = (Checksum, String);

/// Archives never change, so nothing here is ever outdated.
pub(in crate::web) struct KeptDocs {
    indexes: Cache<Place, Arc<Index>, Weights>,
    key: OnceLock<Key>,
}

#[derive(Clone)]
struct Weights;

impl Weighter<Place, Arc<Index>> for Weights {
    fn weight(&self, _of: &Place, index: &Arc<Index>) -> u64 {
        index.weight().max(1)
    }
}

impl Default for KeptDocs {
    fn default() -> Self {
        let options = OptionsBuilder::new().estimated_items_capacity(64).weight_capacity(INDEXES).shards(1).build();
        let options = options.expect("both capacities are given"); // the builder asks for no more
        let indexes = Cache::with_options(options, Weights, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { indexes, key: OnceLock::new() }
    }
}

impl KeptDocs {
    /// The index of the archive of a version, which is read once for all requests that need it at the same time.
    pub(super) async fn index(
        &self,
        docs: &FoundDocs,
        read: impl Future<Output = Result<Index, ApiError>>,
    ) -> Result<Arc<Index>, ApiError> {
        let place = (docs.checksum, docs.directory.clone());
        self.indexes.get_or_insert_async(&place, async { Ok::<_, ApiError>(Arc::new(read.await?)) }).await
    }

    pub(super) fn key(&self, connection: &mut PgConnection) -> Result<Key, ApiError> {
        if let Some(key) = self.key.get() {
            return Ok(key.clone());
        }
        let key = Key::new(&version_docs::key(connection)?);
        Ok(self.key.get_or_init(|| key).clone())
    }
}
