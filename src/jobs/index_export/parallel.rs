//! Many requests to a bucket at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Requests at the same time.
const WORKERS: usize = 16;

/// Calls `each` for all items on some threads. The first error ends the others after their current item.
pub(super) fn for_all<T: Sync, R: Send, E: Send>(
    items: &[T],
    each: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let (next, results, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(None));
    let work = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            match each(item) {
                Ok(result) => results.lock().push(result),
                Err(error) => {
                    next.store(items.len(), Ordering::Relaxed);
                    failed.lock().get_or_insert(error);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..WORKERS.min(items.len()) {
            scope.spawn(work);
        }
        work();
    });
    match failed.into_inner() {
        Some(error) => Err(error),
        None => Ok(results.into_inner()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_items_are_done_and_an_error_ends_the_rest() {
        let items: Vec<u32> = (0..1000).collect();
        let mut done = for_all(&items, |item| Ok::<_, ()>(*item)).unwrap();
        done.sort_unstable();
        assert_eq!(done, items);
        let called = AtomicUsize::new(0);
        let failed = for_all(&items, |item| {
            called.fetch_add(1, Ordering::Relaxed);
            if *item == 3 { Err(*item) } else { Ok(()) }
        });
        assert_eq!(failed, Err(3));
        assert!(called.into_inner() < 1000);
        assert_eq!(for_all(&[], |(): &()| Err::<(), _>(())), Ok(Vec::new()));
    }
}
