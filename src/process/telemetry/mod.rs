//! Export of traces and metrics by OTLP over HTTP: protobuf messages, sent by threads of their own.
//!
//! Spans come from the spans of the log, by a layer beside it. Metrics are the samples of `/metrics`. Neither waits for the
//! collector: finished spans wait in a queue of bounded length, and what does not fit is dropped and counted.

mod attributes;
mod exposition;
mod layer;
mod measures;
mod metrics_export;
mod points;
mod queue;
mod sender;
mod span_export;
mod spans;
mod stop;
mod waiting;

pub use layer::TraceLayer;
pub use measures::describe;
pub use metrics_export::MetricsExport;

use crate::config::{OtlpOptions, OtlpSettings};
use crate::process::CommandError;
use crate::trace;
use sender::Sender;
use span_export::SpanExport;
use stop::FLUSH;

/// The export of traces of a process, until it is closed.
pub struct Telemetry(Option<SpanExport>);

impl Telemetry {
    /// Starts the export of traces, if there is one. Warnings about variables are for the log, which starts later.
    pub fn start(options: &OtlpOptions) -> Result<(Self, Vec<String>), CommandError> {
        let (settings, mut warnings) = options.settings();
        let Some(OtlpSettings { traces: Some(traces), resource, .. }) = settings else {
            return Ok((Self(None), warnings));
        };
        let sender = match Sender::new("traces", &traces.target) {
            Ok(sender) => sender,
            Err(problem) => {
                warnings.push(format!("traces are not exported: {problem}"));
                return Ok((Self(None), warnings));
            }
        };
        trace::install(traces.sampler.clone());
        Ok((Self(Some(SpanExport::start(&traces, sender, attributes::of_process(&resource))?)), warnings))
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
