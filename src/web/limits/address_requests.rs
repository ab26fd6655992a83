//! The limit on requests in progress for one client address.
//!
//! Connections are limited where they are accepted, by the address of the other end. That address does not identify the
//! client behind a trusted proxy, and an HTTP/2 connection carries many requests; so requests are counted here, by the
//! client that they were sent for.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::permits::{Permit, Permits};
use crate::web::answers::held_body::HeldBody;
use crate::web::bounds::Bound;
use crate::web::client_address::{AddressBlock, ClientAddress, TrustedProxies};
use crate::web::error::ApiError;

/// Counts requests by client. Cheap to clone.
#[derive(Clone)]
pub struct AddressRequests {
    permits: Permits<AddressBlock>,
    trusted: TrustedProxies,
}

impl AddressRequests {
    /// Limits each client to `limit` requests at the same time. A trusted proxy that sends a request without its
    /// client's address has no limit.
    pub fn new(limit: u32, trusted: TrustedProxies) -> Self {
        Self { permits: Permits::new(limit), trusted }
    }

    /// No limit.
    pub fn unlimited() -> Self {
        Self::new(u32::MAX, TrustedProxies::default())
    }

    /// Counts a request until its permit is dropped; the error is the client that is at its limit.
    pub fn begin(&self, client: ClientAddress) -> Result<Option<Permit<AddressBlock>>, AddressBlock> {
        let Some(address) = client.ip().filter(|&ip| !self.trusted.contains(ip)) else { return Ok(None) };
        let address = AddressBlock::from(address);
        self.permits.acquire(address).map(Some).ok_or(address)
    }
}

/// Answers 429 to a client that is at its limit.
pub(crate) async fn limit(State(requests): State<AddressRequests>, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<ClientAddress>().copied().unwrap_or_default();
    match requests.begin(client) {
        Ok(permit) => next.run(request).await.map(|body| Body::new(HeldBody::new(body, permit))),
        Err(address) => {
            Bound::AddressRequests.met_by(address);
            let limit = requests.permits.limit();
            let detail = format!("{address} has {limit} requests in progress: wait until some of them are answered");
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
    fn each_client_has_its_own_limit_and_a_trusted_proxy_has_none() {
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
}
