//! The client's address: that of the connection, or the one that a trusted proxy forwards.
//!
//! Each proxy appends an address to `X-Forwarded-For`, so the rightmost address that is not a trusted proxy is the last one
//! that a trusted proxy has seen; the client may have made up everything left of it. `Forwarded` (RFC 7239) has the addresses
//! as `for=`. It is read only without `X-Forwarded-For`: nearly every proxy sets that header, and passes a client's
//! `Forwarded` on unchanged.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, header};
use ipnet::IpNet;

// The `http` crate has no constant for it.
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of a client; none for a request without a connection (in tests). Every request has it as an extension, and
/// handlers may extract it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ClientAddress(Option<IpAddr>);

impl ClientAddress {
    /// The IP address. An IPv4 address is never in its IPv6 form.
    pub fn ip(self) -> Option<IpAddr> {
        self.0
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(Some(address.to_canonical()))
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or_default())
    }
}

/// The addresses that count as one client in the limits of connections and requests: an IPv4 address, or the /64 network of
/// an IPv6 address, since a client usually has a whole /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressBlock(IpAddr);

impl From<IpAddr> for AddressBlock {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()),
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

impl fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

/// Proxies whose forwarding headers are trusted. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    /// Whether an address belongs to one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether one of them sent a request that came from this peer.
    pub fn sent(&self, peer: Option<IpAddr>) -> bool {
        peer.is_some_and(|peer| self.contains(peer))
    }

    /// The client of a request that came from this peer.
    pub fn client_of(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> ClientAddress {
        let Some(peer) = peer else { return ClientAddress(None) };
        if !self.contains(peer) {
            return ClientAddress(Some(peer));
        }
        let mut client = peer;
        for forwarded in forwarded_for(headers).into_iter().rev() {
            // Everything left of an unreadable address is ignored.
            let Some(address) = forwarded else { break };
            client = address;
            if !self.contains(address) {
                break;
            }
        }
        ClientAddress(Some(client))
    }
}

/// The address of the connection.
pub(super) fn peer(request: &Extensions) -> Option<IpAddr> {
    request.get().map(|ConnectInfo::<SocketAddr>(peer)| peer.ip().to_canonical())
}

/// The addresses that proxies added, in their order; None for an unreadable one.
fn forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    // Bytes of the client that are not UTF-8 must not hide the address that the proxy added.
    let values = |name| headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    if headers.contains_key(&X_FORWARDED_FOR) {
        values(X_FORWARDED_FOR).flat_map(|list| list.split(',').map(address).collect::<Vec<_>>()).collect()
    } else {
        let elements = |list: &str| split_unquoted(list, ',').into_iter().map(for_parameter).collect::<Vec<_>>();
        values(header::FORWARDED).flat_map(|list| elements(&list)).collect()
    }
}

/// The address of one element of `Forwarded`: `for=192.0.2.60;proto=http`, `For="[2001:db8::17]:4711"`.
fn for_parameter(element: &str) -> Option<IpAddr> {
    let pairs = split_unquoted(element, ';').into_iter().filter_map(|pair| pair.split_once('='));
    let mut named_for = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    named_for.next().and_then(|(_, value)| address(value.trim().trim_matches('"')))
}

/// Parses an address with or without a port, and an IPv6 address with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let alone = bracketed.unwrap_or(text).parse::<IpAddr>().ok();
    alone.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip())).map(|address| address.to_canonical())
}

/// Splits a list at separators outside quotes.
fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    let at_separator = |c: char| {
        quoted ^= c == '"';
        c == separator && !quoted
    };
    text.split(at_separator).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, headers: &[(HeaderName, &str)]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        let peer: IpAddr = peer.parse().unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.clone(), axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        TrustedProxies::new(&trusted).client_of(Some(peer.to_canonical()), &map).to_string()
    }

    fn forwarded(list: &str) -> String {
        client("10.0.0.1", &[(X_FORWARDED_FOR, list)])
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_no_trusted_proxy() {
        assert_eq!(forwarded("192.0.2.1"), "192.0.2.1");
        assert_eq!(forwarded("1.1.1.1, 192.0.2.1, 10.9.9.9"), "192.0.2.1");
        assert_eq!(forwarded("  192.0.2.1 ,10.9.9.9  "), "192.0.2.1");
        assert_eq!(forwarded("192.0.2.1:4711"), "192.0.2.1");
        assert_eq!(forwarded("2001:db8::1"), "2001:db8::1");
        assert_eq!(forwarded("[2001:db8::1]"), "2001:db8::1");
        assert_eq!(forwarded("[2001:db8::1]:4711, fd00::7"), "2001:db8::1");
        assert_eq!(forwarded("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(forwarded("10.2.2.2, 10.3.3.3"), "10.2.2.2", "a client inside the trusted network");
        let two = [(X_FORWARDED_FOR, "1.1.1.1"), (X_FORWARDED_FOR, "192.0.2.1, 10.4.4.4")];
        assert_eq!(client("10.0.0.1", &two), "192.0.2.1", "two header lines are one list");
        assert_eq!(client("::ffff:10.0.0.1", &[(X_FORWARDED_FOR, "192.0.2.1")]), "192.0.2.1");
    }

    #[test]
    fn forwarding_headers_of_untrusted_peers_are_ignored() {
        for name in [X_FORWARDED_FOR, header::FORWARDED] {
            assert_eq!(client("192.0.2.9", &[(name, "for=1.1.1.1")]), "192.0.2.9");
        }
        assert_eq!(client("192.0.2.9", &[(X_FORWARDED_FOR, "10.0.0.1")]), "192.0.2.9");
        assert_eq!(client("192.0.2.9", &[]), "192.0.2.9");
    }

    #[test]
    fn an_unreadable_address_hides_only_what_is_left_of_it() {
        for garbage in
            ["", ",", "unknown", "1.2.3", "_hidden", "[", "]", "[::1", "::1]:80", "1.1.1.1:99999", "\u{e4}", "\""]
        {
            assert_eq!(forwarded(garbage), "10.0.0.1", "{garbage}");
            assert_eq!(forwarded(&format!("1.1.1.1, {garbage}, 10.5.5.5")), "10.5.5.5", "{garbage}");
        }
        assert_eq!(forwarded("garbage, 192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn forwarded_is_read_where_x_forwarded_for_is_absent() {
        let forwarded = |value| client("10.0.0.1", &[(header::FORWARDED, value)]);
        assert_eq!(forwarded("for=192.0.2.1"), "192.0.2.1");
        assert_eq!(forwarded("for=1.1.1.1, FOR=\"192.0.2.1:80\";proto=https;by=10.0.0.1"), "192.0.2.1");
        assert_eq!(forwarded("proto=https; For=\"[2001:db8::17]:4711\""), "2001:db8::17");
        assert_eq!(forwarded("for=\"a,b;for=1.1.1.1\""), "10.0.0.1");
        assert_eq!(forwarded("for=1.1.1.1, for=_hidden, for=10.8.8.8"), "10.8.8.8");
        assert_eq!(forwarded("proto=https"), "10.0.0.1");
        let both = [(header::FORWARDED, "for=1.1.1.1"), (X_FORWARDED_FOR, "192.0.2.1")];
        assert_eq!(client("10.0.0.1", &both), "192.0.2.1");
    }

    #[test]
    fn an_ipv4_address_and_an_ipv6_network_of_64_bits_are_one_client() {
        let block = |text: &str| AddressBlock::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(block("192.0.2.1").to_string(), "192.0.2.1");
        assert_eq!(block("2001:db8:1:2:3:4:5:6").to_string(), "2001:db8:1:2::/64");
        assert_eq!(block("2001:db8:1:2::1"), block("2001:db8:1:2:ffff::"));
        assert_eq!(block("::ffff:192.0.2.1"), block("192.0.2.1"));
        assert!(block("2001:db8:1:2::1") != block("2001:db8:1:3::1") && block("192.0.2.1") != block("192.0.2.2"));
    }

    #[test]
    fn a_request_without_a_connection_has_no_address() {
        let address = TrustedProxies::default().client_of(None, &HeaderMap::new());
        assert_eq!((address.ip(), address.to_string().as_str()), (None, "unknown"));
    }
}
