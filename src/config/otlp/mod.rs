//! Options of the export of traces and metrics by OTLP, and the standard variables of OpenTelemetry.

mod variables;

use clap::Args;

use super::base_url::base_url;
pub use variables::{Headers, MetricSettings, OtlpSettings, Target, TraceSettings};

/// The option of telemetry. Without it, and without OpenTelemetry's own variables, nothing is exported.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Monitoring")]
pub struct OtlpOptions {
    /// Export traces and metrics by OTLP over HTTP: URL of an OpenTelemetry collector
    ///
    /// Spans are sent to URL/v1/traces and metrics to URL/v1/metrics. OpenTelemetry's standard variables set the rest:
    /// OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES and others.
    #[arg(long, env = "SUPERCARGO_OTLP_ENDPOINT", value_name = "URL", value_parser = base_url)]
    pub otlp_endpoint: Option<String>,
}

impl OtlpOptions {
    /// What is exported where, if anything is, and warnings about variables that are ignored.
    pub fn settings(&self) -> (Option<OtlpSettings>, Vec<String>) {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        variables::settings(self.otlp_endpoint.as_deref(), &variable)
    }
}
