//! The end of an exporting thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How long the end of the process waits for the last request of each signal.
pub(super) const FLUSH: Duration = Duration::from_secs(2);

/// Whether the thread is to end. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    pub(super) fn request(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }

    /// Waits this long, or until the end is requested; true in the latter case.
    pub(super) fn wait(&self, duration: Duration) -> bool {
        let until = Instant::now() + duration;
        let mut requested = self.0.0.lock();
        self.0.1.wait_while_until(&mut requested, |requested| !*requested, until);
        *requested
    }
}

/// A thread that can be waited for, for a limited time.
pub(super) struct Worker(Receiver<()>);

impl Worker {
    pub(super) fn start(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let (alive, ended): (Sender<()>, _) = channel();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _alive = alive;
            run();
        })?;
        Ok(Self(ended))
    }

    /// Waits for the end of the thread; false if it takes longer. Then it ends with the process.
    pub(super) fn wait(self, limit: Duration) -> bool {
        // The sender is dropped at the end.
        matches!(self.0.recv_timeout(limit), Err(std::sync::mpsc::RecvTimeoutError::Disconnected))
    }
}
