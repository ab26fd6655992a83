//! The metrics: that they are documented, and count each event once.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::tls::Authority;

fn metrics(url: &str) -> String {
    http::get(&format!("{url}/metrics")).good().text()
}

/// The value of the sample with this name and labels; 0 if there is none yet.
fn value(text: &str, sample: &str) -> f64 {
    let values = text.lines().filter_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse::<f64>().ok());
    let values: Vec<_> = values.collect();
    assert!(values.len() <= 1, "{sample} in\n{text}");
    values.first().copied().unwrap_or(0.0)
}

/// Waits until the sample has this value; an answer of `/metrics` is reused for a second.
fn expect(url: &str, sample: &str, expected: f64) {
    wait_until(sample, || {
        let found = value(&metrics(url), sample);
        assert!(found <= expected, "{sample} is {found}, above {expected}");
        (found - expected).abs() < f64::EPSILON
    });
}

fn requests(route: &str, method: &str, status: &str) -> String {
    format!("supercargo_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}")
}

fn series(text: &str, name: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// Sends bytes and reads the answer to its end.
fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn every_metric_is_documented_and_every_documented_metric_exists() {
    let authority = Authority::new();
    let arguments = authority.arguments();
    let arguments: Vec<_> = arguments
        .iter()
        .map(String::as_str)
        .chain(["--metrics-listen", "127.0.0.1:0", "--upstream", "crates-io"])
        .collect();
    let served = Served::start_with_log("info", &arguments);
    let log = served.log();
    let url = log.split("metrics are at ").nth(1).unwrap().split("/metrics").next().unwrap();
    let text = metrics(url);
    let found: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();

    let page = include_str!("../../docs/monitoring.md");
    let mut documented = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with("| `supercargo_") || line.starts_with("| `process_")) {
        let names = row.split('|').nth(1).unwrap();
        let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
        for name in &names {
            // `_x` continues the first name: its last words are replaced by as many.
            if name.starts_with('_') {
                let words = names[0].split('_').count();
                let given = name.matches('_').count();
                let is_known = |kept: &usize| {
                    let head: Vec<_> = names[0].split('_').take(*kept).collect();
                    found.contains(format!("{}{name}", head.join("_")).as_str())
                };
                let kept = (1..=words).rev().find(is_known).unwrap_or(words - given.min(words));
                let head: Vec<_> = names[0].split('_').take(kept).collect();
                documented.insert(format!("{}{name}", head.join("_")));
            } else {
                documented.insert((*name).to_owned());
            }
        }
    }
    let undocumented: Vec<_> = found.iter().filter(|name| !documented.contains(**name)).collect();
    assert!(undocumented.is_empty(), "not in docs/monitoring.md: {undocumented:?}");
    // These appear with the first event, or with a remote or a verification.
    let later = [
        "supercargo_http_request_seconds",
        "supercargo_http_requests_total",
        "supercargo_publish_seconds",
        "supercargo_publish_refusals_total",
        "supercargo_docs_upload_refusals_total",
        "supercargo_job_",
        "supercargo_hung_workers",
        "supercargo_sweep_",
        "supercargo_index_remote_",
        "supercargo_index_export_",
        "supercargo_verify_",
        "supercargo_downloads_",
        "supercargo_advisories",
        "supercargo_otlp_",
    ];
    let missing: Vec<_> = documented
        .iter()
        .filter(|name| !found.contains(name.as_str()) && !later.iter().any(|start| name.starts_with(start)))
        .collect();
    assert!(missing.is_empty(), "documented, but not in\n{text}\n: {missing:?}");

    let expires = value(&text, "supercargo_certificate_expiry_timestamp_seconds");
    assert!(expires > 1e9, "{expires}");
    assert!(value(&text, "supercargo_disk_size_bytes{directory=\"data\"}") > 1e6);
    assert!(value(&text, "process_resident_memory_bytes") > 1e6);
    let version = format!("supercargo_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert!((value(&text, &version) - 1.0).abs() < f64::EPSILON);
    assert!(value(&text, "supercargo_http_connections{listener=\"metrics\"}") >= 1.0);
}

#[test]
fn a_request_is_counted_once_by_the_pattern_of_its_route() {
    let served = Served::start(&[]);
    let url = &served.url;
    for name in ["foo", "bar", "baz"] {
        assert_eq!(http::get(&format!("{url}/api/v1/crates/{name}")).status, 404);
    }
    expect(url, &requests("/api/v1/crates/{crate}", "GET", "404"), 3.0);
    let seconds = "supercargo_http_request_seconds_count{route=\"/api/v1/crates/{crate}\",method=\"GET\"}";
    expect(url, seconds, 3.0);
    // The request for the metrics itself.
    expect(url, "supercargo_http_requests_in_progress", 1.0);

    // Whatever clients send, there are no new labels.
    let before = series(&metrics(url), "supercargo_http_request");
    let address = served.address();
    for attempt in 0..20 {
        exchange(
            &address,
            &format!("GET /{attempt}/x?{attempt} HTTP/1.1\r\nhost: h{attempt}\r\nconnection: close\r\n\r\n"),
        );
        exchange(&address, &format!("M{attempt} / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
    }
    expect(url, &requests("unmatched", "GET", "404"), 20.0);
    expect(url, &requests("/", "other", "405"), 20.0);
    let after = series(&metrics(url), "supercargo_http_request");
    let new: Vec<_> =
        after.difference(&before).filter(|one| !one.contains("le=\"") && !one.contains("/metrics")).collect();
    // The counter, and sum and count of the time, of each of the two.
    assert_eq!(new.len(), 6, "{new:?}");
}

#[test]
fn publishes_are_counted_by_outcome_and_reason() {
    let served = Served::start(&["--rate-limit", "publish-new=2/1h"]);
    let (url, token) = (&served.url, served.token("ann"));
    let package = Package::new("foo", "1.0.0");
    http::publish(url, &token, &package).good();
    let refused = |token: &str, package: &Package| assert_ne!(http::publish(url, token, package).status, 200);
    refused(&token, &package);
    refused("sct_unknown", &package);
    refused(&token, &Package::new("nul", "1.0.0"));
    assert_eq!(http::put_bytes_as(&format!("{url}/api/v1/crates/new"), &token, b"\x02\0\0\0{}").status, 400);
    http::publish(url, &token, &Package::new("bar", "1.0.0")).good();
    refused(&token, &Package::new("baz", "1.0.0"));
    // A client that goes away within the body.
    let mut stream = TcpStream::connect(served.address()).unwrap();
    let head =
        format!("PUT /api/v1/crates/new HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\ncontent-length: 99\r\n\r\n1");
    stream.write_all(head.as_bytes()).unwrap();
    expect(url, "supercargo_http_requests_in_progress", 2.0);
    drop(stream);

    let reason = |reason: &str| format!("supercargo_publish_refusals_total{{reason=\"{reason}\"}}");
    for (reason, count) in [
        (reason("duplicate"), 1.0),
        (reason("unknown_token"), 1.0),
        (reason("name"), 1.0),
        (reason("framing"), 1.0),
        (reason("rate_limit"), 1.0),
        (reason("aborted"), 1.0),
        ("supercargo_http_denied_total{reason=\"unknown_token\"}".to_owned(), 1.0),
        ("supercargo_publishes_total".to_owned(), 2.0),
        ("supercargo_publishes_queued_total".to_owned(), 0.0),
        ("supercargo_publish_seconds_count".to_owned(), 2.0),
    ] {
        expect(url, &reason, count);
    }
    let text = metrics(url);
    assert!(value(&text, "supercargo_publish_bytes_total") > 100.0, "{text}");
    // These and `storage_full`, which is there from the start.
    assert_eq!(series(&text, "supercargo_publish_refusals_total").len(), 7, "{text}");

    let file = http::get(&format!("{url}/api/v1/crates/foo/1.0.0/download")).good().body.len();
    let part = http::get_part(&format!("{url}/api/v1/crates/foo/1.0.0/download"), "bytes=0-9");
    assert_eq!(part.body.len(), 10);
    expect(url, "supercargo_download_bytes_total", (file + 10) as f64);
}

#[test]
fn a_publish_whose_client_does_not_wait_for_the_index_is_counted_as_accepted() {
    let served = Served::start(&["--no-worker", "--publish-wait", "0s"]);
    let url = &served.url;
    http::publish(url, &served.token("ann"), &Package::new("foo", "1.0.0")).good();
    expect(url, "supercargo_publishes_total", 1.0);
    expect(url, "supercargo_publishes_queued_total", 1.0);

    let patient = Served::start(&["--no-worker", "--publish-wait", "1h"]);
    let (url, token) = (&patient.url, patient.token("ann"));
    let body = Package::new("foo", "1.0.0").body();
    let mut stream = TcpStream::connect(patient.address()).unwrap();
    let (path, size) = ("/api/v1/crates/new", body.len());
    let head = format!("PUT {path} HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\ncontent-length: {size}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    expect(url, "supercargo_publishes_total", 1.0);
    drop(stream);
    expect(url, &requests(path, "PUT", "aborted"), 1.0);
    let text = metrics(url);
    assert_eq!(series(&text, "supercargo_publish_refusals_total").len(), 1, "{text}");
    expect(url, "supercargo_publish_refusals_total{reason=\"storage_full\"}", 0.0);
    expect(url, "supercargo_http_requests_in_progress", 1.0);
}
