//! A cache of the totals of searches.
//!
//! The database counts thousands of matches one by one, which takes longer than finding the best ones. Therefore large
//! totals are cached for a short time; a small error in them does not matter. Small totals are counted each time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::QueryResult;
use quick_cache::sync::Cache;

use super::found::Count;

/// The smallest total that is cached.
const LARGE: i64 = 1000;
/// The time for which a total is cached.
const LASTING: Duration = Duration::from_secs(30);
/// The most cached totals.
const KEPT: usize = 10_000;

/// Large totals by search. Clones share the cache.
#[derive(Clone)]
pub struct Totals(Arc<Cache<String, (Instant, i64)>>);

impl Default for Totals {
    fn default() -> Self {
        Self(Arc::new(Cache::new(KEPT)))
    }
}

impl Totals {
    /// The total of a search, from the cache or counted now.
    pub(super) fn of(&self, key: &str, count: impl FnOnce() -> QueryResult<Count>) -> QueryResult<i64> {
        if let Some((when, total)) = self.0.get(key)
            && when.elapsed() < LASTING
        {
            return Ok(total);
        }
        let Count { total } = count()?;
        if total >= LARGE {
            self.0.insert(key.to_owned(), (Instant::now(), total));
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_total_is_counted_each_time_and_a_large_one_is_cached() {
        let totals = Totals::default();
        let of = |total| totals.of("a", || Ok(Count { total })).unwrap();
        assert_eq!([of(1), of(999), of(1000), of(1001)], [1, 999, 1000, 1000]);
    }
}
