//! HTTP between client and registry: who asks, how it is sent, and what happens to those who are slow, large or odd.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use nix::sys::signal::Signal;

use crate::support::event::wait_until;
use crate::support::harness::{Answer, TestRegistry};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

fn connect(served: &Served) -> TcpStream {
    TcpStream::connect(served.address()).unwrap()
}

/// Reads until the server closes the connection.
fn rest(mut stream: impl Read) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The head of a publish.
fn publish_head(token: &str, more: &str) -> String {
    format!(
        "PUT /api/v1/crates/new HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nConnection: close\r\n{more}\r\n\r\n"
    )
}

#[test]
fn who_was_connected_when_the_signal_came_is_answered() {
    let mut served = Served::start(&[]);
    let mut streams: Vec<_> = (0..5).map(|_| connect(&served)).collect();
    served.signal(Signal::SIGTERM);
    // It has heard the signal when it takes its address back.
    wait_until("the word to be heard", || !served.data_dir().join("url").exists());
    for stream in &mut streams {
        stream.write_all(b"GET /index/config.json HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    for stream in streams {
        // It ends with the connection, which the server closes behind the answer or a moment later.
        let answer = rest(stream);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    served.wait();
}

#[test]
fn more_clients_than_connections_are_served_one_after_the_other() {
    let served = Served::start(&["--max-connections", "2"]);
    let token = served.token("ann");
    // Connections at work: one that is idle would give way.
    let held: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = connect(&served);
            let more = "Content-Length: 1000\r\nExpect: 100-continue";
            stream.write_all(publish_head(&token, more).as_bytes()).unwrap();
            stream.read_exact(&mut [0; 25]).unwrap();
            stream
        })
        .collect();
    let mut third = connect(&served);
    third.write_all(b"GET /index/config.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    third.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
    assert!(third.read(&mut [0]).is_err(), "it has to wait");
    drop(held);
    third.set_read_timeout(None).unwrap();
    assert!(rest(third).starts_with("HTTP/1.1 200 OK\r\n"));
}

// protocol: 93
#[test]
fn a_length_over_the_limit_is_refused_before_anything_is_sent() {
    let served = Served::start(&["--max-crate-size", "1000"]);
    let token = served.token("ann");
    let mut stream = connect(&served);
    stream.write_all(publish_head(&token, "Content-Length: 20000000").as_bytes()).unwrap();
    // Less than what is sent is waited for.
    stream.set_read_timeout(Some(std::time::Duration::from_secs(15))).unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "HTTP/1.1 413 Payload Too Large");
}

fn from(registry: &TestRegistry, peer: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get("/index/config.json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let peer: std::net::SocketAddr = format!("{peer}:1234").parse().unwrap();
    registry.anonymous().send(request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap())
}

#[test]
fn a_request_has_a_name_which_only_a_trusted_proxy_may_choose() {
    let registry = TestRegistry::with_trusted_proxies(&["10.0.0.0/8"]);
    let id = |answer: Answer| answer.headers["x-request-id"].to_str().unwrap().to_owned();
    let named = [("x-request-id", "f00-1")];
    assert_eq!(id(from(&registry, "10.1.2.3", &named)), "f00-1");
    let made = [
        id(from(&registry, "192.0.2.1", &named)),
        id(from(&registry, "10.1.2.3", &[("x-request-id", "a b")])),
        id(from(&registry, "10.1.2.3", &[])),
        id(registry.anonymous().get("/index/config.json")),
    ];
    for (place, id) in made.iter().enumerate() {
        assert!(id.len() == 16 && !made[..place].contains(id), "{made:?}");
    }
}

#[test]
fn a_line_of_the_log_tells_whose_request_it_is() {
    let served = Served::start_with_log("info", &["--trusted-proxies", "10.0.0.1,127.0.0.0/8"]);
    let token = served.token("ann");
    let body = Package::new("foo", "1.0.0").body();
    let mut stream = connect(&served);
    let more = format!(
        "X-Forwarded-For: 1.1.1.1, 192.0.2.7\r\nX-Request-Id: from-the-proxy\r\nContent-Length: {}",
        body.len()
    );
    stream.write_all(publish_head(&token, &more).as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    let answer = rest(stream);
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("x-request-id: from-the-proxy\r\n"),
        "{answer}"
    );
    let log = served.log();
    let line = log.lines().find(|line| line.contains("accepted a publish")).unwrap_or_else(|| panic!("{log}"));
    for part in ["from-the-proxy", "client=192.0.2.7", "method=PUT", "path=\"/api/v1/crates/new\""] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!log.contains(&token), "{log}");
}

#[test]
fn a_proxy_that_is_not_trusted_is_reported_once() {
    let served = Served::start_with_log("info", &["--trusted-proxies", "10.0.0.1"]);
    for last in 1..4 {
        let mut stream = connect(&served);
        let request = format!("GET /index/config.json HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.{last}\r\n");
        stream.write_all(format!("{request}Connection: close\r\n\r\n").as_bytes()).unwrap();
        assert!(rest(stream).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let log = served.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("X-Forwarded-For")).collect();
    let [line] = lines[..] else { panic!("{log}") };
    let (_, said) = line.split_once("127.0.0.1 sends").unwrap();
    insta::assert_snapshot!(said, @" X-Forwarded-For, which is ignored: if 127.0.0.1 is your reverse proxy, name it in --trusted-proxies; otherwise all of its clients count as one client with its address");
}

// protocol: 14
#[test]
fn what_is_not_there_is_no_line_of_the_log_and_nothing_keeps_the_answer() {
    let served = Served::start_with_log("info", &[]);
    // It is written a moment after the URL.
    wait_until("the line of the start", || served.log().contains(" serving "));
    let before = served.log();
    for path in ["index/no/ns/nonsense", "index/1/x", "api/v1/crates/foo/1.0.0/download", "nowhere", "index/..%2f"] {
        let response = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
        let response = response.get(format!("{}/{path}", served.url)).call().unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["cache-control"]),
            (404, &"no-store".parse().unwrap())
        );
    }
    assert_eq!(served.log(), before);
    http::publish(&served.url, &served.token("ann"), &Package::new("nonsense", "1.0.0")).good();
    assert_eq!(http::index_lines(&served.url, "no/ns/nonsense").len(), 1);
}

#[test]
fn every_answer_forbids_to_guess_what_it_is_and_says_how_long_it_may_be_kept() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    for (path, kept) in [
        ("/", "no-cache"),
        ("/me", "no-cache"),
        ("/index/3/f/foo", "no-cache"),
        ("/index/3/b/bar", "no-store"),
        ("/git/index", "no-store"),
        ("/api/v1/crates/foo/1.0.0", "no-store"),
        ("/api/v1/crates/foo/owners", "no-store"),
        ("/api/v1/crates/foo/1.0.0/download", "public, max-age=31536000, immutable"),
        ("/api/v1/crates/foo/2.0.0/download", "no-store"),
        ("/nowhere", "no-store"),
    ] {
        let answer = ann.get(path);
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["cache-control"], kept, "{path}");
        assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}

/// A proxy in front removes the path of the public URL; everything that is told to clients has it.
// protocol: 3
#[test]
fn behind_a_proxy_with_a_path_every_address_is_the_public_one() {
    let served = Served::start(&["--public-url", "https://host.example/crates"]);
    let local = format!("http://{}", served.address());
    let public = "https://host.example/crates";
    let told = |path: &str| http::get(&format!("{local}{path}")).text();
    let config: serde_json::Value = serde_json::from_str(&told("/index/config.json")).unwrap();
    assert_eq!((&config["api"], &config["dl"]), (&public.into(), &format!("{public}/api/v1/crates").into()));
    for (path, address) in [
        ("/", format!("sparse+{public}/index/")),
        ("/", "href=\"/crates/me\"".to_owned()),
        ("/me", "href=\"/crates/\"".to_owned()),
        ("/index", format!("sparse+{public}/index/")),
        ("/index/", format!("sparse+{public}/index/")),
        ("/index/info/refs?service=git-upload-pack", format!("{public}/git/index")),
        ("/git/index", format!("{public}/git/index")),
        ("/git/index.git/info/refs?service=git-upload-pack", format!("{public}/git/index")),
        ("/git/index/config.json", format!("sparse+{public}/index/")),
        ("/config.json", format!("sparse+{public}/index/")),
        ("/api/v1/crates/index/config.json/x", format!("sparse+{public}/index/")),
        ("/nowhere", format!("{public}/git/index")),
        ("/api/v1/me", format!("{public}/me")),
    ] {
        let text = told(path);
        assert!(text.contains(&address), "{path}: {text}");
        assert!(!text.contains(&local), "{path}: {text}");
    }
}
