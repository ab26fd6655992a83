//! Whether the client of a request is still connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The connection of the client that sent a request. A request whose client has disconnected is cancelled: the client takes
/// it for failed, and may have sent the opposite since.
#[derive(Clone, Debug, Default)]
pub struct ClientConnection {
    is_closed: Arc<AtomicBool>,
}

/// The client can no longer receive the answer. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled: the client closed the connection")]
pub struct Disconnected;

impl ClientConnection {
    /// Marks the connection as closed, for all clones.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Fails if the connection is closed. The last check before a change commits.
    pub fn check(&self) -> Result<(), Disconnected> {
        if self.is_closed.load(Ordering::Acquire) { Err(Disconnected) } else { Ok(()) }
    }
}
