//! Large answers that their clients do not read.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use serde_json::json;
use socket2::{Domain, Socket, Type};

use super::http_forms::status;
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

/// A connection whose client receives a few KiB at a time.
fn connect(served: &Served) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&served.address().parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.into()
}

#[test]
fn unread_readmes_use_a_bounded_amount_of_memory() {
    let served = Served::start(&["--max-connections-per-address", "400"]);
    let readme = "x".repeat(900_000);
    let package = Package::new("foo", "1.0.0").metadata("readme", json!(readme));
    http::publish(&served.url, &served.token("admin"), &package).good();
    let ask = || {
        let mut stream = connect(&served);
        stream.write_all(b"GET /api/v1/crates/foo/1.0.0/readme HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream
    };
    let mut held: Vec<_> = (0..100).map(|_| ask()).collect();
    let statuses: Vec<u16> = held.iter_mut().map(status).collect();
    let answered = statuses.iter().filter(|status| **status == 200).count();
    // 64 MiB hold 74 of these.
    assert!((1..=74).contains(&answered), "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 100 - answered, "{statuses:?}");
    drop(held);
    let url = format!("{}/api/v1/crates/foo/1.0.0/readme", served.url);
    wait_until("the room is free again", || http::get(&url).status == 200);
    assert_eq!(http::get(&url).text().len(), 900_000);
}
