//! The log on standard error, and the layers that report its events to Sentry and its spans as traces, whatever the log
//! filter is.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::c_output;
use super::reporting::ReportLayer;
use super::telemetry::TraceLayer;
use crate::config::{LogFormat, LogOptions};
use crate::process::CommandError;

/// Starts the log, which has what C libraries print from then on.
pub fn start(
    options: &LogOptions,
    reports: Option<ReportLayer>,
    traces: Option<TraceLayer>,
) -> Result<(), CommandError> {
    c_output::log_what_libraries_print();
    let filter = EnvFilter::try_new(&options.log)
        .map_err(|error| CommandError::while_doing(format!("--log: {:?} is not a log filter", options.log), error))?;
    let ansi = std::io::stderr().is_terminal();
    if reports.is_none() && traces.is_none() {
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
        match options.log_format {
            LogFormat::Text => log.with_target(false).init(),
            LogFormat::Json => log.json().init(),
        }
        return Ok(());
    }
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi);
    let log = match options.log_format {
        LogFormat::Text => log.with_target(false).with_filter(filter).boxed(),
        LogFormat::Json => log.json().with_filter(filter).boxed(),
    };
    // Failed jobs are logged as warnings.
    let reports = reports.map(|reports| reports.with_filter(LevelFilter::WARN));
    let traces = traces.map(|traces| traces.with_filter(TraceLayer::filter()));
    tracing_subscriber::registry().with(log).with(reports).with(traces).init();
    Ok(())
}
