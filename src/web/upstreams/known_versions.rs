//! Versions that passed before, so that a download from memory reads no line of the index.

use std::sync::{Arc, Weak};

use quick_cache::sync::Cache;

use super::index_file::IndexFile;
use crate::web::answers::crate_file::VersionFile;

/// The number of versions that are known of an upstream, of about 700 bytes each.
const VERSIONS: usize = 16 * 1024;

/// By `NAME/VERSION` as they were requested.
pub(super) struct KnownVersions(Cache<String, Arc<KnownVersion>>);

/// A version that passed by a file of the index and by what was decided at that time.
pub(super) struct KnownVersion {
    /// The path of its crate in the index.
    pub path: String,
    index: Weak<IndexFile>,
    decided: u64,
    file: Arc<VersionFile>,
}

impl Default for KnownVersions {
    fn default() -> Self {
        Self(Cache::new(VERSIONS))
    }
}

impl KnownVersions {
    /// Notes that a version passes by this file of the index, and by what was decided then.
    pub fn know(&self, (path, index): (String, &Arc<IndexFile>), decided: u64, file: Arc<VersionFile>) {
        let requested = format!("{}/{}", file.name, file.num);
        self.0.insert(requested, Arc::new(KnownVersion { path, index: Arc::downgrade(index), decided, file }));
    }

    pub fn get(&self, requested: &str) -> Option<Arc<KnownVersion>> {
        self.0.get(requested)
    }
}

impl KnownVersion {
    /// The crate file, if the index has the same file and nothing was decided since.
    pub fn passing(&self, index: &IndexFile, decided: u64) -> Option<&Arc<VersionFile>> {
        let is_same = decided == self.decided && std::ptr::eq(self.index.as_ptr(), index);
        is_same.then_some(&self.file)
    }
}
