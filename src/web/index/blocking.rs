//! Blocking work in async handlers.

use tokio::task::spawn_blocking;
use tracing::Span;

/// Runs blocking work (git objects, compression) on a thread for it. A panic continues in the caller.
///
/// `None`: the server is shutting down.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let span = Span::current();
    match spawn_blocking(move || span.in_scope(work)).await {
        Ok(value) => Some(value),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}
