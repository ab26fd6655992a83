//! Caches of objects, whose capacity is in bytes.

use std::hash::Hash;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// The parts of a cache, each with a lock and an equal share of the capacity. An object that is larger than a part is not
/// kept. By default there are four parts a processor: with 64 of them, each file of 256 KiB would be read anew.
const PARTS: usize = 8;

/// A cache of this many bytes, and of about so many objects.
pub(super) fn of_bytes<Key: Eq + Hash, Val: Clone, By: Weighter<Key, Val> + Clone>(
    bytes: u64,
    expected: usize,
    weighter: By,
) -> Cache<Key, Val, By> {
    let mut options = OptionsBuilder::new();
    options.weight_capacity(bytes).estimated_items_capacity(expected).shards(PARTS);
    let options = options.build().expect("both capacities are given"); // in the line before
    Cache::with_options(options, weighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
}
