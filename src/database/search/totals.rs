//! How many a search found lately.
//!
//! Thousands are counted by looking at each of them, which takes longer than finding the best. So a large total is kept for
//! a moment: it may be that old, where one more or less tells nothing. Smaller ones are counted each time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::QueryResult;
use quick_cache::sync::Cache;

use super::Count;

/// Totals from this on are kept.
const LARGE: i64 = 1000;
/// For so long.
const LASTING: Duration = Duration::from_secs(30);
/// How many are kept at most.
const KEPT: usize = 10_000;

/// Large totals by what was looked for. Clones are one.
#[derive(Clone)]
pub struct Totals(Arc<Cache<String, (Instant, i64)>>);

impl Default for Totals {
    fn default() -> Self {
        Self(Arc::new(Cache::new(KEPT)))
    }
}

impl Totals {
    /// The total of what was looked for, counted now or a moment ago.
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
    fn a_small_total_is_counted_each_time_and_a_large_one_once_in_a_while() {
        let totals = Totals::default();
        let of = |total| totals.of("a", || Ok(Count { total })).unwrap();
        assert_eq!([of(1), of(999), of(1000), of(1001)], [1, 999, 1000, 1000]);
    }
}
