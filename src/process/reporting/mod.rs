//! What is reported to Sentry: errors and panics of requests and jobs, and how long some of them took.
//!
//! Reports are made of what is logged and of nothing else. A layer beside the log reads the fields of events and of the
//! spans around them; it never meets a header, a body or a query, so none can get into a report. The address of the
//! client is in the span and is left out, and so is whatever looks like a token. Without a DSN there is no layer.

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

/// How long one report may take.
const REPORT: Duration = Duration::from_secs(5);
/// How long the end of the process waits for reports that are not sent yet.
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

    /// Sends what is not sent yet, as far as that takes no longer than it may.
    pub fn close(self) {
        self.client.close(Some(FLUSH));
    }
}

/// The version, and the commit if whoever built it said so in `SUPERCARGO_COMMIT`.
fn release() -> String {
    let version = concat!("supercargo@", env!("CARGO_PKG_VERSION"));
    option_env!("SUPERCARGO_COMMIT").map_or_else(|| version.to_owned(), |commit| format!("{version}+{commit}"))
}

/// Sentry's own transport, by the same kind of requests as pages.
struct Http;

impl TransportFactory for Http {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn Transport> {
        Arc::new(UreqHttpTransportOptions::from(options).with_agent(http::agent(REPORT)).build())
    }
}
