//! The samples of `/metrics` as messages of OTLP.
//!
//! Names stay as they are, so that queries and alerts are the same for both ways. The data model is that of
//! <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>.

use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, metric,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::attributes::{encoded, scope};
use super::exposition::{Family, Sample, families};
use super::spans::nanoseconds;

/// The label of a bucket's upper bound.
const BOUND: &str = "le";

/// The request that exports a text of `/metrics`.
pub(super) fn request(
    text: &str,
    resource: &Resource,
    started_at: SystemTime,
    now: SystemTime,
) -> ExportMetricsServiceRequest {
    let times = Times { started_at: nanoseconds(started_at), now: nanoseconds(now) };
    let metrics = families(text).iter().filter_map(|family| times.metric(family)).collect();
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope()), metrics, ..ScopeMetrics::default() }];
    let of_process = ResourceMetrics { resource: Some(resource.clone()), scope_metrics, ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![of_process] }
}

/// When counting began, and when the values were read.
struct Times {
    started_at: u64,
    now: u64,
}

impl Times {
    fn metric(&self, family: &Family<'_>) -> Option<Metric> {
        let cumulative = AggregationTemporality::Cumulative.into();
        let data = match family.kind {
            "counter" => metric::Data::Sum(Sum {
                data_points: family.samples.iter().map(|sample| self.number(sample)).collect(),
                aggregation_temporality: cumulative,
                is_monotonic: true,
            }),
            "gauge" => metric::Data::Gauge(Gauge {
                data_points: family.samples.iter().map(|sample| self.number(sample)).collect(),
            }),
            "histogram" => metric::Data::Histogram(Histogram {
                data_points: self.histograms(&family.samples),
                aggregation_temporality: cumulative,
            }),
            _ => return None,
        };
        Some(Metric {
            name: family.name.to_owned(),
            description: family.help.to_owned(),
            unit: unit(family.name).to_owned(),
            data: Some(data),
            ..Metric::default()
        })
    }

    /// A value that is unknown is not a number in a text, and no value here.
    fn number(&self, sample: &Sample<'_>) -> NumberDataPoint {
        let is_known = !sample.value.is_nan();
        let flag = if is_known { DataPointFlags::DoNotUse } else { DataPointFlags::NoRecordedValueMask };
        NumberDataPoint {
            attributes: attributes(&sample.labels),
            start_time_unix_nano: self.started_at,
            time_unix_nano: self.now,
            flags: flag as u32,
            value: is_known.then_some(Value::AsDouble(sample.value)),
            ..NumberDataPoint::default()
        }
    }

    /// The lines of a text are cumulative over the bounds, and those of one histogram follow each other.
    fn histograms(&self, samples: &[Sample<'_>]) -> Vec<HistogramDataPoint> {
        let mut points: Vec<(Vec<(&str, String)>, HistogramDataPoint)> = Vec::new();
        let mut below = 0;
        for sample in samples {
            let labels: Vec<_> = sample.labels.iter().filter(|(name, _)| *name != BOUND).cloned().collect();
            if points.last().is_none_or(|(known, _)| *known != labels) {
                let point = HistogramDataPoint {
                    attributes: attributes(&labels),
                    start_time_unix_nano: self.started_at,
                    time_unix_nano: self.now,
                    ..HistogramDataPoint::default()
                };
                points.push((labels, point));
                below = 0;
            }
            let Some((_, point)) = points.last_mut() else { continue };
            match sample.suffix {
                "_bucket" => {
                    let bound = sample.labels.iter().find(|(name, _)| *name == BOUND);
                    if let Some(Ok(bound)) = bound.map(|(_, bound)| bound.parse::<f64>())
                        && bound.is_finite()
                    {
                        point.explicit_bounds.push(bound);
                    }
                    let cumulative = count(sample.value);
                    point.bucket_counts.push(cumulative.saturating_sub(below));
                    below = cumulative;
                }
                "_sum" => point.sum = Some(sample.value),
                "_count" => point.count = count(sample.value),
                _ => {}
            }
        }
        points.into_iter().map(|(_, point)| point).collect()
    }
}

fn attributes(labels: &[(&str, String)]) -> Vec<opentelemetry_proto::tonic::common::v1::KeyValue> {
    encoded(labels.iter().map(|(name, value)| KeyValue::new((*name).to_owned(), value.clone())))
}

/// The unit in the form of UCUM, which the name of a metric says.
fn unit(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    if name.ends_with("_seconds") {
        "s"
    } else if name.ends_with("_bytes") {
        "By"
    } else {
        ""
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are whole numbers from 0 to 2^52")]
fn count(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE a_bytes_total counter\na_bytes_total{x=\"1\"} 3\n# TYPE b gauge\nb NaN\nb{k=\"v\"} 0.5\n\
                        # TYPE c_seconds histogram\nc_seconds_bucket{q=\"1\",le=\"0.5\"} 1\nc_seconds_bucket{q=\"1\",le=\"2\"} 3\n\
                        c_seconds_bucket{q=\"1\",le=\"+Inf\"} 4\nc_seconds_sum{q=\"1\"} 9.5\nc_seconds_count{q=\"1\"} 4\n\
                        c_seconds_bucket{q=\"2\",le=\"0.5\"} 0\nc_seconds_bucket{q=\"2\",le=\"+Inf\"} 1\n";

    #[test]
    fn samples_keep_names_values_and_buckets() {
        let now = SystemTime::now();
        let request = request(TEXT, &Resource::default(), now, now);
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        let units: Vec<_> = metrics.iter().map(|metric| (metric.name.as_str(), metric.unit.as_str())).collect();
        assert_eq!(units, [("a_bytes_total", "By"), ("b", ""), ("c_seconds", "s")]);
        let [Some(metric::Data::Sum(sum)), Some(metric::Data::Gauge(gauge)), Some(metric::Data::Histogram(histogram))] =
            [&metrics[0].data, &metrics[1].data, &metrics[2].data]
        else {
            panic!("{metrics:?}")
        };
        assert!(sum.is_monotonic && sum.data_points[0].value == Some(Value::AsDouble(3.0)));
        assert_eq!((gauge.data_points[0].value, gauge.data_points[0].flags), (None, 1));
        assert_eq!((gauge.data_points[1].value, gauge.data_points[1].flags), (Some(Value::AsDouble(0.5)), 0));
        let [first, second] = &histogram.data_points[..] else { panic!("{histogram:?}") };
        assert_eq!((&first.explicit_bounds[..], &first.bucket_counts[..]), (&[0.5, 2.0][..], &[1, 2, 1][..]));
        assert_eq!((first.sum, first.count), (Some(9.5), 4));
        assert_eq!((&second.explicit_bounds[..], &second.bucket_counts[..]), (&[0.5][..], &[0, 1][..]));
    }
}
