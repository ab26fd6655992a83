//! What was rendered, within bounds of memory. Versions do not change, so nothing here is ever outdated.

use std::hash::Hash;
use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::package::Checksum;
use crate::source::comparison::Comparison;

/// The memory for HTML, in bytes.
const HTML: u64 = 32 * 1024 * 1024;
/// The memory for comparisons, in bytes.
const COMPARISONS: u64 = 8 * 1024 * 1024;
/// The approximate overhead of an entry, in bytes.
const OVERHEAD: u64 = 256;

/// A part of a page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fragment {
    /// The lines of a file.
    Lines { checksum: Checksum, path: String, prefix: &'static str },
    /// The differences of a file.
    Differences { before: Checksum, after: Checksum, path: String, is_split: bool },
}

/// The HTML and the comparisons that are kept.
pub struct Kept {
    html: Cache<Fragment, Arc<str>, Html>,
    comparisons: Cache<(Checksum, Checksum), Arc<Comparison>, Comparisons>,
}

#[derive(Clone)]
struct Html;

impl Weighter<Fragment, Arc<str>> for Html {
    fn weight(&self, _fragment: &Fragment, html: &Arc<str>) -> u64 {
        html.len() as u64 + OVERHEAD
    }
}

#[derive(Clone)]
struct Comparisons;

impl Weighter<(Checksum, Checksum), Arc<Comparison>> for Comparisons {
    fn weight(&self, _key: &(Checksum, Checksum), comparison: &Arc<Comparison>) -> u64 {
        comparison.weight() + OVERHEAD
    }
}

impl Kept {
    pub fn new() -> Self {
        Self { html: cache(HTML, 1024, Html), comparisons: cache(COMPARISONS, 256, Comparisons) }
    }

    pub fn html(&self, fragment: &Fragment) -> Option<Arc<str>> {
        self.html.get(fragment)
    }

    pub fn keep_html(&self, fragment: Fragment, html: &Arc<str>) {
        self.html.insert(fragment, Arc::clone(html));
    }

    pub fn comparison(&self, key: (Checksum, Checksum)) -> Option<Arc<Comparison>> {
        self.comparisons.get(&key)
    }

    pub fn keep_comparison(&self, key: (Checksum, Checksum), comparison: &Arc<Comparison>) {
        self.comparisons.insert(key, Arc::clone(comparison));
    }
}

/// A cache of one share, because an entry may be large.
fn cache<K: Eq + Hash, V: Clone, W: Weighter<K, V> + Clone>(bytes: u64, items: usize, weighter: W) -> Cache<K, V, W> {
    let mut options = OptionsBuilder::new();
    options.estimated_items_capacity(items).weight_capacity(bytes).shards(1);
    let options = options.build().expect("both capacities are set"); // the only ones without a default
    Cache::with_options(options, weighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
}
