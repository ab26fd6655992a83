//! `supercargo index`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diesel::{Connection, PgConnection};
use indicatif::ProgressBar;
use serde_json::json;

use crate::admin::output::{complain, print_json, say};
use crate::config::{ExportOptions, IndexCommand};
use crate::database::upkeep::index_exports;
use crate::index::Index;
use crate::jobs::index_export::{self, Destination, Done, ExportError, Exporter, LIMIT, Lag, Progress, Scope, is_held};
use crate::process::buckets::index_export;
use crate::process::data_dir::permissions::refuse_root_in_a_directory_of_others;
use crate::process::operator_command::stop_on_signal;
use crate::process::progress::Shown;
use crate::process::signals::Signals;
use crate::process::{CommandError, Storage};

/// How long to wait for another process that exports.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two attempts to get its lock.
const POLL: Duration = Duration::from_millis(200);

pub(super) fn index(command: IndexCommand) -> Result<ExitCode, CommandError> {
    let IndexCommand::Export(options) = command;
    options.export.check(options.crate_store.crate_store.as_ref(), false).map_err(CommandError::new)?;
    options.crate_store.check(true).map_err(CommandError::new)?;
    options.index.check().map_err(CommandError::new)?;
    let destination = index_export(&options.export, &options.crate_store)?
        .ok_or_else(|| CommandError::new("where to? set --index-export s3://BUCKET/PREFIX, as for `serve`"))?;
    refuse_root_in_a_directory_of_others(&options.storage)?;
    let signals = Signals::block()?;
    let storage = Storage::attach_or_start(&options.storage)?;
    let done = run(&options, &storage, &destination, signals);
    let closed = storage.close();
    let code = done?;
    closed?;
    Ok(code)
}

fn run(
    options: &ExportOptions,
    storage: &Storage,
    destination: &Destination,
    signals: Signals,
) -> Result<ExitCode, CommandError> {
    let watcher = Watcher::new(stop_on_signal(signals)?);
    let index = storage.index_or_mirror(&options.storage, &options.index)?;
    let mut connection = storage.connect()?;
    if options.status {
        return status(&mut connection, &index, destination, options.json);
    }
    let scope = match (options.full, options.rewrite) {
        (_, true) => Scope::Rewrite,
        (true, _) => Scope::Everything,
        _ => Scope::Changes,
    };
    let owes = scope != Scope::Changes;
    let mut attempts =
        Attempts { index: &index, destination, scope, watcher: &watcher, owes, first: None, waits_since: None };
    let done = attempts.all(&mut connection);
    drop(watcher);
    let name = destination.bucket.name();
    match done? {
        Some((commit, Done { written, removed, unchanged, .. })) => say!(
            "{name} has the index as of commit {commit}: {written} files written, {removed} removed, {unchanged} looked at and \
             right."
        ),
        None => say!("{name} is up to date."),
    }
    Ok(ExitCode::SUCCESS)
}

/// What an export does, in attempts.
struct Attempts<'a> {
    index: &'a Index,
    destination: &'a Destination,
    scope: Scope,
    watcher: &'a Watcher,
    /// An invalidation of everything has to be noted before the next attempt.
    owes: bool,
    /// The number of the first attempt of a rewrite: what has it need not be written again.
    first: Option<i64>,
    waits_since: Option<Instant>,
}

impl Attempts<'_> {
    /// Exports in attempts of a limited time, each in a transaction that has the lock; None if there was nothing to do.
    fn all(&mut self, connection: &mut PgConnection) -> Result<Option<(String, Done)>, CommandError> {
        let key = self.destination.key();
        index_exports::declare(connection, &key)?;
        loop {
            if self.owes {
                self.owes = !index_exports::owe_invalidation(connection, &key)?;
            }
            let attempted =
                if self.owes { Ok(None) } else { connection.transaction(|connection| self.once(connection)) };
            match attempted {
                // The second look found wrong files, which the next attempt writes.
                Ok(Some((_, done))) if done.owes => self.waits_since = None,
                Ok(Some(done)) => return Ok(Some(done)),
                Ok(None) if !self.owes && self.is_current(connection)? => return Ok(None),
                Ok(None) => self.wait()?,
                Err(ExportError::OutOfTime(objects)) if objects > 0 => {
                    tracing::info!("{objects} objects were written in the time of one attempt: the next one goes on");
                    self.waits_since = None;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// None if another process has the lock or there is nothing to do.
    fn once(&mut self, connection: &mut PgConnection) -> Result<Option<(String, Done)>, ExportError> {
        let begun = index_export::begin(connection, self.index, self.destination, self.scope)?;
        let Some(mut begun) = begun else { return Ok(None) };
        // Another process may have exported since it was noted.
        self.owes = self.scope != Scope::Changes && !begun.state.invalidates_all;
        if self.owes {
            return Ok(None);
        }
        if self.scope == Scope::Rewrite {
            begun.since = *self.first.get_or_insert(begun.since);
        }
        let until = Instant::now() + LIMIT;
        let exporter = Exporter { index: self.index, destination: self.destination, until, progress: self.watcher };
        let mut done = exporter.carry_out(&begun, &mut || is_held(connection));
        if let Err(ExportError::Superseded { theirs, .. }) = done {
            exporter.raise(connection, &mut begun, theirs)?;
            done = exporter.carry_out(&begun, &mut || is_held(connection));
        }
        let done = done?;
        exporter.record(connection, &begun, &done)?;
        Ok(Some((begun.commit.to_string(), done)))
    }

    /// Waits for another process for a moment.
    fn wait(&mut self) -> Result<(), CommandError> {
        let since = *self.waits_since.get_or_insert_with(|| {
            complain!("another process exports; waiting");
            Instant::now()
        });
        if since.elapsed() > PATIENCE || self.watcher.is_stopped() {
            return Err(CommandError::new("another process exports the index: try again when it is done"));
        }
        std::thread::sleep(POLL);
        Ok(())
    }

    /// Whether an export of changes has nothing to do, rather than no lock.
    fn is_current(&self, connection: &mut PgConnection) -> Result<bool, CommandError> {
        let head = self.index.head()?.commit.map(|head| head.to_string());
        let state = index_exports::find(connection, &self.destination.key())?.filter(|state| !state.invalidates_all);
        Ok(head.is_none() || self.scope == Scope::Changes && state.and_then(|state| state.commit_id) == head)
    }
}

fn status(
    connection: &mut PgConnection,
    index: &Index,
    destination: &Destination,
    as_json: bool,
) -> Result<ExitCode, CommandError> {
    let state = index_exports::find(connection, &destination.key())?;
    let head = index.head()?.commit;
    let lag = match (&state, head) {
        (Some(state), Some(head)) => Lag::of(index, state, head)?,
        _ => None,
    };
    let (exported, at) = state.map_or((None, None), |state| (state.commit_id, state.exported_at));
    let name = destination.bucket.name();
    if as_json {
        print_json(&json!({
            "destination": name, "commit": exported, "exported_at": at, "head": head.map(|head| head.to_string()),
            "commits_behind": lag.map(|lag| lag.commits), "seconds_behind": lag.map(|lag| lag.seconds),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let since = at.map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
    match (exported, lag) {
        (None, _) => say!("{name}: no export is complete"),
        (Some(commit), Some(Lag { commits: 0, .. })) => say!("{name}: current, commit {commit}, exported at {since}"),
        (Some(commit), Some(Lag { commits, seconds })) => {
            say!("{name}: {commits} commits and {seconds} s behind, commit {commit}, exported at {since}");
        }
        (Some(commit), None) => {
            say!(
                "{name}: commit {commit}, exported at {since}, which does not lead to the head: all files will be compared"
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Progress, until a signal stops the command.
struct Watcher {
    stopped: Arc<AtomicBool>,
    shown: Shown,
}

impl Watcher {
    fn new(stopped: Arc<AtomicBool>) -> Self {
        Self { stopped, shown: Shown::new("{elapsed} {wide_bar} {pos}/{len} files, {eta} left") }
    }
}

impl Progress for Watcher {
    fn at(&self, done: usize, of: usize) {
        let advance = |bar: &ProgressBar| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        };
        self.shown.show(advance, || tracing::info!("exported {done} of {of} files"));
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
