//! The export of metrics: at an interval, what `/metrics` answers.

use std::time::SystemTime;

use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use tokio::runtime::{Builder, Runtime};

use super::sender::Sender;
use super::stop::{FLUSH, Stop, Worker};
use super::{attributes, points};
use crate::config::{MetricSettings, OtlpOptions, OtlpSettings};
use crate::process::CommandError;
use crate::web::metrics::Metrics;

/// The running export.
pub struct MetricsExport {
    stop: Stop,
    worker: Worker,
}

impl MetricsExport {
    /// Starts the export, if there is one and its certificate can be read. Warnings about variables are logged with those of
    /// traces.
    pub fn start(options: &OtlpOptions, metrics: &Metrics) -> Result<Option<Self>, CommandError> {
        let (Some(OtlpSettings { metrics: Some(settings), resource, .. }), _) = options.settings() else {
            return Ok(None);
        };
        let sender = match Sender::new("metrics", &settings.target) {
            Ok(sender) => sender,
            Err(problem) => {
                tracing::warn!("metrics are not exported: {problem}");
                return Ok(None);
            }
        };
        let exporter = Exporter {
            metrics: metrics.clone(),
            sender,
            resource: attributes::of_process(&resource),
            // For the limits of time within a reading.
            runtime: Builder::new_current_thread().enable_time().build()?,
            started_at: SystemTime::now(),
        };
        let stop = Stop::default();
        let requested = stop.clone();
        let worker = Worker::start("otlp metrics", move || exporter.run(&settings, &requested))?;
        Ok(Some(Self { stop, worker }))
    }

    /// Sends the last values within the time limit.
    pub fn close(self) {
        self.stop.request();
        if !self.worker.wait(FLUSH) {
            tracing::warn!("the collector did not accept the last metrics in time");
        }
    }
}

struct Exporter {
    metrics: Metrics,
    sender: Sender,
    resource: Resource,
    runtime: Runtime,
    started_at: SystemTime,
}

impl Exporter {
    fn run(mut self, settings: &MetricSettings, stop: &Stop) {
        while !stop.wait(settings.interval) {
            self.export();
        }
        self.export();
    }

    /// Metrics are cumulative: the next request makes up for one that failed.
    fn export(&mut self) {
        let text = self.runtime.block_on(self.metrics.text());
        let text = String::from_utf8_lossy(&text);
        let request = points::request(&text, &self.resource, self.started_at, SystemTime::now());
        // The sender has logged a failure.
        let _ = self.sender.send(&request.encode_to_vec());
    }
}
