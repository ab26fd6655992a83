//! The layer beside the log that turns events and spans into reports.

use std::sync::Arc;
use std::time::SystemTime;

use sentry::protocol::SpanStatus;
use sentry::{Client, Hub, Scope, Transaction, TransactionContext};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::facts::Facts;
use super::{event, panics};

/// Spans whose fields and durations are reported.
const REQUEST: &str = "request";
const JOBS: &str = "jobs";
/// Requests of machines every few seconds, whose durations are not reported.
const NOT_TIMED: [&str; 2] = ["/health/", "/metrics"];

/// Reports logged errors and failed jobs.
pub struct ReportLayer {
    client: Arc<Client>,
    /// Starts transactions, if a sample rate is set.
    traces: Option<Hub>,
}

/// The data of an open span.
struct Open {
    facts: Facts,
    transaction: Option<Transaction>,
}

impl ReportLayer {
    pub(super) fn new(client: Arc<Client>, traces: bool) -> Self {
        let traces = traces.then(|| Hub::new(Some(Arc::clone(&client)), Arc::new(Scope::default())));
        Self { client, traces }
    }

    fn begin(&self, name: &str, facts: &Facts) -> Option<Transaction> {
        let hub = self.traces.as_ref()?;
        if facts.text("path").is_some_and(|path| NOT_TIMED.iter().any(|prefix| path.starts_with(prefix))) {
            return None;
        }
        let operation = if name == REQUEST { "http.server" } else { "queue.process" };
        Some(hub.start_transaction(TransactionContext::new(&transaction_name(name, facts), operation)))
    }
}

/// `GET /api/v1/crates/{crate}`, `jobs publish_version`.
fn transaction_name(span: &str, facts: &Facts) -> String {
    let text = |name| facts.text(name).unwrap_or_default();
    match span {
        REQUEST => format!("{} {}", text("method"), facts.text("route").unwrap_or("(no route)")),
        _ => format!("jobs {}", text("kind")),
    }
}

/// Whether an event is reported: errors of the registry itself, and failed jobs. A repeated failure of a job is reported
/// once.
fn is_reported(metadata: &Metadata<'_>, facts: &Facts) -> bool {
    if !metadata.target().starts_with("supercargo") {
        return false;
    }
    match *metadata.level() {
        Level::ERROR => true,
        Level::WARN => facts.text("message") == Some("a job failed") && !facts.is("again") && !facts.is("panicked"),
        _ => false,
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ReportLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let name = attributes.metadata().name();
        if name != REQUEST && name != JOBS {
            return;
        }
        let mut facts = Facts::default();
        attributes.record(&mut facts);
        if let Some(span) = context.span(id) {
            let transaction = self.begin(name, &facts);
            span.extensions_mut().insert(Open { facts, transaction });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            values.record(&mut open.facts);
        }
    }

    fn on_event(&self, logged: &Event<'_>, context: Context<'_, S>) {
        if *logged.metadata().level() > Level::WARN {
            return;
        }
        let mut facts = Facts::default();
        logged.record(&mut facts);
        if !is_reported(logged.metadata(), &facts) {
            return;
        }
        let is_panic = logged.metadata().target() == panics::TARGET;
        let mut around = Vec::new();
        for span in context.event_scope(logged).into_iter().flatten() {
            if let Some(open) = span.extensions().get::<Open>() {
                let trace = open.transaction.as_ref().map(Transaction::get_trace_context);
                around.push(event::Around {
                    name: transaction_name(span.name(), &open.facts),
                    facts: open.facts.clone(),
                    trace,
                });
            }
        }
        self.client.capture_event(event::of(&facts, around, *logged.metadata().level(), is_panic), None);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let open = context.span(&id).and_then(|span: SpanRef<'_, S>| span.extensions_mut().remove::<Open>());
        let Some(Open { facts, transaction: Some(transaction) }) = open else { return };
        for (name, value) in event::reported(&facts) {
            transaction.set_data(&name, value);
        }
        transaction.set_status(status(&facts));
        transaction.finish_with_timestamp(SystemTime::now());
    }
}

/// The status of a request. A batch of jobs has none.
fn status(facts: &Facts) -> SpanStatus {
    match facts.fields.get("status").and_then(serde_json::Value::as_u64) {
        None | Some(100..=399) => SpanStatus::Ok,
        Some(401) => SpanStatus::Unauthenticated,
        Some(403) => SpanStatus::PermissionDenied,
        Some(404) => SpanStatus::NotFound,
        Some(409) => SpanStatus::AlreadyExists,
        Some(429) => SpanStatus::ResourceExhausted,
        Some(503) => SpanStatus::Unavailable,
        Some(400..=499) => SpanStatus::InvalidArgument,
        Some(_) => SpanStatus::InternalError,
    }
}
