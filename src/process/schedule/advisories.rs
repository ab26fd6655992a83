//! Reading the sources of advisories: one process of an installation at a time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::PgConnection;

use super::{Intervals, Scheduled, Stopped};
use crate::advisory_sources::{Outcome, RefreshError, Refresher};
use crate::config::{AdvisoryOptions, AdvisorySource};
use crate::database::Pool;
use crate::database::advisories::sources::{self, Source};
use crate::index::{GitProgram, Reach};
use crate::process::{CommandError, Storage};

/// How often to look whether a refresh is due: another process may have made it.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// The pause after a refresh that has failed, if the interval is not shorter.
const AGAIN: Duration = Duration::from_secs(5 * 60);
/// The longest that a command of git takes.
const LIMIT: Duration = Duration::from_secs(10 * 60);
/// The largest pack, in bytes. That of RustSec's database has less than 3 MiB.
const MAX_PACK: u64 = 256 * 1024 * 1024;

struct Advisories {
    pool: Pool,
    refresher: Refresher,
    sources: Vec<AdvisorySource>,
    interval: Duration,
}

/// Starts the schedule; None if there are no sources.
pub fn start(
    storage: &Storage,
    (pool, git): (&Pool, &GitProgram),
    options: &AdvisoryOptions,
) -> Result<Option<Scheduled>, CommandError> {
    if options.advisories.is_empty() {
        return Ok(None);
    }
    declare(&mut storage.connect()?, options)?;
    let advisories = Advisories {
        pool: pool.clone(),
        refresher: refresher(storage, git),
        sources: options.advisories.clone(),
        interval: options.advisories_refresh,
    };
    let intervals = Intervals { first: Duration::ZERO, then: CHECK_EVERY.min(options.advisories_refresh) };
    Scheduled::start("advisories", "read advisories", intervals, move |stopped| advisories.run(stopped)).map(Some)
}

/// Notes the sources, also if this process does not read them: the monitor then knows of them.
pub fn declare(connection: &mut PgConnection, options: &AdvisoryOptions) -> Result<(), CommandError> {
    for AdvisorySource { upstream, place } in &options.advisories {
        sources::declare(connection, upstream, &place.to_string())?;
    }
    Ok(())
}

/// What reads the sources of a registry.
pub fn refresher(storage: &Storage, git: &GitProgram) -> Refresher {
    let reach = Reach { git: git.clone(), environment: AdvisoryOptions::passed_on(), limit: LIMIT, max_pack: MAX_PACK };
    Refresher { reach, work: storage.data_dir.advisories() }
}

impl Advisories {
    fn run(&self, stopped: &Stopped) -> Result<(), CommandError> {
        if self.pool.with(|connection| self.due(connection))??.is_empty() {
            return Ok(());
        }
        self.pool.dedicated()?.with(|session| self.run_in(session, stopped))?
    }

    fn run_in(&self, session: &mut PgConnection, stopped: &Stopped) -> Result<(), CommandError> {
        if !sources::try_lock(session)? {
            return Ok(());
        }
        // Another process may have refreshed between the check and the lock, which ends with the session.
        for upstream in self.due(session)? {
            if stopped.is_set() {
                break;
            }
            let done = self.refresher.run(session, &upstream, false);
            log(&upstream, &done);
        }
        Ok(())
    }

    fn due(&self, session: &mut PgConnection) -> Result<Vec<String>, CommandError> {
        let now = Utc::now();
        let own = |source: &Source| self.sources.iter().any(|one| one.upstream == source.upstream);
        let due = sources::list(session)?.into_iter().filter(|source| own(source) && self.is_due(source, now));
        Ok(due.map(|source| source.upstream).collect())
    }

    fn is_due(&self, source: &Source, now: DateTime<Utc>) -> bool {
        let pause = if source.problem.is_some() { self.interval.min(AGAIN) } else { self.interval };
        let pause = TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX);
        // A clock that was set back makes it due as well.
        source.checked_at.is_none_or(|at| at > now || now - at >= pause)
    }
}

fn log(upstream: &str, done: &Result<Outcome, RefreshError>) {
    match done {
        Ok(Outcome::Unchanged) => {}
        Ok(Outcome::Read { advisories, changes, skipped }) => {
            if changes.is_any() {
                let (added, changed, vanished) = (changes.added, changes.changed, changes.vanished);
                tracing::info!(upstream, advisories, added, changed, vanished, "read the advisories about an upstream");
            }
            if let Some(first) = skipped.first() {
                let (files, file, problem) = (skipped.len(), &first.file, &first.problem);
                tracing::warn!(
                    upstream,
                    files,
                    file,
                    problem,
                    "files with advisories cannot be read, and the former ones count: see `supercargo advisory status`"
                );
            }
        }
        Err(error) => {
            let error = crate::error_chain::ErrorChain::of(error);
            tracing::error!(upstream, %error, "the advisories about an upstream cannot be refreshed: the former ones count");
        }
    }
}
