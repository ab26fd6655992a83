//! The HTTP server: sockets, TLS, connections and their limits, on threads of its own.

mod connections;
mod conversation;
pub(super) mod places;
mod site;
mod watched;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use self::connections::Connections;
pub use self::site::Site;
use crate::process::CommandError;

/// Binds the address of the option `flag`.
pub fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program uses this port; choose another with",
            std::io::ErrorKind::PermissionDenied => "ports below 1024 require privileges; choose another with",
            _ => "choose another address with",
        };
        CommandError::while_doing(format!("cannot listen on {address} ({remedy} {flag})"), error)
    })
}

/// A running server.
pub struct Server {
    runtime: tokio::runtime::Runtime,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Starts the threads.
    pub fn start(site: Site, listener: TcpListener) -> Result<Self, CommandError> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        if let Some(threads) = site.threads {
            runtime.worker_threads(threads);
        }
        let runtime = runtime.thread_name("web").enable_all().build()?;
        listener.set_nonblocking(true)?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let served = runtime.spawn(Arc::new(Connections::new(site)).serve(listener, stopped));
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
