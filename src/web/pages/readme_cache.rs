//! READMEs that were rendered, kept as long as there is room.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::database::catalog::version_details::VersionRow;
use crate::package::Checksum;

/// Bytes of HTML that are kept.
const ROOM: u64 = 32 * 1024 * 1024;
/// About how many READMEs that is.
const NUMBER: usize = 4 * 1024;

/// The README of a version, which is that of its file.
type Key = (i32, Checksum);

/// The READMEs that were rendered.
#[derive(Clone)]
pub struct ReadmePages(Arc<Cache<Key, Arc<str>, Length>>);

#[derive(Clone)]
struct Length;

impl Weighter<Key, Arc<str>> for Length {
    fn weight(&self, _: &Key, html: &Arc<str>) -> u64 {
        html.len() as u64 + 200
    }
}

impl Default for ReadmePages {
    fn default() -> Self {
        Self(Arc::new(Cache::with_weighter(NUMBER, ROOM, Length)))
    }
}

impl ReadmePages {
    /// The README of a version, if it was rendered before.
    pub fn get(&self, row: &VersionRow) -> Option<Arc<str>> {
        self.0.get(&(row.id, row.checksum))
    }

    /// Keeps the README of a version.
    pub fn keep(&self, row: &VersionRow, html: &Arc<str>) {
        self.0.insert((row.id, row.checksum), Arc::clone(html));
    }
}
