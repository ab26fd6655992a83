//! What a span of the log records for its traces: the data of a span in each of them.

use std::borrow::Cow;
use std::time::{Instant, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanId, SpanKind, TraceId};
use tracing::Span;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

use super::parent::Parent;
use super::tracer::new_span_id;

/// The record of a span of the log, which the span has as an extension until it is closed.
#[derive(Debug, Clone)]
pub struct Record {
    pub name: Cow<'static, str>,
    pub kind: SpanKind,
    pub started_at: SystemTime,
    pub started: Instant,
    /// Attributes in all traces.
    pub attributes: Vec<KeyValue>,
    /// The span in each trace.
    pub members: Vec<Member>,
}

/// A span of one trace.
#[derive(Debug, Clone)]
pub struct Member {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub parent: Option<SpanId>,
    /// Whether the parent is of another process or an earlier time.
    pub has_remote_parent: bool,
    /// Its name, if it is not that of the record.
    pub name: Option<String>,
    /// Attributes in this trace.
    pub attributes: Vec<KeyValue>,
    /// Why the span failed, in one word.
    pub error: Option<Cow<'static, str>>,
    /// The place of a job in its batch.
    pub(super) place: usize,
}

impl Member {
    pub(super) fn new((trace_id, parent): (TraceId, Option<SpanId>)) -> Self {
        let has_remote_parent = parent.is_some();
        let span_id = new_span_id();
        let (name, attributes) = (None, Vec::new());
        Self { trace_id, span_id, parent, has_remote_parent, name, attributes, error: None, place: 0 }
    }

    fn child(&self) -> Self {
        Self { has_remote_parent: false, ..Self::new((self.trace_id, Some(self.span_id))) }
    }

    fn as_parent(&self) -> Parent {
        Parent { trace_id: self.trace_id, span_id: self.span_id, is_sampled: true }
    }
}

impl Record {
    pub(super) fn new(name: impl Into<Cow<'static, str>>, kind: SpanKind, members: Vec<Member>) -> Self {
        let (started_at, started) = (SystemTime::now(), Instant::now());
        Self { name: name.into(), kind, started_at, started, attributes: Vec::new(), members }
    }

    /// The record of a step within this span.
    pub fn step(&self, name: &'static str) -> Self {
        Self::new(name, SpanKind::Internal, self.members.iter().map(Member::child).collect())
    }

    /// What a job that is enqueued within the span has as its parent. Within a batch of several jobs there is none: it is not
    /// known for which of them the new job is enqueued.
    pub(super) fn as_parent(&self) -> Option<Parent> {
        match &self.members[..] {
            [only] => Some(only.as_parent()),
            _ => None,
        }
    }

    /// Makes this the record of a span.
    pub(super) fn attach(self, span: &Span) {
        with_span(span, |found| found.extensions_mut().replace(self));
    }
}

/// Calls `f` with the span in the registry of spans, if the span is open.
pub(super) fn with_span<T>(
    span: &Span,
    f: impl FnOnce(tracing_subscriber::registry::SpanRef<'_, Registry>) -> T,
) -> Option<T> {
    span.with_subscriber(|(id, dispatch)| Some(f(dispatch.downcast_ref::<Registry>()?.span(id)?))).flatten()
}
