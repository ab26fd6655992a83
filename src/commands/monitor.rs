//! `supercargo monitor`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chrono::Utc;
use serde_json::Value;

use crate::admin::output::{flush, print_json_line, say};
use crate::checks::finding::{Finding, Severity};
use crate::checks::worst;
use crate::config::MonitorOptions;
use crate::error_chain::ErrorChain;
use crate::index::Remote;
use crate::monitor::checks::{self, Watched};
use crate::monitor::delivery::{self, Receivers};
use crate::monitor::event::{Action, Event};
use crate::monitor::http::Http;
use crate::monitor::incidents::Rules;
use crate::monitor::state::StateFile;
use crate::monitor::{CHECK_TIMEOUT, MonitorError, report};
use crate::package::characters::plain;
use crate::process::CommandError;
use crate::process::signals::Signals;
use crate::process::{hardening, storage};

/// Monitoring systems read the exit code: 0 ok, 1 warning, 2 critical, 3 the check itself failed.
pub(super) fn monitor(options: &MonitorOptions) -> ExitCode {
    match run(options) {
        Ok(severity) => ExitCode::from(severity.exit_code()),
        Err(error) => {
            say!("SUPERCARGO UNKNOWN - {}", plain(&error.to_string()));
            ExitCode::from(Severity::Unknown.exit_code())
        }
    }
}

fn run(options: &MonitorOptions) -> Result<Severity, CommandError> {
    for file in options.pages.pagerduty_key_file.iter().chain(&options.pages.webhook_secret_file) {
        hardening::warn_of_readers(file, "the secret");
    }
    if options.test_page {
        return test_page(options);
    }
    let mut monitor = Monitor::of(options)?;
    if !options.watch {
        let findings = monitor.round();
        monitor.print(&findings)?;
        return Ok(worst(&findings));
    }
    let signals = Signals::block()?;
    let (notify, stop) = mpsc::channel();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        // The receiver is gone when the monitor has failed.
        let _ = notify.send(signals.wait().map(|signal| signal.to_string()));
    })?;
    monitor.watch(&stop)?;
    Ok(Severity::Ok)
}

/// The index's remote, with the time limit of the other checks.
fn remote(options: &MonitorOptions) -> Result<Option<Remote>, CommandError> {
    options.check().map_err(CommandError::new)?;
    let mut index = options.index.clone();
    index.index_push_timeout = index.index_push_timeout.min(CHECK_TIMEOUT);
    storage::remote(&options.storage, &index)
}

struct Monitor<'a> {
    options: &'a MonitorOptions,
    watched: Watched,
    rules: Rules,
    /// None without receivers; then no state is kept either.
    pages: Option<(Receivers, StateFile)>,
}

impl<'a> Monitor<'a> {
    fn of(options: &'a MonitorOptions) -> Result<Self, CommandError> {
        let http = Http::new(CHECK_TIMEOUT);
        let pages = match options.pages.has_receivers() {
            true => Some((Receivers::of(options, http.clone())?, StateFile::open(&state_path(options)?)?)),
            false => None,
        };
        Ok(Self { options, watched: Watched::new(options, http, remote(options)?)?, rules: rules(options), pages })
    }

    /// Checks once, and pages.
    fn round(&mut self) -> Vec<Finding> {
        let findings = checks::run_all(&self.watched);
        if let Some((receivers, file)) = &mut self.pages {
            for event in self.rules.apply(&mut file.state, &findings, &receivers.names(), Utc::now()) {
                let (action, check, summary) = (event.action.word(), event.check, event.summary);
                tracing::warn!(action, check, summary, "an incident");
            }
            file.keep();
            receivers.deliver(file);
        }
        findings
    }

    fn print(&self, findings: &[Finding]) -> Result<(), CommandError> {
        if self.options.json {
            let pages = self.pages.as_ref().map_or(Value::Null, |(_, file)| delivery::describe(file));
            print_json_line(&report::json(&self.rules.name, Utc::now(), findings, &pages))?;
        } else {
            say!("{}", report::line(findings));
        }
        Ok(flush()?)
    }

    /// Checks at intervals until a signal arrives. Prints a line when a severity changes; with --json after each check.
    fn watch(&mut self, stop: &Receiver<Result<String, CommandError>>) -> Result<(), CommandError> {
        let mut printed = Vec::new();
        loop {
            let next = Instant::now() + self.options.interval;
            let findings = self.round();
            let state: Vec<Severity> = findings.iter().map(|finding| finding.severity).collect();
            if self.options.json || state != printed {
                self.print(&findings)?;
                printed = state;
            }
            loop {
                let wait = self.until_next_retry().min(next.saturating_duration_since(Instant::now()));
                match stop.recv_timeout(wait) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                    Ok(signal) => {
                        tracing::info!("{}: the monitor stops", signal?);
                        return Ok(());
                    }
                }
                if let Some((receivers, file)) = &mut self.pages {
                    receivers.deliver(file);
                }
                if Instant::now() >= next {
                    break;
                }
            }
        }
    }

    fn until_next_retry(&self) -> Duration {
        let at = self.pages.as_ref().and_then(|(_, file)| delivery::next_retry(file));
        at.map_or(Duration::MAX, |at| (at - Utc::now()).to_std().unwrap_or(Duration::from_millis(10)))
    }
}

fn rules(options: &MonitorOptions) -> Rules {
    let pages = &options.pages;
    Rules { name: pages.name.clone(), page_after: pages.page_after, page_from: pages.page_from }
}

fn state_path(options: &MonitorOptions) -> Result<PathBuf, MonitorError> {
    match &options.pages.monitor_state {
        Some(path) => Ok(path.clone()),
        None => Ok(options.storage.data_dir().map_err(MonitorError::DataDir)?.monitor_state()),
    }
}

/// Opens a test incident at every receiver and resolves it.
fn test_page(options: &MonitorOptions) -> Result<Severity, CommandError> {
    let receivers = Receivers::of(options, Http::new(CHECK_TIMEOUT))?;
    if receivers.names().is_empty() {
        return Err(MonitorError::NoReceivers.into());
    }
    let name = &options.pages.name;
    let at = Utc::now();
    let key = format!("{name}/test/{}", at.timestamp_millis());
    let mut worst = Severity::Ok;
    for action in [Action::Trigger, Action::Resolve] {
        let event = Event {
            action,
            key: key.clone(),
            source: name.clone(),
            check: "test".to_owned(),
            severity: Severity::Critical,
            summary: "test page: no action needed, it resolves itself".to_owned(),
            details: Value::Null,
            since: at,
            at,
        };
        for (receiver, sent) in receivers.send_to_all(&event) {
            match sent {
                Ok(()) => say!("{receiver}: accepted the {}", action.word()),
                Err(error) => {
                    worst = Severity::Critical;
                    say!("{receiver}: failed to accept the {}: {}", action.word(), ErrorChain::of(&error));
                }
            }
        }
    }
    Ok(worst)
}
