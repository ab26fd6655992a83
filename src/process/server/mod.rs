//! The HTTP server: sockets, TLS, connections and their limits, on threads of its own.

mod connections;
mod conversation;
mod listener;
pub(super) mod places;
mod site;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use self::connections::Connections;
pub use self::listener::Listener;
pub use self::site::Site;
use crate::process::CommandError;

/// A running server.
pub struct Server {
    runtime: tokio::runtime::Runtime,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Starts the threads.
    pub fn start(site: Site, listener: Listener) -> Result<Self, CommandError> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        if let Some(threads) = site.threads {
            runtime.worker_threads(threads);
        }
        let runtime = runtime.thread_name("web").enable_all().build()?;
        let sockets = {
            let _entered = runtime.enter();
            let nonblocking = |socket: std::net::TcpListener| {
                socket.set_nonblocking(true)?;
                tokio::net::TcpListener::from_std(socket)
            };
            listener.sockets.into_iter().map(nonblocking).collect::<std::io::Result<Vec<_>>>()?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let served = runtime.spawn(Arc::new(Connections::new(site)).serve(sockets, stopped));
        Ok(Self { runtime, stop, served })
    }

    /// Stops accepting connections and waits for requests in flight, up to the grace period.
    pub fn stop(self, grace: Duration) -> Result<(), CommandError> {
        // The receiver is gone if the server has failed; then there is nothing to stop.
        let _ = self.stop.send(());
        let ended = self.runtime.block_on(async { tokio::time::timeout(grace, self.served).await });
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        match ended {
            Ok(served) => Ok(served??),
            Err(_) => {
                tracing::warn!("some requests did not finish within {grace:?}; their clients have to repeat them");
                Ok(())
            }
        }
    }
}
