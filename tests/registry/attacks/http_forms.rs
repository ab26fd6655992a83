//! Malformed and oversized HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::event::wait_until;
use crate::support::process::Served;
use crate::support::tls::{Authority, BOTH};

pub fn connect(served: &Served) -> TcpStream {
    let stream = TcpStream::connect(served.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// The status of the next answer.
pub fn status(stream: &mut impl Read) -> u16 {
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    std::str::from_utf8(&first).unwrap()["HTTP/1.1 ".len()..].parse().unwrap()
}

/// All that comes until the server closes the connection.
pub fn answer(stream: &mut impl Read) -> String {
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        // It was closed before everything that was sent was read.
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn send(served: &Served, request: &str) -> String {
    let mut stream = connect(served);
    stream.write_all(request.as_bytes()).unwrap();
    answer(&mut stream)
}

#[test]
fn a_request_that_two_programs_could_take_for_different_ones_is_refused() {
    let served = Served::start(&[]);
    let get = |version: &str, headers: &str| {
        send(&served, &format!("GET /index/config.json HTTP/{version}\r\n{headers}Connection: close\r\n\r\n"))
    };
    for (version, headers, expected) in [
        ("1.1", "Host: x\r\n", 200),
        ("1.0", "", 200),
        ("1.1", "", 400),
        ("1.1", "Host: x\r\nHost: x\r\n", 400),
        ("1.1", "Host: x\r\nHost: y\r\n", 400),
        ("1.0", "Host: x\r\nHost: y\r\n", 400),
        ("1.1", "Host: x\r\nAuthorization: a\r\nAuthorization: b\r\n", 400),
        ("1.1", "Host: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n", 400),
        ("1.1", "Host: x\r\nTransfer-Encoding: gzip\r\n", 400),
    ] {
        let answer = get(version, headers);
        assert!(answer.contains(&format!(" {expected} ")), "{version} {headers:?}: {answer}");
    }
}

/// By the length the body would end within the second request, by its encoding before it.
#[test]
fn behind_a_request_with_two_lengths_nothing_is_read_as_another_request() {
    let served = Served::start(&[]);
    for lengths in [
        "Content-Length: 60\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 60",
        "Transfer-Encoding: chunked",
    ] {
        let answer = send(
            &served,
            &format!(
                "GET /health/live HTTP/1.1\r\nHost: x\r\n{lengths}\r\n\r\n0\r\n\r\nGET /api/v1/summary HTTP/1.1\r\nHost: x\r\n\r\n"
            ),
        );
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{lengths}: {answer}");
        assert!(answer.contains("connection: close\r\n"), "{lengths}: {answer}");
    }
}

#[test]
fn heads_and_urls_have_limits_and_no_error_repeats_more_than_a_hundred_characters() {
    let served = Served::start(&[]);
    let long = "x".repeat(15_000);
    for path in [
        format!("/{long}"),
        format!("/index/{long}"),
        format!("/git/index/{long}"),
        format!("/api/v1/crates/{long}"),
        format!("/api/v1/crates/foo/{long}"),
        format!("/api/v1/crates/foo/{long}/download"),
        format!("/api/v1/keywords/{long}"),
        format!("/api/v1/categories/{long}"),
        format!("/api/v1/users/{long}"),
        format!("/api/v1/crates?sort={long}"),
        format!("/api/v1/crates?per_page={long}"),
        format!("/api/v1/audit?since={long}"),
    ] {
        let answer = send(&served, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 4") && answer.len() < 1_000, "{}: {answer}", &path[..40]);
    }
    let answer =
        send(&served, &format!("BREW{} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "E".repeat(9_000)));
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.len() < 1_000, "{answer}");
    let answer =
        send(&served, &format!("GET /{}%1b[31m HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "y".repeat(60_000)));
    assert!(answer.starts_with("HTTP/1.1 414 ") && answer.len() < 1_000, "{answer}");
    let mut stream = connect(&served);
    write!(stream, "GET / HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(50_000)).unwrap();
    // More than the server keeps of a head that has no end.
    let _ = stream.write_all(&[b'x'; 30_000]);
    assert_eq!(status(&mut stream), 431);
}

#[test]
fn every_answer_has_the_headers_of_all_also_those_of_metrics() {
    let served = Served::start(&[]);
    for (path, expected) in [("/metrics", 200), ("/health/live", 200), ("/index/config.json", 200), ("/nowhere", 404)] {
        let answer = send(&served, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{answer}");
        for header in ["x-content-type-options: nosniff\r\n", "cache-control: no-", "x-request-id: "] {
            assert!(answer.contains(header), "{path}: {header}: {answer}");
        }
        assert!(!answer.contains("strict-transport-security"), "{path}: {answer}");
    }
}

#[test]
fn browsers_that_came_by_https_come_by_nothing_else() {
    let authority = Authority::new();
    let arguments = authority.arguments();
    let served = Served::start(&arguments.each_ref().map(String::as_str));
    let mut client = authority.connect(&served.address(), &["http/1.1"], BOTH);
    let answer = client.get("/");
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");
    // Plain HTTP may not say so.
    let refused = send(&served, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 400 ") && !refused.contains("strict-transport-security"), "{refused}");
}

#[test]
fn behind_a_proxy_that_speaks_https_answers_say_so_too() {
    let served = Served::start(&["--public-url", "https://crates.example"]);
    let answer = send(&served, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");
}

/// A line for each would fill the disk.
#[test]
fn what_many_clients_do_wrong_is_one_line_of_the_log() {
    let served = Served::start_with_log("info", &["--max-connections-per-address", "2"]);
    // It is written a moment after the URL.
    wait_until("the line of the start", || served.log().contains(" serving "));
    let before = served.log().lines().count();
    let held: Vec<_> = (0..200).map(|_| connect(&served)).collect();
    wait_until("the line", || served.log().contains("closed connections of a client that has too many"));
    send(&served, "GET /index/config.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(served.log().lines().count(), before + 1, "{}", served.log());
    drop(held);
}
