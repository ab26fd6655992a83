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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join;

    use super::*;

    #[test]
    fn an_index_is_read_once_for_requests_at_the_same_time() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (kept, reads) = (KeptDocs::default(), AtomicUsize::new(0));
        let docs = FoundDocs {
            version_id: 1,
            name: "foo".parse().unwrap(),
            num: "1.0.0".parse().unwrap(),
            checksum: Checksum::of(b"zip"),
            directory: "foo".to_owned(),
        };
        let read = || async {
            reads.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            let index = r#"{"prefix":"","directory":"foo","files":[]}"#;
            serde_json::from_str::<Index>(index).map_err(ApiError::internal)
        };
        let (one, other) = runtime.block_on(join(kept.index(&docs, read()), kept.index(&docs, read())));
        assert!(one.is_ok_and(|one| other.is_ok_and(|other| Arc::ptr_eq(&one, &other))));
        assert_eq!(reads.load(Ordering::Relaxed), 1);
    }
}
