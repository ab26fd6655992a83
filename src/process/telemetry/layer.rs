//! The layer beside the log that records spans for traces, and queues them when they end.

use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::SpanKind;
use opentelemetry::{KeyValue, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Recorded};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::spans::Finished;
use super::waiting::Spans;
use crate::trace::{Record, STEP};

/// The spans of the log that begin traces.
const ROOTS: [&str; 2] = ["request", "jobs"];
/// The log's field of a response's status, and the attribute.
const STATUS: (&str, &str) = ("status", "http.response.status_code");
/// The longest text in an attribute, in characters.
const LONGEST: usize = 256;

/// Records spans. It sees the fields of steps, and of requests the status alone.
pub struct TraceLayer(Arc<Spans>);

impl TraceLayer {
    pub(super) fn new(spans: Arc<Spans>) -> Self {
        Self(spans)
    }

    /// The spans that the layer needs.
    pub fn filter() -> FilterFn<fn(&Metadata<'_>) -> bool> {
        let needed: fn(&Metadata<'_>) -> bool = |metadata| {
            metadata.is_span()
                && (metadata.target() == STEP
                    || (ROOTS.contains(&metadata.name()) && metadata.target().starts_with("supercargo::")))
        };
        filter_fn(needed).with_max_level_hint(LevelFilter::TRACE)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TraceLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() != STEP {
            return;
        }
        let Some(span) = context.span(id) else { return };
        let around = span.scope().skip(1);
        let step = around
            .filter_map(|around| around.extensions().get::<Record>().map(|record| record.step(span.name())))
            .next();
        if let Some(mut step) = step {
            attributes.record(&mut Fields(&mut step.attributes));
            span.extensions_mut().replace(step);
        }
    }

    fn on_record(&self, id: &Id, values: &Recorded<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(record) = span.extensions_mut().get_mut::<Record>() {
            if span.metadata().target() == STEP {
                values.record(&mut Fields(&mut record.attributes));
            } else {
                values.record(&mut Status(record));
            }
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let record = context.span(&id).and_then(|span| span.extensions_mut().remove::<Record>());
        if let Some(mut record) = record {
            note_abortion(&mut record);
            let took = record.started.elapsed();
            self.0.add(Finished { ended_at: record.started_at + took, record });
        }
    }
}

/// A request without a status had no answer, because its client has gone.
fn note_abortion(record: &mut Record) {
    let has_status = || record.attributes.iter().any(|attribute| attribute.key.as_str() == STATUS.1);
    if record.kind == SpanKind::Server && !has_status() {
        for member in &mut record.members {
            member.error = Some("aborted".into());
        }
    }
}

/// Takes the status of a request out of its fields, and nothing else: the others name the client and the user.
struct Status<'a>(&'a mut Record);

impl Visit for Status<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() != STATUS.0 || self.0.kind != SpanKind::Server {
            return;
        }
        self.0.attributes.push(KeyValue::new(STATUS.1, i64::try_from(value).unwrap_or(i64::MAX)));
        if value >= 500 {
            for member in &mut self.0.members {
                member.error = Some(value.to_string().into());
            }
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

/// The fields of a step as attributes.
struct Fields<'a>(&'a mut Vec<KeyValue>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push(KeyValue::new(field.name(), value.into()));
    }
}

impl Visit for Fields<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.chars().take(LONGEST).collect::<String>());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
