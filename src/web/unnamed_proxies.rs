//! Reports senders of forwarding headers that `--trusted-proxies` does not name. One of them may be the operator's own proxy,
//! whose clients then all count as one.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{HeaderMap, header};
use parking_lot::Mutex;

use super::client_address::{TrustedProxies, X_FORWARDED_FOR};

/// Addresses that are reported, each once. Anyone can send these headers, so further ones are not.
const MOST: usize = 5;

/// The addresses that were reported. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct UnnamedProxies(Arc<Reported>);

#[derive(Debug, Default)]
struct Reported {
    addresses: Mutex<Vec<IpAddr>>,
    /// Nothing more is reported.
    is_full: AtomicBool,
}

impl UnnamedProxies {
    /// Reports the sender of a request, if it is due.
    pub fn notice(&self, trusted: &TrustedProxies, peer: Option<IpAddr>, headers: &HeaderMap) {
        let Some((address, header)) = self.due(trusted, peer, headers) else { return };
        tracing::info!(
            "{address} sends {header}, which is ignored: if {address} is your reverse proxy, name it in --trusted-proxies; \
             otherwise all of its clients count as one client with its address"
        );
    }

    /// The sender and its header, if it is not trusted and was not reported before.
    fn due(
        &self,
        trusted: &TrustedProxies,
        peer: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> Option<(IpAddr, &'static str)> {
        if self.0.is_full.load(Ordering::Relaxed) {
            return None;
        }
        let header = match () {
            () if headers.contains_key(X_FORWARDED_FOR) => "X-Forwarded-For",
            () if headers.contains_key(header::FORWARDED) => "Forwarded",
            () => return None,
        };
        let address = peer.filter(|peer| !trusted.contains(*peer))?;
        let mut reported = self.0.addresses.lock();
        if reported.len() >= MOST || reported.contains(&address) {
            return None;
        }
        reported.push(address);
        self.0.is_full.store(reported.len() >= MOST, Ordering::Relaxed);
        Some((address, header))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    #[test]
    fn each_sender_that_is_not_trusted_is_reported_once_and_five_at_most() {
        let unnamed = UnnamedProxies::default();
        let trusted = TrustedProxies::new(&["10.0.0.0/8".parse().unwrap()]);
        let due = |peer: &str, header: Option<HeaderName>| {
            let peer: IpAddr = peer.parse().unwrap();
            let headers = header.map(|name| (name, "1.1.1.1".parse().unwrap())).into_iter().collect();
            unnamed
                .due(&trusted, Some(peer.to_canonical()), &headers)
                .map(|(address, header)| format!("{address} {header}"))
        };
        assert_eq!(due("192.0.2.1", None), None);
        assert_eq!(due("10.1.2.3", Some(X_FORWARDED_FOR)), None);
        assert_eq!(due("192.0.2.1", Some(X_FORWARDED_FOR)).as_deref(), Some("192.0.2.1 X-Forwarded-For"));
        assert_eq!(due("192.0.2.1", Some(X_FORWARDED_FOR)), None);
        assert_eq!(due("::ffff:192.0.2.2", Some(header::FORWARDED)).as_deref(), Some("192.0.2.2 Forwarded"));
        let more = (3..100).filter(|last| due(&format!("192.0.2.{last}"), Some(X_FORWARDED_FOR)).is_some());
        assert_eq!(more.count(), 3);
    }
}
