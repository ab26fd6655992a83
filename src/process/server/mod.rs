//! The HTTP server: sockets, TLS, connections and their limits, on threads of its own.

mod connections;
mod conversation;
mod lanes;
mod listener;
pub(super) mod places;
mod site;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use self::connections::Connections;
use self::lanes::Runtimes;
pub use self::listener::Listener;
pub use self::site::Site;
use crate::process::CommandError;

/// A running server.
pub struct Server {
    runtimes: Runtimes,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Starts the threads.
    pub fn start(site: Site, listener: Listener) -> Result<Self, CommandError> {
        let runtimes = Runtimes::start(site.threads, site.fast_path.is_some())?;
        let sockets = {
            let _entered = runtimes.requests().enter();
            let nonblocking = |socket: std::net::TcpListener| {
                socket.set_nonblocking(true)?;
                tokio::net::TcpListener::from_std(socket)
            };
            listener.sockets.into_iter().map(nonblocking).collect::<std::io::Result<Vec<_>>>()?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let connections = Arc::new(Connections::new(site, runtimes.lanes()));
        let served = runtimes.requests().spawn(connections.serve(sockets, stopped));
        Ok(Self { runtimes, stop, served })
    }

    /// Stops accepting connections and waits for requests in flight, up to the grace period.
    pub fn stop(self, grace: Duration) -> Result<(), CommandError> {
        // The receiver is gone if the server has failed; then there is nothing to stop.
        let _ = self.stop.send(());
        let ended = self.runtimes.requests().block_on(async { tokio::time::timeout(grace, self.served).await });
        self.runtimes.shutdown(Duration::from_secs(1));
        match ended {
            Ok(served) => Ok(served??),
            Err(_) => {
                tracing::warn!("some requests did not finish within {grace:?}; their clients have to repeat them");
                Ok(())
            }
        }
    }
}
