//! The export of spans: a queue, and a thread that sends batches of it.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::layer::TraceLayer;
use super::sender::{Failure, Sender};
use super::spans::{Finished, request};
use super::stop::{Stop, Worker};
use super::waiting::Spans;
use crate::config::TraceSettings;
use crate::process::CommandError;

/// Pauses between the attempts to send a batch. After the last one it is dropped.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// The running export.
pub(super) struct SpanExport {
    spans: Arc<Spans>,
    stop: Stop,
    worker: Worker,
}

impl SpanExport {
    pub(super) fn start(settings: &TraceSettings, sender: Sender, resource: Resource) -> Result<Self, CommandError> {
        let spans = Arc::new(Spans::new(settings.queue, settings.batch));
        let stop = Stop::default();
        let mut exporter = Exporter { spans: Arc::clone(&spans), stop: stop.clone(), sender, resource };
        let delay = settings.delay;
        let worker = Worker::start("otlp traces", move || exporter.run(delay))?;
        Ok(Self { spans, stop, worker })
    }

    pub(super) fn layer(&self) -> TraceLayer {
        TraceLayer::new(Arc::clone(&self.spans))
    }

    /// Sends what is queued, as far as the time suffices.
    pub(super) fn close(self, limit: Duration) {
        self.stop.request();
        self.spans.queue.close();
        if !self.worker.wait(limit) {
            tracing::warn!("the collector did not accept the last spans in time");
        }
    }
}

struct Exporter {
    spans: Arc<Spans>,
    stop: Stop,
    sender: Sender,
    resource: Resource,
}

impl Exporter {
    fn run(&mut self, delay: Duration) {
        while let Some(finished) = self.spans.queue.next(delay) {
            if !finished.is_empty() {
                self.export(finished);
            }
        }
    }

    fn export(&mut self, finished: Vec<Finished>) {
        let count = finished.iter().map(Finished::count).sum();
        let message = request(finished, &self.resource).encode_to_vec();
        let mut pauses = PAUSES.iter();
        loop {
            match self.sender.send(&message) {
                Ok(answer) => return self.note_rejected(&answer),
                Err(Failure::Refused) => return self.spans.dropped(count, "refused"),
                Err(Failure::NoAnswer) => {}
            }
            let Some(pause) = pauses.next() else { return self.spans.dropped(count, "no_answer") };
            if self.stop.wait(*pause) {
                return self.spans.dropped(count, "shutdown");
            }
        }
    }

    /// The collector may accept a part of a batch.
    fn note_rejected(&self, answer: &[u8]) {
        let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
        if let Ok(rejected @ 1..) = usize::try_from(rejected) {
            self.spans.dropped(rejected, "refused");
        }
    }
}
