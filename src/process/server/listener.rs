//! The listening sockets of one option: one, or several for a host name and for all addresses.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use nix::errno::Errno;
use socket2::{Domain, Socket, Type};

use crate::config::{Host, ListenAddress};
use crate::process::CommandError;

/// Connections that wait to be accepted; the kernel's own limit may be lower.
const BACKLOG: i32 = 4096;
/// How often another free port is tried for several addresses with port 0.
const TRIES: usize = 20;

/// Sockets that listen on the same port.
pub struct Listener {
    pub(super) sockets: Vec<TcpListener>,
    /// The host name, if the option has one.
    name: Option<String>,
    addresses: Vec<SocketAddr>,
}

impl Listener {
    /// Opens the sockets for the option `flag`.
    pub fn bind(wanted: &ListenAddress, flag: &str) -> Result<Self, CommandError> {
        let addresses = addresses_of(wanted, flag)?;
        let sockets = match addresses.as_slice() {
            [address] => vec![TcpListener::bind(address).map_err(|error| cannot_listen(address, flag, error))?],
            several => bind_several(several, flag)?,
        };
        let bound = sockets.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let name = match &wanted.host {
            Host::Name(name) if !name.contains('%') => Some(name.clone()),
            _ => None,
        };
        Ok(Self { sockets, name, addresses: bound })
    }

    /// Every address, with the port.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Every address as text, for the log.
    pub fn shown(&self) -> String {
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        addresses.join(", ")
    }

    /// Whether it listens on all addresses of the machine.
    pub fn is_on_all(&self) -> bool {
        self.addresses.iter().any(|address| address.ip().is_unspecified())
    }

    /// Host and port as in the URL of a client on this machine.
    pub fn authority(&self) -> String {
        let address = self.addresses[0];
        match &self.name {
            Some(name) => format!("{name}:{}", address.port()),
            None if address.ip().is_unspecified() => format!("127.0.0.1:{}", address.port()),
            None => address.to_string(),
        }
    }
}

fn addresses_of(wanted: &ListenAddress, flag: &str) -> Result<Vec<SocketAddr>, CommandError> {
    let port = wanted.port;
    let addresses = match &wanted.host {
        Host::Address(address) => vec![SocketAddr::new(*address, port)],
        Host::All => {
            let all: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
            all.map(|address| SocketAddr::new(address, port)).to_vec()
        }
        Host::Name(name) => look_up(name, port, flag)?,
    };
    Ok(addresses)
}

/// The addresses of a host name, IPv4 first.
fn look_up(name: &str, port: u16, flag: &str) -> Result<Vec<SocketAddr>, CommandError> {
    let unknown = |reason: &dyn Display| {
        CommandError::new(format!(
            "cannot resolve the host name {name} of {flag} ({reason}): correct it, add it to /etc/hosts or the DNS, or use \
             an address such as 127.0.0.1:{port}"
        ))
    };
    let found = (name, port).to_socket_addrs().map_err(|error| unknown(&error))?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.sort_by_key(SocketAddr::is_ipv6);
    if addresses.is_empty() { Err(unknown(&"it has no address")) } else { Ok(addresses) }
}

/// Listens on those addresses that this machine has, at one port.
fn bind_several(addresses: &[SocketAddr], flag: &str) -> Result<Vec<TcpListener>, CommandError> {
    let mut tries = 1;
    loop {
        match bind_once(addresses) {
            // The free port of the first address is in use at another one.
            Err((_, error)) if error.kind() == ErrorKind::AddrInUse && addresses[0].port() == 0 && tries < TRIES => {
                tries += 1;
            }
            Err((address, error)) => return Err(cannot_listen(&address, flag, error)),
            Ok(sockets) => return Ok(sockets),
        }
    }
}

fn bind_once(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    let (mut sockets, mut port, mut foreign) = (Vec::new(), addresses[0].port(), None);
    for &address in addresses {
        let address = SocketAddr::new(address.ip(), port);
        match bind_one(address) {
            Ok(socket) => {
                port = socket.local_addr().map_err(|error| (address, error))?.port();
                sockets.push(socket);
            }
            Err(error) if is_of_another_machine(&error) => foreign = Some((address, error)),
            Err(error) => return Err((address, error)),
        }
    }
    match foreign {
        Some(failed) if sockets.is_empty() => Err(failed),
        _ => Ok(sockets),
    }
}

/// An IPv6 socket does not take IPv4 connections as well, since that port has an IPv4 socket of its own.
fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Whether this machine does not have the address, or no IPv6 at all.
fn is_of_another_machine(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32)
}

fn cannot_listen(address: &SocketAddr, flag: &str, error: io::Error) -> CommandError {
    let remedy = match error.kind() {
        ErrorKind::AddrInUse => "another program uses this port; choose another with",
        ErrorKind::PermissionDenied => "ports below 1024 require privileges; choose another with",
        ErrorKind::AddrNotAvailable => "this machine does not have this address; choose another with",
        _ => "choose another address with",
    };
    CommandError::while_doing(format!("cannot listen on {address} ({remedy} {flag})"), error)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn bound(host: Host, port: u16) -> Listener {
        Listener::bind(&ListenAddress { host, port }, "--listen").unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_name_and_all_addresses_have_a_socket_for_each_family() {
        let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
        for (host, authority) in [(Host::All, "127.0.0.1"), (Host::Name("localhost".to_owned()), "localhost")] {
            let listener = bound(host, 0);
            let port = listener.addresses()[0].port();
            assert_eq!(listener.authority(), format!("{authority}:{port}"));
            assert!(listener.addresses().iter().all(|address| address.port() == port));
            TcpStream::connect(("127.0.0.1", port)).unwrap();
            if listener.addresses().len() > 1 {
                assert!(has_ipv6);
                TcpStream::connect(("::1", port)).unwrap();
            }
        }
        assert_eq!(bound(Host::All, 0).addresses().len(), if has_ipv6 { 2 } else { 1 });
        assert!(bound(Host::All, 0).is_on_all() && !bound(Host::Name("localhost".to_owned()), 0).is_on_all());
    }

    #[test]
    fn addresses_of_other_machines_are_left_out_unless_there_is_no_other() {
        // The second one is for documentation (RFC 5737) and belongs to no machine.
        let [own, foreign] = ["127.0.0.1:0", "192.0.2.1:0"].map(|text| text.parse::<SocketAddr>().unwrap());
        let sockets = bind_several(&[foreign, own], "--listen").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(sockets.len(), 1);
        let refused = bind_several(&[foreign, foreign], "--listen").err().unwrap().to_string();
        assert!(
            refused.starts_with("cannot listen on 192.0.2.1:0 (this machine does not have this address;"),
            "{refused}"
        );
    }

    #[test]
    fn a_name_that_does_not_resolve_is_named_with_the_remedy() {
        let wanted = ListenAddress { host: Host::Name("no-such-host.invalid".to_owned()), port: 2274 };
        let refused = Listener::bind(&wanted, "--listen").err().unwrap().to_string();
        assert!(refused.starts_with("cannot resolve the host name no-such-host.invalid of --listen ("), "{refused}");
        assert!(refused.ends_with("use an address such as 127.0.0.1:2274"), "{refused}");
    }
}
