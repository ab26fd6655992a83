//! Finished spans as messages of OTLP.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as proto, ResourceSpans, ScopeSpans, Span};

use super::attributes::{encoded, scope};
use crate::trace::{Member, Record};

/// Bits of a span's flags: sampled, whether the place of the parent is known, and whether it is in another process.
const SAMPLED: u32 = 0x001;
const PARENT_IS_KNOWN: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x200;

/// A span of the log that has ended.
pub(super) struct Finished {
    pub record: Record,
    pub ended_at: SystemTime,
}

impl Finished {
    /// The number of its spans.
    pub(super) fn count(&self) -> usize {
        self.record.members.len()
    }
}

/// The request that exports these spans.
pub(super) fn request(finished: Vec<Finished>, resource: &Resource) -> ExportTraceServiceRequest {
    let spans = finished.into_iter().flat_map(spans).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() }];
    let of_process = ResourceSpans { resource: Some(resource.clone()), scope_spans, ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![of_process] }
}

fn spans(Finished { record, ended_at }: Finished) -> impl Iterator<Item = Span> {
    let Record { name, kind, started_at, attributes, members, .. } = record;
    let (start_time_unix_nano, end_time_unix_nano) = (nanoseconds(started_at), nanoseconds(ended_at));
    members.into_iter().map(move |member| {
        let Member { trace_id, span_id, parent, has_remote_parent, name: own_name, attributes: own, error, .. } =
            member;
        let remote = if has_remote_parent { PARENT_IS_REMOTE } else { 0 };
        let status = error
            .as_ref()
            .map(|_| proto::Status { code: proto::status::StatusCode::Error.into(), ..proto::Status::default() });
        let error = error.map(|error| KeyValue::new("error.type", error));
        Span {
            trace_id: trace_id.to_bytes().to_vec(),
            span_id: span_id.to_bytes().to_vec(),
            parent_span_id: parent.map(|parent| parent.to_bytes().to_vec()).unwrap_or_default(),
            flags: SAMPLED | PARENT_IS_KNOWN | remote,
            name: own_name.unwrap_or_else(|| name.to_string()),
            kind: encoded_kind(&kind).into(),
            start_time_unix_nano,
            end_time_unix_nano,
            attributes: encoded(attributes.iter().cloned().chain(own).chain(error)),
            status,
            ..Span::default()
        }
    })
}

fn encoded_kind(kind: &SpanKind) -> proto::span::SpanKind {
    match kind {
        SpanKind::Client => proto::span::SpanKind::Client,
        SpanKind::Server => proto::span::SpanKind::Server,
        SpanKind::Producer => proto::span::SpanKind::Producer,
        SpanKind::Consumer => proto::span::SpanKind::Consumer,
        SpanKind::Internal => proto::span::SpanKind::Internal,
    }
}

pub(super) fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
