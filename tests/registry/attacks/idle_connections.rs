//! Connections that send almost nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::http_forms::{answer, status};
use crate::support::event::{wait_for, wait_until};
use crate::support::http;
use crate::support::process::{Served, listening_addresses};

const HEALTH: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
/// Shorter than any of the server's limits except the tested one, and much longer than an answer takes.
const PATIENCE: Duration = Duration::from_secs(8);

/// A connection from one of this machine's addresses.
fn connect_from(served: &Served, address: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&format!("{address}:0").parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.connect(&served.address().parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// Sends the head of a request without its body.
fn begin(stream: &mut TcpStream, call: &str, headers: &str) {
    write!(stream, "{call} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n{headers}\r\n{{").unwrap();
}

fn health(served: &Served, address: &str) -> u16 {
    let mut stream = connect_from(served, address);
    stream.write_all(HEALTH.as_bytes()).unwrap();
    status(&mut stream)
}

#[test]
fn silent_connections_leave_room_for_their_own_client_and_for_others() {
    let served = Served::start(&["--max-connections", "40", "--max-connections-per-address", "20"]);
    let mut idle = Vec::new();
    for _ in 0..60 {
        let mut stream = connect_from(&served, "127.0.0.1");
        // Some are refused and stay open as long as their bodies are read on; some have not sent a request yet.
        if idle.len() % 2 == 0 {
            begin(&mut stream, "PUT /api/v1/me/tokens", "");
        }
        idle.push(stream);
    }
    assert_eq!(health(&served, "127.0.0.2"), 200);
    assert_eq!(health(&served, "127.0.0.1"), 200);
    drop(idle);
}

#[test]
fn silent_connections_of_many_clients_are_closed_for_new_ones() {
    let served = Served::start(&["--max-connections", "40"]);
    let idle: Vec<_> = (1..=80).map(|n| connect_from(&served, &format!("127.0.1.{n}"))).collect();
    for n in 1..=5 {
        assert_eq!(health(&served, &format!("127.0.2.{n}")), 200);
    }
    drop(idle);
}

#[test]
fn a_client_whose_connections_are_all_busy_gets_no_more_and_others_do() {
    let arguments = ["--max-connections-per-address", "3", "--metrics-listen", "127.0.0.1:0"];
    let served = Served::start(&arguments);
    let token = format!("Authorization: {}\r\n", served.token("ann"));
    let mut uploads: Vec<_> = (0..3).map(|_| connect_from(&served, "127.0.0.1")).collect();
    for upload in &mut uploads {
        begin(upload, "PUT /api/v1/crates/new", &format!("{token}Expect: 100-continue\r\n"));
        // The answer is 100 when the server waits for the body.
        assert_eq!(status(upload), 100);
    }
    let mut fourth = connect_from(&served, "127.0.0.1");
    let _ = fourth.write_all(HEALTH.as_bytes());
    // It is closed, or reset if the request has arrived already.
    assert_eq!(fourth.read(&mut [0]).unwrap_or(0), 0);
    assert_eq!(health(&served, "127.0.0.2"), 200);

    let metrics = operators_listener(&served);
    let counted = "supercargo_http_limited_total{limit=\"connections_per_address\"} 1";
    wait_until("the count", || http::get(&format!("{metrics}/metrics")).text().contains(counted));
    // A limit that was not reached is 0, so that a rate can be computed from the first time on.
    let never_met = "supercargo_http_limited_total{limit=\"blocking_calls\"} 0";
    assert!(http::get(&format!("{metrics}/metrics")).text().contains(never_met));
}

/// The URL of the listener for metrics and health.
fn operators_listener(served: &Served) -> String {
    let all =
        wait_for("both listeners", || Some(listening_addresses(served.process_id())).filter(|all| all.len() == 2));
    format!("http://{}", all.into_iter().find(|address| *address != served.address()).unwrap())
}

#[test]
fn behind_a_trusted_proxy_each_client_has_its_requests_and_the_proxy_its_connections() {
    let served = Served::start(&["--max-connections-per-address", "3", "--trusted-proxies", "127.0.0.1"]);
    let token = served.token("ann");
    let client = |last: u8| format!("X-Forwarded-For: 192.0.2.{last}\r\nAuthorization: {token}\r\n");
    let uploads: Vec<_> = (0..3)
        .map(|_| {
            let mut upload = connect_from(&served, "127.0.0.1");
            begin(&mut upload, "PUT /api/v1/crates/new", &format!("{}Expect: 100-continue\r\n", client(7)));
            assert_eq!(status(&mut upload), 100);
            upload
        })
        .collect();
    let ask = |last: u8| {
        let mut stream = connect_from(&served, "127.0.0.1");
        write!(stream, "GET /index/config.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}\r\n", client(last))
            .unwrap();
        answer(&mut stream)
    };
    let refused = ask(7);
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("retry-after: "), "{refused}");
    assert!(refused.contains("192.0.2.7 has 3 requests in progress"), "{refused}");
    assert!(ask(8).starts_with("HTTP/1.1 200 "));
    drop(uploads);
    wait_until("room for the client", || ask(7).starts_with("HTTP/1.1 200 "));
}

#[test]
fn health_and_metrics_have_connections_of_their_own_when_they_have_a_listener() {
    let served = Served::start(&["--max-connections", "1", "--metrics-listen", "127.0.0.1:0"]);
    let token = served.token("ann");
    let operators = operators_listener(&served);
    wait_until("readiness", || http::get(&format!("{operators}/health/ready")).status == 200);
    let mut upload = connect_from(&served, "127.0.0.1");
    begin(&mut upload, "PUT /api/v1/crates/new", &format!("Authorization: {token}\r\nExpect: 100-continue\r\n"));
    assert_eq!(status(&mut upload), 100);
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(http::get(&format!("{operators}{path}")).status, 200, "{path}");
    }
    assert_eq!(http::get(&format!("{operators}/index/config.json")).status, 404);
}

/// Every endpoint that reads a body, or to which clients send one.
const CALLS: [&str; 6] = [
    "PUT /api/v1/crates/new",
    "PUT /api/v1/me/tokens",
    "PUT /api/v1/crates/foo/owners",
    "DELETE /api/v1/crates/foo/owners",
    "DELETE /api/v1/crates/foo/1.0.0/yank",
    "PUT /api/v1/crates/foo/1.0.0/unyank",
];

#[test]
fn a_client_without_a_token_is_refused_before_the_body_arrives() {
    let served = Served::start(&[]);
    for (headers, expected) in [("", 401), ("Authorization: sct_unknown\r\n", 403)] {
        for call in CALLS {
            let mut stream = connect_from(&served, "127.0.0.1");
            begin(&mut stream, call, headers);
            assert_eq!(status(&mut stream), expected, "{call}");
        }
    }
}

#[test]
fn a_token_without_the_scope_is_refused_before_the_body_arrives() {
    let served = Served::start(&[]);
    served.token("ann");
    let token = served.run("admin token create", &["--user", "ann", "--scope", "read"]);
    for call in &CALLS[..4] {
        let mut stream = connect_from(&served, "127.0.0.1");
        begin(&mut stream, call, &format!("Authorization: {}\r\n", token.trim()));
        assert_eq!(status(&mut stream), 403, "{call}");
    }
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn a_small_body_that_trickles_is_refused_within_seconds() {
        let served = Served::start(&[]);
        let token = served.token("ann");
        for call in &CALLS[..3] {
            let mut stream = connect_from(&served, "127.0.0.1");
            begin(&mut stream, call, &format!("Authorization: {token}\r\n"));
            let began = Instant::now();
            stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            let mut first = [0; 12];
            // A byte each tenth of a second until there is an answer: far from the end of the body within a minute.
            while let Err(error) = stream.read_exact(&mut first) {
                assert!(
                    error.kind() == std::io::ErrorKind::WouldBlock && began.elapsed() < Duration::from_secs(50),
                    "{call}"
                );
                stream.write_all(b" ").unwrap();
            }
            assert_eq!(&first, b"HTTP/1.1 408", "{call}");
        }
    }
}
