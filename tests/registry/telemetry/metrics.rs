//! Metrics: the same as those of `/metrics`.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric};

use super::collector::{METRICS, exporting, metrics, texts};
use crate::support::event::{wait_for, wait_until};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::recorder::Recorder;

/// What changes from one reading to the next.
const VOLATILE: [&str; 8] = [
    "process_",
    "supercargo_http_",
    "supercargo_otlp_",
    "supercargo_disk_",
    "supercargo_database_",
    "supercargo_jobs_",
    "supercargo_sweep_",
    "supercargo_job_",
];

/// The samples of the text format.
fn samples(metric: &Metric) -> Vec<(String, f64)> {
    let sample = |suffix: &str, attributes: &[KeyValue], bound: Option<String>| {
        let labels = texts(attributes).into_iter().chain(bound.map(|bound| ("le".to_owned(), bound)));
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        format!("{}{suffix}{{{}}}", metric.name, labels.join(","))
    };
    match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => {
            assert!(sum.is_monotonic && sum.aggregation_temporality() == AggregationTemporality::Cumulative);
            let numbers = sum.data_points.iter();
            numbers.map(|point| (sample("", &point.attributes, None), number(point.value))).collect()
        }
        Data::Gauge(gauge) => {
            let numbers = gauge.data_points.iter();
            numbers.map(|point| (sample("", &point.attributes, None), number(point.value))).collect()
        }
        Data::Histogram(histogram) => {
            let mut samples = Vec::new();
            for point in &histogram.data_points {
                let mut count = 0;
                let bounds = point.explicit_bounds.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
                for (bound, of_bucket) in bounds.zip(&point.bucket_counts) {
                    count += of_bucket;
                    samples.push((sample("_bucket", &point.attributes, Some(bound)), count as f64));
                }
                assert_eq!(count, point.count);
                samples.push((sample("_count", &point.attributes, None), point.count as f64));
                samples.push((sample("_sum", &point.attributes, None), point.sum.unwrap()));
            }
            samples
        }
        other => panic!("{other:?}"),
    }
}

fn number(value: Option<Value>) -> f64 {
    match value {
        Some(Value::AsDouble(number)) => number,
        Some(Value::AsInt(number)) => number as f64,
        None => f64::NAN,
    }
}

/// The samples of a text, with sorted labels.
fn samples_of_text(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
            let labels = labels.strip_suffix('}').unwrap();
            let mut labels: Vec<&str> = labels.split("\",").filter(|label| !label.is_empty()).collect();
            // The bound comes last.
            labels.sort_by_key(|label| (label.starts_with("le="), *label));
            let labels: Vec<String> = labels.iter().map(|label| format!("{}\"", label.trim_end_matches('"'))).collect();
            (format!("{name}{{{}}}", labels.join(",")), value.parse().unwrap())
        })
        .collect()
}

#[test]
fn exported_metrics_are_those_of_the_text() {
    let collector = Recorder::start();
    let served = exporting(&collector.url, &[], &[("OTEL_METRIC_EXPORT_INTERVAL", "100")]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    http::publish(&served.url, &token, &Package::new("nul", "1.0.0"));
    http::get(&format!("{}/api/v1/crates/foo/1.0.0/download", served.url)).good();
    served.wait_until_described();
    let is_steady = |name: &str| !VOLATILE.iter().any(|start| name.starts_with(start));
    let (text, exported, resource) = wait_for("the same values", || {
        let text = http::get(&format!("{}/metrics", served.url)).good().text();
        let (exported, resource) = metrics(&collector)?;
        let all: BTreeMap<String, f64> = exported.iter().flat_map(samples).collect();
        let steady = |samples: &BTreeMap<String, f64>| {
            let steady = samples.iter().filter(|(name, _)| is_steady(name));
            steady.map(|(name, value)| (name.clone(), value.to_bits())).collect::<BTreeMap<_, _>>()
        };
        let is_counted = |sample: &str| text.lines().any(|line| line == format!("{sample} 1"));
        let all_counted =
            ["supercargo_publish_seconds_count", "supercargo_downloads_total"].into_iter().all(is_counted);
        (all_counted && steady(&samples_of_text(&text)) == steady(&all)).then_some((text, exported, resource))
    });
    let of_text = samples_of_text(&text);
    let count = of_text.keys().filter(|name| is_steady(name)).count();
    assert!(count > 30, "{count}");
    // Those that change have the same names, kinds and texts.
    let kinds: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    for metric in &exported {
        let kind = match metric.data.as_ref().unwrap() {
            Data::Sum(_) => "counter",
            Data::Gauge(_) => "gauge",
            _ => "histogram",
        };
        assert_eq!(kinds.get(metric.name.as_str()), Some(&kind), "{}", metric.name);
        assert!(!metric.description.is_empty(), "{}", metric.name);
    }
    let unit = |name: &str| exported.iter().find(|metric| metric.name == name).unwrap().unit.clone();
    assert_eq!(unit("supercargo_publish_seconds"), "s");
    assert_eq!(unit("supercargo_download_bytes_total"), "By");
    assert_eq!(unit("supercargo_publishes_total"), "");
    assert_eq!(resource["service.name"], "supercargo");
}

#[test]
fn a_worker_exports_metrics_without_listening() {
    let collector = Recorder::start();
    let mut served = Served::start(&["--no-worker"]);
    let worker = served.start_worker_with(&["--otlp-endpoint", &collector.url]);
    http::publish(&served.url, &served.token("ann"), &Package::new("foo", "1.0.0")).good();
    served.stop();
    // The last values are sent at the end.
    let (exported, resource) = metrics(&collector).unwrap();
    assert_eq!(resource["process.pid"], worker.to_string());
    let ended = exported.iter().find(|metric| metric.name == "supercargo_job_attempts_total").unwrap();
    let done = samples(ended).into_iter().find(|(name, _)| name.contains("\"publish_version\"")).unwrap();
    assert!(done.0.contains("outcome=\"done\"") && (done.1 - 1.0).abs() < f64::EPSILON, "{done:?}");
}

#[test]
fn metrics_alone_can_be_exported() {
    let collector = Recorder::start();
    let mut served = exporting(&collector.url, &[], &[("OTEL_TRACES_EXPORTER", "none")]);
    http::publish(&served.url, &served.token("ann"), &Package::new("foo", "1.0.0")).good();
    served.stop();
    wait_until("metrics", || metrics(&collector).is_some());
    assert!(collector.all().iter().all(|sent| sent.path == METRICS));
}
