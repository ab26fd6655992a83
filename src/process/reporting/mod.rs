//! Reports to Sentry: errors and panics of requests and jobs, and durations of a sample of them.
//!
//! A layer beside the log reads the fields of logged events and their spans, and nothing else. It has no access to headers,
//! bodies or queries, so none can get into a report. The client address in the span is omitted, and anything that looks like
//! a token is replaced. Without a DSN there is no layer.

mod event;
mod facts;
mod layer;
mod panics;

use std::sync::Arc;
use std::time::Duration;

use sentry::integrations::backtrace::ProcessStacktraceIntegration;
use sentry::transports::UreqHttpTransportOptions;
use sentry::{Client, ClientOptions, Transport, TransportFactory, TransportOptions};

pub use super::reporting::layer::ReportLayer;
pub use super::reporting::panics::log_panics;
use crate::config::SentryOptions;
use crate::monitor::http;

/// Time limit of one report.
const REPORT: Duration = Duration::from_secs(5);
/// How long shutdown waits for unsent reports.
const FLUSH: Duration = Duration::from_secs(2);

/// Sends reports until it is closed.
pub struct Reporting {
    client: Arc<Client>,
    traces: bool,
}

impl Reporting {
    /// None without a DSN.
    pub fn start(options: &SentryOptions) -> Option<Self> {
        let dsn = options.dsn()?;
        let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        let mut settings = ClientOptions::new()
            .release(release())
            .environment(options.sentry_environment.clone())
            .server_name(host)
            .traces_sample_rate(options.sentry_traces_sample_rate)
            .in_app_include(["supercargo"])
            .transport(Http)
            .add_integration(ProcessStacktraceIntegration);
        settings.dsn = Some(dsn);
        let client = Arc::new(Client::with_options(settings));
        Some(Self { client, traces: options.sentry_traces_sample_rate > 0.0 })
    }

    pub fn layer(&self) -> ReportLayer {
        ReportLayer::new(Arc::clone(&self.client), self.traces)
    }

    /// Sends the remaining reports within the time limit.
    pub fn close(self) {
        self.client.close(Some(FLUSH));
    }
}

/// The version, with the commit if `SUPERCARGO_COMMIT` was set at build time.
fn release() -> String {
    let version = concat!("supercargo@", env!("CARGO_PKG_VERSION"));
    option_env!("SUPERCARGO_COMMIT").map_or_else(|| version.to_owned(), |commit| format!("{version}+{commit}"))
}

/// Sentry's transport with the HTTP client of the monitor.
struct Http;

impl TransportFactory for Http {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn Transport> {
        Arc::new(UreqHttpTransportOptions::from(options).with_agent(http::agent(REPORT)).build())
    }
}
