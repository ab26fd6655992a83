//! The address of a listening socket, as an option has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    pub host: Host,
    /// 0 for a free one.
    pub port: u16,
}

/// The host of a [`ListenAddress`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// One address.
    Address(IpAddr),
    /// Every address of this machine, IPv4 and IPv6.
    All,
    /// A host name, which is looked up when the socket is opened; also an IPv6 address with the name of its interface.
    Name(String),
}

const EXAMPLES: &str = "use an address and a port, such as 127.0.0.1:2274, localhost:2274, [::1]:2274 or :2274";

/// Parses `HOST:PORT`, `:PORT` or `*:PORT` for all addresses, and `PORT` for 127.0.0.1, the host of the default.
pub(super) fn listen_address(text: &str) -> Result<ListenAddress, String> {
    let text = text.trim();
    let refused = |problem: &str| Err(format!("{problem}: {EXAMPLES}"));
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(ListenAddress { host: Host::Address(address.ip()), port: address.port() });
    }
    if text.contains("//") {
        return refused("this is a URL");
    }
    let is_port = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (host, port) = match text.rsplit_once(':') {
        None if is_port => ("127.0.0.1", text),
        Some((host, port)) if !host.contains(':') || host.starts_with('[') && host.ends_with(']') => (host, port),
        Some(_) if text.parse::<Ipv6Addr>().is_ok() || text.starts_with('[') => return refused("the port is missing"),
        Some(_) => return refused("an IPv6 address must be in brackets"),
        None => return refused("the port is missing"),
    };
    let Ok(port) = port.parse::<u16>() else { return refused("the port is not a number from 0 to 65535") };
    match host_of(host) {
        Some(host) => Ok(ListenAddress { host, port }),
        None => refused("the host is neither an address nor a name"),
    }
}

fn host_of(text: &str) -> Option<Host> {
    if text.is_empty() || text == "*" {
        return Some(Host::All);
    }
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        // An interface, as in fe80::1%eth0, is known to the system's resolver.
        return match (address.parse::<Ipv6Addr>(), address.split_once('%')) {
            (Ok(address), _) => Some(Host::Address(address.into())),
            (Err(_), Some((before, _))) if before.parse::<Ipv6Addr>().is_ok() => Some(Host::Name(address.to_owned())),
            _ => None,
        };
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(Host::Address(address.into()));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    // `300.0.0.1` is a mistyped address and no name.
    let has_letter = text.contains(|c: char| c.is_ascii_alphabetic());
    (text.chars().all(is_name) && has_letter).then(|| Host::Name(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_a_name_or_a_port_is_accepted() {
        let parsed = |text: &str| {
            let ListenAddress { host, port } = listen_address(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            match host {
                Host::Address(address) => format!("{address} {port}"),
                Host::All => format!("all {port}"),
                Host::Name(name) => format!("name {name} {port}"),
            }
        };
        for (text, expected) in [
            ("127.0.0.1:2274", "127.0.0.1 2274"),
            (" 0.0.0.0:0 ", "0.0.0.0 0"),
            ("[::1]:2274", "::1 2274"),
            ("[::]:80", ":: 80"),
            ("[fe80::1%eth0]:2274", "name fe80::1%eth0 2274"),
            ("2274", "127.0.0.1 2274"),
            (":2274", "all 2274"),
            ("*:2274", "all 2274"),
            ("localhost:2274", "name localhost 2274"),
            ("crates-1.example.:443", "name crates-1.example. 443"),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_refused_is_named_with_examples() {
        let problem = |text: &str| listen_address(text).unwrap_err().replace(&format!(": {EXAMPLES}"), "");
        for (text, expected) in [
            ("nowhere", "the port is missing"),
            ("", "the port is missing"),
            ("127.0.0.1", "the port is missing"),
            ("::1", "the port is missing"),
            ("[::1]", "the port is missing"),
            ("localhost:", "the port is not a number from 0 to 65535"),
            ("localhost:http", "the port is not a number from 0 to 65535"),
            ("99999", "the port is not a number from 0 to 65535"),
            ("fe80::1%eth0:2274", "an IPv6 address must be in brackets"),
            ("http://127.0.0.1:2274", "this is a URL"),
            ("300.0.0.1:2274", "the host is neither an address nor a name"),
            ("[localhost]:2274", "the host is neither an address nor a name"),
            ("a b:2274", "the host is neither an address nor a name"),
        ] {
            assert_eq!(problem(text), expected, "{text}");
        }
        insta::assert_snapshot!(listen_address("x").unwrap_err(), @"the port is missing: use an address and a port, such as 127.0.0.1:2274, localhost:2274, [::1]:2274 or :2274");
    }
}
