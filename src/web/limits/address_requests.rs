//! How many requests of one client are answered at the same time.
//!
//! Connections are limited by address where they are accepted. Behind a trusted proxy that says nothing about clients, and
//! over HTTP/2 a connection has many requests: here the client counts for whom the request was sent.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;

use crate::web::answers::held_body::HeldBody;
use crate::web::bounds::Bound;
use crate::web::client_address::AddressBlock;
use crate::web::extract::body;
use crate::web::{ApiError, ClientAddress, TrustedProxies};

/// Requests by client. Cheap to clone.
#[derive(Clone)]
pub struct AddressRequests(Arc<Parts>);

struct Parts {
    most: u32,
    trusted: TrustedProxies,
    by_address: Mutex<HashMap<AddressBlock, u32>>,
}

impl AddressRequests {
    /// A client may have so many at the same time. A trusted proxy that does not say for whom it sends a request is no
    /// client.
    pub fn new(most: u32, trusted: TrustedProxies) -> Self {
        Self(Arc::new(Parts { most, trusted, by_address: Mutex::default() }))
    }

    /// Without a limit.
    pub fn unlimited() -> Self {
        Self::new(u32::MAX, TrustedProxies::default())
    }

    /// Counts a request until the answer is dropped; the error is the client that has too many.
    fn begin(&self, client: ClientAddress) -> Result<Option<Counted>, AddressBlock> {
        let Some(address) = client.ip().filter(|&ip| !self.0.trusted.contains(ip)) else { return Ok(None) };
        let address = AddressBlock::from(address);
        let mut by_address = self.0.by_address.lock();
        let requests = by_address.entry(address).or_default();
        if *requests >= self.0.most {
            return Err(address);
        }
        *requests += 1;
        Ok(Some(Counted { requests: self.clone(), address }))
    }
}

/// A request that is being answered.
struct Counted {
    requests: AddressRequests,
    address: AddressBlock,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut by_address = self.requests.0.by_address.lock();
        if let Some(requests) = by_address.get_mut(&self.address) {
            *requests -= 1;
            if *requests == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// Answers 429 to a client that has too many requests at the same time.
pub(crate) async fn limit(State(requests): State<AddressRequests>, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<ClientAddress>().copied().unwrap_or_default();
    match requests.begin(client) {
        Ok(counted) => next.run(request).await.map(|body| axum::body::Body::new(HeldBody::new(body, counted))),
        Err(address) => {
            Bound::AddressRequests.met_by(address);
            let (parts, content) = request.into_parts();
            body::discard(&parts.headers, content, body::STRANGER);
            let detail =
                format!("{address} has {} requests under way: wait for some of them to be answered", requests.0.most);
            ApiError::too_many(detail).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn client(address: &str) -> ClientAddress {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn a_client_has_so_many_requests_and_a_proxy_and_other_clients_have_theirs() {
        let trusted = TrustedProxies::new(&["10.0.0.0/8".parse().unwrap()]);
        let requests = AddressRequests::new(2, trusted);
        let first = requests.begin(client("192.0.2.1")).unwrap();
        let _second = requests.begin(client("192.0.2.1")).unwrap();
        assert!(requests.begin(client("192.0.2.1")).is_err());
        assert!(requests.begin(client("192.0.2.2")).unwrap().is_some());
        assert!((0..5).all(|_| requests.begin(client("10.0.0.1")).unwrap().is_none()));
        drop(first);
        let third = requests.begin(client("192.0.2.1")).unwrap();
        assert!(third.is_some());
    }

    #[test]
    fn a_client_without_requests_takes_no_memory() {
        let requests = AddressRequests::new(2, TrustedProxies::default());
        drop((0..2).map(|_| requests.begin(client("2001:db8::1")).unwrap()).collect::<Vec<_>>());
        assert!(requests.0.by_address.lock().is_empty());
    }
}
