//! What a collector receives, decoded with OpenTelemetry's own types.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use prost::Message;

use crate::support::event::wait_for;
use crate::support::process::Served;
use crate::support::recorder::{Recorded, Recorder};

pub const TRACES: &str = "/v1/traces";
pub const METRICS: &str = "/v1/metrics";

/// A span, and the attributes of the process that sent it.
#[derive(Debug, Clone)]
pub struct Received {
    pub span: Span,
    pub resource: BTreeMap<String, String>,
}

impl Received {
    pub fn attribute(&self, name: &str) -> Option<String> {
        texts(&self.span.attributes).remove(name)
    }

    pub fn is_child_of(&self, other: &Self) -> bool {
        self.span.trace_id == other.span.trace_id && self.span.parent_span_id == other.span.span_id
    }

    pub fn has_failed(&self) -> bool {
        self.span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
    }

    pub fn kind(&self) -> SpanKind {
        self.span.kind()
    }

    pub fn trace(&self) -> String {
        self.span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Attributes as text.
pub fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::BoolValue(is) => is.to_string(),
        other => panic!("{other:?}"),
    };
    let value = |attribute: &KeyValue| text(attribute.value.as_ref().unwrap().value.as_ref().unwrap());
    attributes.iter().map(|attribute| (attribute.key.clone(), value(attribute))).collect()
}

/// The body of a request, unpacked.
fn body(request: &Recorded) -> Vec<u8> {
    let Some(encoding) = request.find("content-encoding") else { return request.body.clone() };
    assert_eq!(encoding, "gzip");
    let mut unpacked = Vec::new();
    GzDecoder::new(&*request.body).read_to_end(&mut unpacked).unwrap();
    unpacked
}

pub fn spans_of(request: &Recorded) -> Vec<Received> {
    assert_eq!(request.header("content-type"), "application/x-protobuf");
    let message = ExportTraceServiceRequest::decode(&*body(request)).unwrap();
    let mut spans = Vec::new();
    for of_process in message.resource_spans {
        let resource = texts(&of_process.resource.unwrap().attributes);
        for scope in of_process.scope_spans {
            assert_eq!(scope.scope.unwrap().name, "supercargo");
            spans.extend(scope.spans.into_iter().map(|span| Received { span, resource: resource.clone() }));
        }
    }
    spans
}

/// All spans so far.
pub fn spans(collector: &Recorder) -> Vec<Received> {
    collector.accepted(TRACES).iter().flat_map(spans_of).collect()
}

/// Waits for a number of spans of this name, and gives all so far.
pub fn wait_for_spans(collector: &Recorder, name: &str, count: usize) -> Vec<Received> {
    wait_for(name, || {
        let spans = spans(collector);
        let found = spans.iter().filter(|received| received.span.name == name).count();
        assert!(found <= count, "{found} of {name}");
        (found == count).then_some(spans)
    })
}

/// The only span of a name.
pub fn only<'a>(spans: &'a [Received], name: &str) -> &'a Received {
    let found: Vec<_> = spans.iter().filter(|received| received.span.name == name).collect();
    assert_eq!(found.len(), 1, "{name} in {:?}", spans.iter().map(|one| &one.span.name).collect::<Vec<_>>());
    found[0]
}

/// The metrics of the last request, with the resource.
pub fn metrics(collector: &Recorder) -> Option<(Vec<Metric>, BTreeMap<String, String>)> {
    let last = collector.accepted(METRICS).pop()?;
    let message = ExportMetricsServiceRequest::decode(&*last.body).unwrap();
    let [of_process] = &message.resource_metrics[..] else { panic!("{message:?}") };
    let resource = texts(&of_process.resource.as_ref().unwrap().attributes);
    Some((of_process.scope_metrics[0].metrics.clone(), resource))
}

/// Sends spans at once.
pub const AT_ONCE: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "20");

/// A registry that exports to a collector.
pub fn exporting(collector: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Served {
    let mut served = Served::stopped().logging("info");
    served.set_arguments(&[&["--otlp-endpoint", collector], arguments].concat());
    served.set_variables(&[AT_ONCE]);
    served.set_variables(variables);
    served.start_again();
    served
}
