//! The descriptions of crates, soon after the jobs that changed what the index shows of them.

use std::time::Duration;

use diesel::connection::SimpleConnection;

use super::{Intervals, Scheduled, Stopped};
use crate::database::Pool;
use crate::database::pool::Dedicated;
use crate::jobs::describing;
use crate::process::CommandError;
use crate::queue::Completions;
use crate::statement::KEPT_PLANS;

/// When to look for pending descriptions without a wake-up: those of a process that was killed, for example.
const INTERVALS: Intervals = Intervals { first: Duration::ZERO, then: Duration::from_secs(5) };
/// The time between two runs. What is published meanwhile is described together.
const PAUSE: Duration = Duration::from_millis(50);

/// Starts the schedule, which `completions` wake after each commit of a job. A stop takes effect after the current portion;
/// the others stay pending.
pub fn start(pool: &Pool, completions: &Completions) -> Result<Scheduled, CommandError> {
    let pool = pool.clone();
    let mut session: Option<Dedicated> = None;
    let scheduled = Scheduled::start("describe", "describe crates", INTERVALS, move |stopped: &Stopped| {
        // After an error, or if the server was replaced, another session is opened.
        let mut current = match session.take().filter(|session| !session.is_outdated()) {
            Some(session) => session,
            None => open(&pool)?,
        };
        current.with(|connection| describing::run(connection, &|| stopped.is_set()))??;
        session = Some(current);
        std::thread::sleep(PAUSE);
        Ok(())
    })?;
    completions.watch(scheduled.waker());
    Ok(scheduled)
}

/// Opens a session whose commits do not wait for the disk: a description that is lost is pending again.
fn open(pool: &Pool) -> Result<Dedicated, CommandError> {
    let mut session = pool.dedicated()?;
    let mut settings = "SET application_name = 'supercargo descriptions'; SET synchronous_commit = off;
         SET lock_timeout = '5s'; SET statement_timeout = '60s'"
        .to_owned();
    for (setting, value) in KEPT_PLANS {
        settings.push_str(&format!("; SET {setting} = {value}"));
    }
    session.with(|connection| connection.batch_execute(&settings))??;
    Ok(session)
}
