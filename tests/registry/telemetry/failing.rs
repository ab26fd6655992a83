//! Collectors that are away, slow or refuse: the registry goes on.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::collector::{exporting, spans, spans_of, wait_for_spans};
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::recorder::{Recorded, Recorder};

/// Longer than the end of the process may wait for the collector, for both signals; far shorter than a request's time limit.
const END: Duration = Duration::from_secs(25);

fn sample(served: &Served, name: &str) -> f64 {
    let text = http::get(&format!("{}/metrics", served.url)).good().text();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0.0)
}

#[test]
fn a_collector_that_never_answers_stops_neither_requests_nor_the_end() {
    // The kernel takes connections, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let variables = [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "4"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
    ];
    let mut served = exporting(&url, &[], &variables);
    let token = served.token("ann");
    for patch in 0..3 {
        http::publish(&served.url, &token, &Package::new("foo", &format!("1.0.{patch}"))).good();
    }
    let dropped = "supercargo_otlp_spans_dropped_total{reason=\"queue_full\"}";
    wait_until(dropped, || sample(&served, dropped) > 0.0);
    let began = Instant::now();
    served.stop();
    assert!(began.elapsed() < END, "{:?}", began.elapsed());
    let log = served.log();
    assert_eq!(log.matches("spans were dropped").count(), 1, "{log}");
    assert!(log.contains("the collector did not accept the last spans in time"), "{log}");
}

#[test]
fn an_absent_collector_is_logged_once_and_again_when_it_is_back() {
    let collector = Recorder::start();
    collector.answer_with(503);
    let served = exporting(&collector.url, &[], &[("OTEL_METRIC_EXPORT_INTERVAL", "50")]);
    wait_until("requests", || collector.all().len() > 5);
    let failed = "supercargo_otlp_requests_total{signal=\"metrics\",outcome=\"failed\"}";
    wait_until(failed, || sample(&served, failed) > 3.0);
    collector.answer_with(200);
    wait_until("the end of the outage", || served.log().contains("the collector accepts telemetry again"));
    let log = served.log();
    assert_eq!(log.matches("the collector does not accept telemetry").count(), 1, "{log}");
    assert!(log.contains("status 503") && log.contains("/v1/metrics"), "{log}");
}

#[test]
fn a_batch_is_sent_again_after_an_outage_and_not_after_a_refusal() {
    let collector = Recorder::start();
    collector.answer_with(503);
    let served = exporting(&collector.url, &[], &[("OTEL_METRICS_EXPORTER", "none")]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let has_job = |sent: &Recorded| spans_of(sent).iter().any(|received| received.span.name == "job publish_version");
    wait_until("an attempt with the job", || collector.all().iter().any(has_job));
    collector.answer_with(200);
    wait_for_spans(&collector, "job publish_version", 1);

    collector.answer_with(400);
    let before = collector.all().len();
    http::get(&format!("{}/api/v1/crates/foo", served.url)).good();
    let dropped = "supercargo_otlp_spans_dropped_total{reason=\"refused\"}";
    wait_until(dropped, || sample(&served, dropped) > 0.0);
    let refused = collector.all().len() - before;
    collector.answer_with(200);
    http::get(&format!("{}/api/v1/crates/foo/versions", served.url)).good();
    wait_for_spans(&collector, "GET /api/v1/crates/{crate}/versions", 1);
    let refusals = collector.all().iter().filter(|sent| sent.answered == 400).count();
    assert!(refused >= 1 && refusals >= refused);
    assert!(!spans(&collector).iter().any(|received| received.span.name == "GET /api/v1/crates/{crate}"));
}

#[test]
fn spans_that_wait_are_sent_at_the_end() {
    let collector = Recorder::start();
    let mut served = exporting(&collector.url, &[], &[("OTEL_BSP_SCHEDULE_DELAY", "3600000")]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    assert!(spans(&collector).is_empty());
    served.stop();
    wait_for_spans(&collector, "job publish_version", 1);
}

#[test]
fn requests_are_compressed_on_demand() {
    let collector = Recorder::start();
    let mut served = exporting(&collector.url, &[], &[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    served.stop();
    wait_for_spans(&collector, "job publish_version", 1);
    assert!(collector.all().iter().all(|sent| sent.header("content-encoding") == "gzip"));
}

#[test]
fn variables_that_cannot_be_used_are_warned_of_and_the_registry_starts() {
    let variables = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:a-secret@x")];
    let mut served = Served::stopped().logging("warn");
    served.set_variables(&variables);
    served.start_again();
    let log = served.log();
    assert!(log.contains("OTEL_EXPORTER_OTLP_ENDPOINT is ignored") && !log.contains("a-secret"), "{log}");
}

#[test]
fn without_the_authorities_of_the_collector_nothing_is_exported_and_the_registry_starts() {
    let collector = Recorder::start();
    let variables = [("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"), ("OTEL_METRIC_EXPORT_INTERVAL", "50")];
    let mut served = exporting(&collector.url, &[], &variables);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    served.stop();
    let log = served.log();
    for signal in ["traces", "metrics"] {
        let warning = format!("{signal} are not exported: OTEL_EXPORTER_OTLP_CERTIFICATE: cannot read /nowhere/ca.pem");
        assert!(log.contains(&warning), "{log}");
    }
    assert!(collector.all().is_empty());
}

/// A thread that did not block them would end the process with the first signal, without a shutdown.
#[test]
fn no_thread_of_an_export_gets_the_signals_of_the_process() {
    let collector = Recorder::start();
    let served = Served::start(&["--otlp-endpoint", &collector.url, "--sentry-dsn", "http://key@127.0.0.1:9/1"]);
    let mut threads = 0;
    for task in std::fs::read_dir(format!("/proc/{}/task", served.process_id())).unwrap() {
        let task = task.unwrap();
        // The first thread waits for them.
        if task.file_name() == *served.process_id().to_string() {
            continue;
        }
        let status = std::fs::read_to_string(task.path().join("status")).unwrap();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        let blocked = u64::from_str_radix(&field("SigBlk:"), 16).unwrap();
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            assert_ne!(blocked & 1 << (signal as u64 - 1), 0, "{} does not block {signal}", field("Name:"));
        }
        threads += 1;
    }
    assert!(threads > 3, "{threads}");
}
