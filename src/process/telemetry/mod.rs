//! Export of traces and metrics by OTLP over HTTP: protobuf messages, sent by threads of their own.
//!
//! Spans come from the spans of the log, by a layer beside it. Metrics are the samples of `/metrics`. Neither waits for the
//! collector: finished spans wait in a queue of bounded length, and what does not fit is dropped and counted.

mod attributes;
mod exposition;
mod layer;
mod metrics_export;
mod points;
mod queue;
mod sender;
mod span_export;
mod spans;
mod stop;

use std::time::Duration;

pub use layer::TraceLayer;
pub use metrics_export::MetricsExport;

use crate::config::{OtlpOptions, OtlpSettings};
use crate::process::CommandError;
use crate::trace;
use span_export::SpanExport;

/// How long the end of the process waits for the last request of each signal.
const FLUSH: Duration = Duration::from_secs(2);

/// Spans of this process that were not exported, by reason.
pub const DROPPED: &str = "supercargo_otlp_spans_dropped_total";
/// Requests to the collector, by signal and outcome.
pub const REQUESTS: &str = "supercargo_otlp_requests_total";

/// Registers the help texts.
pub fn describe() {
    metrics::describe_counter!(
        DROPPED,
        "Spans that were not exported, by reason: queue_full, no_answer, refused or shutdown"
    );
    metrics::describe_counter!(REQUESTS, "Requests to the OTLP collector by signal and outcome: accepted or failed");
}

/// The export of traces of a process, until it is closed.
pub struct Telemetry(Option<SpanExport>);

impl Telemetry {
    /// Starts the export of traces, if there is one. Warnings about variables are for the log, which starts later.
    pub fn start(options: &OtlpOptions) -> Result<(Self, Vec<String>), CommandError> {
        let (settings, warnings) = options.settings();
        let Some(OtlpSettings { traces: Some(traces), resource, .. }) = settings else {
            return Ok((Self(None), warnings));
        };
        trace::install(traces.sampler.clone());
        Ok((Self(Some(SpanExport::start(&traces, attributes::of_process(&resource))?)), warnings))
    }

    /// The layer that records spans.
    pub fn layer(&self) -> Option<TraceLayer> {
        self.0.as_ref().map(SpanExport::layer)
    }

    /// Sends the remaining spans within the time limit.
    pub fn close(self) {
        if let Some(export) = self.0 {
            export.close(FLUSH);
        }
    }
}
