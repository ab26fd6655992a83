//! The log on standard error, and the layers that report its events to Sentry and its spans as traces, whatever the log
//! filter is.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

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
        let log =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| OneLine(io::stderr())).with_ansi(ansi);
        match options.log_format {
            LogFormat::Text => log.with_target(false).init(),
            LogFormat::Json => log.json().init(),
        }
        return Ok(());
    }
    let log = tracing_subscriber::fmt::layer().with_writer(|| OneLine(io::stderr())).with_ansi(ansi);
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

/// Writes each event as one line. The layer writes an event at once, with a line break at its end; those inside come from
/// messages, such as libpq's, and the rest of a message would be taken for an entry without a time.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write_all(&one_line(event))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// An event with ` | ` for each line break inside, without empty lines and indentation.
fn one_line(event: &[u8]) -> Cow<'_, [u8]> {
    let text = event.trim_ascii_end();
    if !text.contains(&b'\n') {
        return Cow::Borrowed(event);
    }
    let lines: Vec<&[u8]> =
        text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).collect();
    let mut line = lines.join(&b" | "[..]);
    line.push(b'\n');
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_several_lines_is_one_line_of_the_log() {
        let message = "server closed the connection unexpectedly\n\tThis probably means\n\n\tthat it ended\n";
        let mut log = Vec::new();
        for event in [format!("WARN next attempt shortly error={message}\n"), "INFO started\n".to_owned()] {
            OneLine(&mut log).write_all(event.as_bytes()).unwrap();
        }
        let expected = "WARN next attempt shortly error=server closed the connection unexpectedly | This probably means | \
                        that it ended\nINFO started\n";
        assert_eq!(String::from_utf8(log).unwrap(), expected);
    }
}
