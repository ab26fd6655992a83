//! An HTTP server on threads of its own.

mod connections;
mod conversation;
mod places;
mod watched;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::oneshot;
use tokio_rustls::rustls::ServerConfig;

use super::server::connections::Connections;
use crate::process::CommandError;
use crate::web::TrustedProxies;

/// Takes an address, which the option `flag` named.
pub fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program has this port; choose another with",
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; choose another with",
            _ => "choose another address with",
        };
        CommandError::while_doing(format!("can't listen on {address} ({remedy} {flag})"), error)
    })
}

/// What is served, and how.
pub struct Site {
    pub router: Router,
    /// HTTPS, and what is said to those who speak HTTP nevertheless.
    pub tls: Option<(Arc<ServerConfig>, Router)>,
    /// Connections that are served at the same time.
    pub max_connections: u32,
    /// Those of one client, which a trusted proxy is not.
    pub per_address: u32,
    pub trusted_proxies: TrustedProxies,
    /// Threads that answer; None for one a processor.
    pub threads: Option<usize>,
}

/// The HTTP server on threads of its own.
pub struct Server {
    runtime: tokio::runtime::Runtime,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Serves until it is stopped.
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

    /// Takes no new connections, and gives requests that are being answered some time.
    pub fn stop(self, grace: Duration) -> Result<(), CommandError> {
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
