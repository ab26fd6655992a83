//! Where the log goes: standard error, so that standard output stays a command's answer.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::CommandError;
use crate::config::{LogFormat, LogOptions};

pub(super) fn start(options: &LogOptions) -> Result<(), CommandError> {
    let filter = EnvFilter::try_new(&options.log)
        .map_err(|error| CommandError::while_doing(format!("{:?} is no log filter", options.log), error))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match options.log_format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
