//! Traces: one from the request to the index.

use diesel::{PgConnection, RunQueryDsl, sql_query};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::collector::{Received, exporting, only, spans, wait_for_spans};
use crate::support::cargo::Cargo;
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::recorder::Recorder;

const PUBLISH: &str = "PUT /api/v1/crates/new";
const JOB: &str = "job publish_version";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn of_trace(spans: &[Received], trace: &str) -> Vec<Received> {
    spans.iter().filter(|received| received.trace() == trace).cloned().collect()
}

fn times(received: &Received) -> (u64, u64) {
    (received.span.start_time_unix_nano, received.span.end_time_unix_nano)
}

#[test]
fn a_publish_of_cargo_is_one_trace_up_to_the_index() {
    let collector = Recorder::start();
    let variables = [
        ("OTEL_SERVICE_NAME", "crates"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=some%20key"),
    ];
    let served = exporting(&collector.url, &["--log-format", "json"], &variables);
    let cargo = Cargo::new(&format!("sparse+{}/index/", served.url), &served.token("ann"));
    cargo.library("foo", "1.0.0", "", "");
    cargo.publish("foo");

    let all = wait_for_spans(&collector, JOB, 1);
    let request = only(&all, PUBLISH).clone();
    let trace = of_trace(&all, &request.trace());
    assert!(request.span.parent_span_id.is_empty() && request.kind() == SpanKind::Server && !request.has_failed());
    let attributes = ["http.request.method", "http.route", "http.response.status_code"];
    let found = attributes.map(|name| request.attribute(name).unwrap());
    assert_eq!(found, ["PUT", "/api/v1/crates/new", "200"]);
    for step in ["receive package", "examine package", "store crate file", "accept version", "wait for index"] {
        assert!(only(&trace, step).is_child_of(&request), "{step}");
        assert_eq!(only(&trace, step).kind(), SpanKind::Internal);
    }
    let job = only(&trace, JOB);
    assert!(job.is_child_of(only(&trace, "accept version")) && job.kind() == SpanKind::Consumer && !job.has_failed());
    assert_eq!(job.attribute("supercargo.request.id"), request.attribute("supercargo.request.id"));
    for step in ["write index", "note effective state", "commit jobs"] {
        assert!(only(&trace, step).is_child_of(job), "{step}");
        let ((began, ended), (job_began, job_ended)) = (times(only(&trace, step)), times(job));
        assert!(job_began <= began && began <= ended && ended <= job_ended, "{step}");
    }
    for received in &trace {
        let resource = |name: &str| received.resource.get(name).map(String::as_str);
        assert_eq!(resource("service.name"), Some("crates"));
        assert_eq!(resource("deployment.environment.name"), Some("test"));
        assert_eq!(resource("service.version"), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(resource("process.pid"), Some(served.process_id().to_string().as_str()));
        assert_eq!(resource("service.instance.id").unwrap().len(), 32);
    }
    assert!(collector.all().iter().all(|sent| sent.header("x-key") == "some key"));
    // The log leads to the trace.
    let log = served.log();
    let line = log.lines().find(|line| line.contains("accepted a publish")).unwrap();
    assert!(line.contains(&format!("\"trace_id\":\"{}\"", request.trace())), "{line}");
}

#[test]
fn a_trace_goes_through_the_worker_of_another_process() {
    let collector = Recorder::start();
    let mut served = exporting(&collector.url, &["--no-worker"], &[]);
    served.start_worker_with(&["--otlp-endpoint", &collector.url]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    served.stop();
    let all = spans(&collector);
    let (request, job) = (only(&all, PUBLISH), only(&all, JOB));
    assert_eq!(request.trace(), job.trace());
    assert_ne!(request.resource["process.pid"], job.resource["process.pid"]);
    assert_ne!(request.resource["service.instance.id"], job.resource["service.instance.id"]);
}

#[test]
fn a_batch_has_a_span_in_the_trace_of_each_request() {
    let collector = Recorder::start();
    let mut served = exporting(&collector.url, &["--no-worker", "--publish-wait", "0s"], &[]);
    let token = served.token("ann");
    for name in ["foo", "bar", "baz"] {
        http::publish(&served.url, &token, &Package::new(name, "1.0.0")).good();
    }
    served.start_worker_with(&["--otlp-endpoint", &collector.url]);
    wait_until("the index", || !http::index_lines(&served.url, "3/b/baz").is_empty());
    served.stop();
    let all = spans(&collector);
    let requests: Vec<_> = all.iter().filter(|received| received.span.name == PUBLISH).collect();
    assert_eq!(requests.len(), 3);
    for request in requests {
        let trace = of_trace(&all, &request.trace());
        let job = only(&trace, JOB);
        assert_eq!(job.attribute("supercargo.job.batch_size").as_deref(), Some("3"));
        assert_eq!(job.attribute("supercargo.request.id"), request.attribute("supercargo.request.id"));
        assert!(only(&trace, "write index").is_child_of(job));
    }
}

#[test]
fn a_trace_of_the_sender_is_continued_and_a_trusted_proxy_decides_whether_it_is_recorded() {
    let collector = Recorder::start();
    let never = [("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    let arguments = ["--trusted-proxies", "127.0.0.1"];
    let mut served = exporting(&collector.url, &arguments, &never);
    let token = served.token("ann");
    let publish = |url: &str, version: &str, flags: &str| {
        let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-{flags}");
        let package = Package::new("foo", version);
        http::publish_with(url, &token, &package, &[("traceparent", &traceparent)]).good();
    };
    publish(&served.url, "1.0.0", "01");
    publish(&served.url, "1.0.1", "00");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.2")).good();
    let malformed = [("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")];
    http::publish_with(&served.url, &token, &Package::new("foo", "1.0.3"), &malformed).good();
    served.stop();
    let all = spans(&collector);
    assert!(all.iter().all(|received| received.trace() == TRACE), "{all:#?}");
    assert_eq!(only(&all, PUBLISH).span.parent_span_id, [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
    assert_eq!(only(&all, JOB).trace(), TRACE);

    // Of another client the trace is taken, and not the decision.
    served.set_arguments(&["--otlp-endpoint", &collector.url]);
    served.start_again();
    publish(&served.url, "1.1.0", "01");
    served.stop();
    assert_eq!(spans(&collector).len(), all.len());
    served.set_variables(&[("OTEL_TRACES_SAMPLER", "parentbased_always_on")]);
    served.start_again();
    publish(&served.url, "1.2.0", "00");
    served.stop();
    let requests: Vec<_> = spans(&collector).into_iter().filter(|received| received.span.name == PUBLISH).collect();
    assert_eq!(requests.iter().map(Received::trace).collect::<Vec<_>>(), [TRACE; 2]);
}

#[test]
fn what_memory_answers_and_health_checks_have_no_spans() {
    let collector = Recorder::start();
    let mut served = exporting(&collector.url, &[], &[]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let before = http::get(&format!("{}/index/3/f/foo", served.url)).good();
    assert!(before.headers.contains_key("etag"));
    for _ in 0..3 {
        http::get(&format!("{}/index/3/f/foo", served.url)).good();
        http::get(&format!("{}/api/v1/crates/foo/1.0.0/download", served.url)).good();
    }
    http::get(&format!("{}/health/ready", served.url)).good();
    http::get(&format!("{}/metrics", served.url)).good();
    http::get(&format!("{}/api/v1/crates/foo", served.url)).good();
    served.stop();
    let all = spans(&collector);
    only(&all, "GET /api/v1/crates/{crate}");
    let names: Vec<_> = all.iter().map(|received| received.span.name.as_str()).collect();
    assert!(!names.iter().any(|name| name.contains("health") || name.contains("metrics")), "{names:?}");
    let reads = names.iter().filter(|name| name.contains("download") || name.contains("/index/")).count();
    // The first of each may have missed the memory.
    assert!(reads <= 2, "{names:?}");
}

#[test]
fn spans_and_logs_have_no_secrets() {
    let collector = Recorder::start();
    let variables = [("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a-secret-key")];
    let mut served = exporting(&collector.url, &[], &variables);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let link = "/api/v1/me/crate_owner_invitations/accept/a-secret-link?key=a-secret-query";
    http::put_as(&format!("{}{link}", served.url), &token);
    http::get_with(&format!("{}/api/v1/me", served.url), &[("cookie", "session=a-secret-cookie")]);
    served.stop();
    assert!(spans(&collector).len() > 5);
    for sent in collector.all() {
        let body = String::from_utf8_lossy(&sent.body).into_owned();
        for secret in [token.as_str(), "a-secret", "ann", "127.0.0.1:"] {
            assert!(!body.contains(secret), "{secret} in {body}");
        }
    }
    assert!(!served.log().contains("a-secret-key"));
}

#[test]
fn a_failure_is_the_status_of_its_span() {
    let collector = Recorder::start();
    let fail_point = [("SUPERCARGO_FAIL_POINTS", "job.head_read=error")];
    let mut served = exporting(&collector.url, &["--publish-wait", "0s"], &fail_point);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    assert_eq!(http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).status, 409);
    wait_until("the index", || !http::index_lines(&served.url, "3/f/foo").is_empty());
    served.stop();
    let all = spans(&collector);
    let [first, second] = all.iter().filter(|one| one.span.name == JOB).collect::<Vec<_>>()[..] else {
        panic!("{all:#?}")
    };
    assert!(first.has_failed() && !second.has_failed());
    assert_eq!(first.attribute("error.type").as_deref(), Some("failed"));
    assert_eq!(first.span.parent_span_id, second.span.parent_span_id);
    // A refusal is the client's mistake.
    assert!(!all.iter().any(|one| one.span.name == PUBLISH && one.has_failed()));
}

#[test]
fn nothing_is_recorded_without_a_collector() {
    let mut served = Served::start_with_log("info", &["--no-worker", "--publish-wait", "0s"]);
    let token = served.token("ann");
    let headers = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    http::publish_with(&served.url, &token, &Package::new("foo", "1.0.0"), &headers).good();
    served.stop();
    assert!(!served.log().contains("trace_id"), "{}", served.log());
    let mut connection = served.database.connect();
    let noted = |condition: &str, connection: &mut PgConnection| {
        sql_query(format!("SELECT id FROM jobs WHERE traceparent IS {condition}")).execute(connection).unwrap()
    };
    assert_eq!((noted("NULL", &mut connection), noted("NOT NULL", &mut connection)), (1, 0));
}
