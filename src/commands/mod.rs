//! The subcommands, one file each.

mod admin;
mod advisory;
mod backup;
mod bundle;
mod completions;
mod config;
mod database;
mod docs;
mod import;
mod index;
mod jobs;
mod man;
mod migrate;
mod monitor;
mod publisher;
mod reserve;
mod restore;
mod serve;
mod set;
mod upstream;
mod verify;
mod webhook;
mod with;
mod worker;

use std::process::ExitCode;

use crate::admin::output::complain;
use crate::config::{Command, LoadError, Loaded, fail_points, load};
use crate::fault;
use crate::process::operator_command::end_with_the_pipe;
use crate::process::reporting::{self, Reporting};
use crate::process::signals::kept_from_threads;
use crate::process::telemetry::Telemetry;
use crate::process::{hardening, log};

/// Runs the command of this process. An error is one sentence on standard error and exit code 1; wrong arguments and a
/// wrong configuration file have exit code 2.
pub fn run() -> ExitCode {
    hardening::begin();
    match load() {
        Ok(loaded) => run_loaded(loaded),
        Err(LoadError::Arguments(error)) => error.exit(),
        Err(LoadError::File(problems)) => {
            for problem in problems {
                complain!("{problem}");
            }
            ExitCode::from(2)
        }
    }
}

fn run_loaded(loaded: Loaded) -> ExitCode {
    let cli = &loaded.cli;
    let reporting = kept_from_threads(|| cli.reports().and_then(Reporting::start));
    if cli.reports().is_some() {
        reporting::log_panics();
    }
    let (telemetry, warnings) = match kept_from_threads(|| cli.telemetry().map(Telemetry::start).transpose()) {
        Ok(started) => started.unzip(),
        Err(error) => {
            complain!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let layers = (reporting.as_ref().map(Reporting::layer), telemetry.as_ref().and_then(Telemetry::layer));
    let started = log::start(&cli.log, layers.0, layers.1).and_then(|()| Ok(fault::arm(&fail_points())?));
    for warning in loaded.config.warnings.iter().chain(warnings.iter().flatten()) {
        tracing::warn!("{warning}");
    }
    let done = started.and_then(|()| match loaded.cli.command {
        Command::Serve(options) => serve::serve(&options).map(|()| ExitCode::SUCCESS),
        Command::Worker(options) => worker::work(&options).map(|()| ExitCode::SUCCESS),
        Command::Migrate(options) => migrate::migrate(&options).map(|()| ExitCode::SUCCESS),
        Command::Database(command) => database::database(&command).map(|()| ExitCode::SUCCESS),
        Command::Monitor(options) => Ok(monitor::monitor(&options)),
        Command::Verify(options) => end_with_the_pipe().map(|()| verify::verify(&options)),
        Command::Backup(options) => backup::backup(&options),
        Command::Restore(options) => restore::restore(&options),
        Command::Config(command) => end_with_the_pipe().and_then(|()| config::config(&command, &loaded.config)),
        Command::With(options) => with::with(&options),
        Command::Completions(options) => {
            end_with_the_pipe().and_then(|()| completions::completions(&options)).map(|()| ExitCode::SUCCESS)
        }
        Command::Man(options) => end_with_the_pipe().and_then(|()| man::man(&options)).map(|()| ExitCode::SUCCESS),
        Command::Admin(command) => end_with_the_pipe().and_then(|()| admin::admin(command)).map(|()| ExitCode::SUCCESS),
        Command::Webhook(command) => {
            end_with_the_pipe().and_then(|()| webhook::webhook(command)).map(|()| ExitCode::SUCCESS)
        }
        Command::Publisher(command) => {
            end_with_the_pipe().and_then(|()| publisher::publisher(command)).map(|()| ExitCode::SUCCESS)
        }
        Command::Set(command) => end_with_the_pipe().and_then(|()| set::set(command)).map(|()| ExitCode::SUCCESS),
        Command::Upstream(command) => end_with_the_pipe().and_then(|()| upstream::upstream(command)),
        Command::Bundle(command) => end_with_the_pipe().and_then(|()| bundle::bundle(command)),
        Command::Advisory(command) => {
            end_with_the_pipe().and_then(|()| advisory::advisory(command)).map(|()| ExitCode::SUCCESS)
        }
        Command::Docs(command) => end_with_the_pipe().and_then(|()| docs::docs(command)).map(|()| ExitCode::SUCCESS),
        Command::Index(command) => end_with_the_pipe().and_then(|()| index::index(command)),
        Command::Jobs(command) => end_with_the_pipe().and_then(|()| jobs::jobs(command)).map(|()| ExitCode::SUCCESS),
    });
    if let Some(telemetry) = telemetry {
        telemetry.close();
    }
    if let Some(reporting) = reporting {
        reporting.close();
    }
    done.unwrap_or_else(|error| {
        complain!("{error}");
        ExitCode::FAILURE
    })
}
