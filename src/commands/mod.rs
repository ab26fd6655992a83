//! What each process is made of: the parts put together, started and stopped in order.

pub mod error;
pub mod serve;

mod backup;
mod closing;
mod config;
mod counting;
mod data_dir;
mod import;
mod lock_holders;
mod log;
mod memory;
mod metrics;
mod migrate;
mod monitor;
mod open_files;
mod operate;
mod privacy;
mod rehearsal;
mod reporting;
mod server;
mod setup;
mod signals;
mod storage;
mod tidying;
mod tls;
mod verify;
mod verifying;
mod with;
mod worker;
mod working;

use std::process::ExitCode;

pub use error::CommandError;
use reporting::Reporting;
pub use storage::Storage;

use crate::admin::output::complain;
use crate::config::{Command, JobsCommand, LoadError, Loaded, StorageOptions, fail_points, load};
use crate::{admin, fault};

/// Runs the command of this process. An error is one sentence on standard error and exit code 1; wrong arguments and a
/// wrong configuration file have exit code 2.
pub fn run() -> ExitCode {
    privacy::begin();
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
    let reporting = cli.reports().and_then(Reporting::start);
    if cli.reports().is_some() {
        reporting::log_panics();
    }
    let started =
        log::start(&cli.log, reporting.as_ref().map(Reporting::layer)).and_then(|()| Ok(fault::arm(&fail_points())?));
    for warning in &loaded.config.warnings {
        tracing::warn!("{warning}");
    }
    let done = started.and_then(|()| match loaded.cli.command {
        Command::Serve(options) => serve::serve(&options).map(|()| ExitCode::SUCCESS),
        Command::Worker(options) => worker::work(&options).map(|()| ExitCode::SUCCESS),
        Command::Migrate(options) => migrate::migrate(&options).map(|()| ExitCode::SUCCESS),
        Command::Monitor(options) => Ok(monitor::monitor(&options)),
        Command::Verify(options) => end_with_the_pipe().map(|()| verify::verify(&options)),
        Command::Backup(options) => backup::backup(&options),
        Command::Restore(options) => backup::restore(&options),
        Command::Config(command) => config::config(&command, &loaded.config),
        Command::With(options) => with::with(&options),
        Command::Admin(command) => {
            end_with_the_pipe().and_then(|()| operate::operate(command)).map(|()| ExitCode::SUCCESS)
        }
        Command::Jobs(command) => {
            end_with_the_pipe().and_then(|()| look_after_jobs(command)).map(|()| ExitCode::SUCCESS)
        }
    });
    if let Some(reporting) = reporting {
        reporting.close();
    }
    done.unwrap_or_else(|error| {
        complain!("{error}");
        ExitCode::FAILURE
    })
}

fn look_after_jobs(command: JobsCommand) -> Result<(), CommandError> {
    use crate::queue::inspection::Selection;
    match command {
        JobsCommand::List { failed, dead, done, limit, output, storage } => {
            let selection = match (failed, dead, done) {
                (true, _, _) => Selection::Failing,
                (_, true, _) => Selection::Dead,
                (_, _, true) => Selection::Done,
                _ => Selection::Owed,
            };
            on(&storage, |connection| admin::jobs::list(connection, selection, limit, output.json))
        }
        JobsCommand::Watch { interval, output, storage } => {
            on(&storage, |connection| admin::jobs::watch(connection, interval, output.json))
        }
        JobsCommand::Show { id, output, storage } => {
            on(&storage, |connection| admin::jobs::show(connection, id, output.json))
        }
        JobsCommand::Retry { ids, storage } => on(&storage, |connection| admin::jobs::retry(connection, &ids)),
        JobsCommand::Discard { id, reason, storage } => {
            on(&storage, |connection| admin::jobs::discard(connection, id, &reason))
        }
    }
}

/// A command whose answer nobody reads any more (`| head`) ends silently, as other programs do.
#[allow(unsafe_code)]
fn end_with_the_pipe() -> Result<(), CommandError> {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // Safety: the default action runs no code of ours.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }
        .map(drop)
        .map_err(|error| CommandError::from(std::io::Error::from(error)))
}

/// Runs an operator's command on the database of a registry, whether it is being served or not.
fn on(
    options: &StorageOptions,
    command: impl FnOnce(&mut diesel::PgConnection) -> Result<(), admin::AdminError>,
) -> Result<(), CommandError> {
    let storage = Storage::attach_or_start(options)?;
    let done = storage.connect().and_then(|mut connection| Ok(command(&mut connection)?));
    storage.close()?;
    done
}
