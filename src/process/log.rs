//! The log on standard error, and the layer that sends the same events to Sentry whatever the log filter is.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::c_output;
use super::reporting::ReportLayer;
use crate::config::{LogFormat, LogOptions};
use crate::process::CommandError;

/// Starts the log, which has what C libraries print from then on.
pub fn start(options: &LogOptions, reports: Option<ReportLayer>) -> Result<(), CommandError> {
    c_output::log_what_libraries_print();
    let filter = EnvFilter::try_new(&options.log)
        .map_err(|error| CommandError::while_doing(format!("--log: {:?} is not a log filter", options.log), error))?;
    let ansi = std::io::stderr().is_terminal();
    let Some(reports) = reports else {
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
        match options.log_format {
            LogFormat::Text => log.with_target(false).init(),
            LogFormat::Json => log.json().init(),
        }
        return Ok(());
    };
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi);
    let log = match options.log_format {
        LogFormat::Text => log.with_target(false).with_filter(filter).boxed(),
        LogFormat::Json => log.json().with_filter(filter).boxed(),
    };
    // Failed jobs are logged as warnings.
    tracing_subscriber::registry().with(log).with(reports.with_filter(LevelFilter::WARN)).init();
    Ok(())
}
