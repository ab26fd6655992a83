//! An HTTP server on threads of its own.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::sync::oneshot;

use super::CommandError;

/// Takes an address, which the option `flag` named.
pub(super) fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program has this port; choose another with",
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; choose another with",
            _ => "choose another address with",
        };
        CommandError::while_doing(format!("can't listen on {address} ({remedy} {flag})"), error)
    })
}

/// The HTTP server on threads of its own.
pub(super) struct Server {
    runtime: tokio::runtime::Runtime,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Serves until it is stopped.
    pub(super) fn start(router: Router, listener: TcpListener) -> Result<Self, CommandError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().thread_name("web").enable_all().build()?;
        listener.set_nonblocking(true)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = {
            let _entered = runtime.enter();
            // Without TCP_NODELAY a peer loses 40 ms on every answer of a connection it keeps.
            tokio::net::TcpListener::from_std(listener)?.tap_io(|stream| {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
            })
        };
        let served = runtime.spawn(async move {
            let stopping = async {
                // A sender that is gone means stop as well.
                let _ = stopped.await;
            };
            axum::serve(listener, router).with_graceful_shutdown(stopping).await
        });
        Ok(Self { runtime, stop, served })
    }

    /// Takes no new connections, and gives requests that are being answered some time.
    pub(super) fn stop(self, grace: Duration) -> Result<(), CommandError> {
        // The receiver is gone if the server ended by itself; then there is nothing to stop.
        let _ = self.stop.send(());
        let ended = self.runtime.block_on(async { tokio::time::timeout(grace, self.served).await });
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        match ended {
            Ok(served) => Ok(served??),
            Err(_) => {
                tracing::warn!("some requests did not end within {grace:?}; their clients have to send them again");
                Ok(())
            }
        }
    }
}
