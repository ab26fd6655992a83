//! Many requests to a bucket at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use parking_lot::Mutex;

/// Requests at the same time.
const WORKERS: usize = 16;

/// How often the caller is asked whether to go on.
const WATCH: Duration = Duration::from_secs(30);

/// Calls `each` for all items on some threads, and `watch` before that and meanwhile on this one. The first error ends the
/// others after their current item.
pub(super) fn for_all<T: Sync, R: Send, E: Send>(
    items: &[T],
    each: impl Fn(&T) -> Result<R, E> + Sync,
    watch: &mut dyn FnMut() -> Result<(), E>,
) -> Result<Vec<R>, E> {
    watch()?;
    let (next, results, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(None));
    let fail = |error: E| {
        next.store(items.len(), Ordering::Relaxed);
        failed.lock().get_or_insert(error);
    };
    let work = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            match each(item) {
                Ok(result) => results.lock().push(result),
                Err(error) => fail(error),
            }
        }
    };
    std::thread::scope(|scope| {
        let (end, ended) = mpsc::channel::<()>();
        for _ in 0..WORKERS.min(items.len()) {
            let (work, end) = (&work, end.clone());
            scope.spawn(move || {
                work();
                drop(end);
            });
        }
        drop(end);
        // The channel is closed when all of them have ended.
        while ended.recv_timeout(WATCH) == Err(RecvTimeoutError::Timeout) {
            if let Err(error) = watch() {
                fail(error);
            }
        }
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
        let mut done = for_all(&items, |item| Ok::<_, ()>(*item), &mut || Ok(())).unwrap();
        done.sort_unstable();
        assert_eq!(done, items);
        let called = AtomicUsize::new(0);
        let each = |item: &u32| {
            called.fetch_add(1, Ordering::Relaxed);
            if *item == 3 { Err(*item) } else { Ok(()) }
        };
        let failed = for_all(&items, each, &mut || Ok(()));
        assert_eq!(failed, Err(3));
        assert!(called.into_inner() < 1000);
        assert_eq!(for_all(&[], |(): &()| Err::<(), _>(()), &mut || Ok(())), Ok(Vec::new()));
        let stopped = for_all(&items, |_| -> Result<(), u32> { panic!("an item was done") }, &mut || Err(7));
        assert_eq!(stopped, Err(7));
    }
}
