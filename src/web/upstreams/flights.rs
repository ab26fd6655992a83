//! One request to an upstream for all clients that ask for the same at the same time.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;

/// What is under way, by what it is for.
pub struct Flights<K, V>(Mutex<HashMap<K, watch::Receiver<Option<V>>>>);

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash + Send + 'static, V: Clone + Send + Sync + 'static> Flights<K, V> {
    /// The result of what is under way for a key, or is begun now. It goes on if the client that began it is gone. None if it
    /// ended without a result.
    pub async fn join<F>(self: &Arc<Self>, runtime: &Handle, key: K, begin: impl FnOnce() -> F) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut result = self.result(runtime, key, begin);
        result.wait_for(Option::is_some).await.ok().and_then(|found| found.clone())
    }

    fn result<F>(self: &Arc<Self>, runtime: &Handle, key: K, begin: impl FnOnce() -> F) -> watch::Receiver<Option<V>>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = under_way.get(&key) {
            return result.clone();
        }
        let (sender, result) = watch::channel(None);
        under_way.insert(key.clone(), result.clone());
        let landing = Landing { flights: Arc::clone(self), key };
        let work = begin();
        runtime.spawn(async move {
            let value = work.await;
            drop(landing);
            sender.send_replace(Some(value));
        });
        result
    }
}

/// Takes a flight out of the list, also after a panic.
struct Landing<K: Eq + Hash, V> {
    flights: Arc<Flights<K, V>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_is_asked_for_at_the_same_time_is_done_once_and_later_again() {
        let (flights, count) = (Arc::new(Flights::default()), Arc::new(AtomicUsize::new(0)));
        let work = || {
            let count = Arc::clone(&count);
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                count.fetch_add(1, Ordering::Relaxed)
            }
        };
        let handle = Handle::current();
        let together = futures_util::future::join_all((0..10).map(|_| flights.join(&handle, "a", work))).await;
        assert_eq!(together, [Some(0); 10]);
        assert_eq!(flights.join(&handle, "a", work).await, Some(1));
        // The result of a panic is none, and does not stay.
        let panics = flights.join(&handle, "b", || async { panic!("a test") });
        assert_eq!(panics.await, None);
        assert_eq!(flights.join(&handle, "b", work).await, Some(2));
    }
}
