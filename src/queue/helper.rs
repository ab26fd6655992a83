//! Threads that are neither workers nor the watch.

use std::sync::Arc;

use super::inner::Inner;

/// Starts a thread that stopping waits for.
pub(super) fn start<Env: Send + Sync + 'static>(
    inner: &Arc<Inner<Env>>,
    name: &str,
    work: impl FnOnce(&Arc<Inner<Env>>) + Send + 'static,
) -> std::io::Result<()> {
    inner.pool.add_helper();
    start_counted(inner, name, work)
}

/// Starts a thread that the pool has counted already.
pub(super) fn start_counted<Env: Send + Sync + 'static>(
    inner: &Arc<Inner<Env>>,
    name: &str,
    work: impl FnOnce(&Arc<Inner<Env>>) + Send + 'static,
) -> std::io::Result<()> {
    struct Counted<Env>(Arc<Inner<Env>>);
    impl<Env> Drop for Counted<Env> {
        fn drop(&mut self) {
            self.0.pool.remove_helper();
        }
    }
    // Dropped as well if the thread cannot be started.
    let counted = Counted(Arc::clone(inner));
    std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&counted.0)).map(drop)
}
