//! What a server serves, and its limits.

use std::sync::Arc;

use axum::Router;
use tokio_rustls::rustls::ServerConfig;

use crate::web::{FastPath, TrustedProxies};

/// What to serve, and with which limits.
pub struct Site {
    /// The listener's name in metrics.
    pub name: &'static str,
    pub router: Router,
    /// Answers in front of the router.
    pub fast_path: Option<FastPath>,
    /// HTTPS, and the response for clients that send plain HTTP.
    pub tls: Option<(Arc<ServerConfig>, Router)>,
    /// Concurrent connections.
    pub max_connections: u32,
    /// Concurrent connections of one client. Trusted proxies are exempt.
    pub per_address: u32,
    pub trusted_proxies: TrustedProxies,
    /// Threads, and as many again for connections that the fast path answers; None for one per CPU.
    pub threads: Option<usize>,
}
