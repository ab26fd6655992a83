//! The watch, which enforces the time limits of a process's workers.
//!
//! A thread cannot be ended from outside. A job over its time limit is therefore cut off from everything it could still
//! do: its database session is ended, which releases its rows and makes its commit impossible; another thread records the
//! failure; and a new worker takes its place. The hung thread ends when its job returns.
//!
//! A thread that waits too long for the database (on a connection that was cut silently) is replaced in the same way.
//! Nothing needs to be recorded, since the row comes due again on its own.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Integer, Text};

use super::connection::LendExt;
use super::inner::Inner;
use super::measures::End;
use super::performing::{begin, commit, listed, unwind_to};
use super::runner_error::RunnerError;
use super::session::{self, SESSION_PREFIX};
use super::slot::Overdue;
use super::{helper, worker};
use crate::error_chain::ErrorChain;

/// Enforces time limits and replaces workers until the pool has stopped.
pub(super) fn watch<Env: Send + Sync + 'static>(inner: &Arc<Inner<Env>>) {
    let settings = &inner.settings;
    while let Some(watched) = inner.pool.watch(settings.watch_every, settings.database_timeout, settings.hung_pause) {
        for (queue, overdue) in watched.overdue {
            // In a thread of its own, because the database may not answer and the watch must not wait.
            let started = helper::start_counted(inner, "cut-off", move |inner| inner.cut_off(queue, &overdue));
            if let Err(error) = started {
                tracing::error!(queue, %error, "a job is over its time limit, and no thread could be started to record it");
            }
        }
        for queue in watched.missing {
            if let Err(error) = worker::start(inner, queue) {
                tracing::error!(queue, %error, "a worker could not be replaced");
            }
        }
    }
}

impl<Env: Send + Sync + 'static> Inner<Env> {
    /// Ends the session of an overdue worker and records why its jobs failed.
    fn cut_off(&self, queue: &'static str, overdue: &Overdue) {
        if overdue.claims.is_empty() {
            // The session's own time limits end it.
            tracing::error!(queue, "the database did not answer for {:?}; the worker is replaced", overdue.limit);
            return;
        }
        let jobs: Vec<_> = overdue.claims.iter().map(|claim| claim.id).collect();
        let kind = overdue.claims.first().map(|claim| claim.kind.as_str());
        let about = listed(overdue.claims.iter().filter_map(|claim| claim.key.as_deref()));
        let requests = listed(overdue.claims.iter().filter_map(|claim| claim.request_id.as_deref()));
        tracing::error!(?jobs, queue, kind, about, requests, limit = ?overdue.limit, "cut off: over the time limit");
        if let Err(error) = self.end_and_record(queue, overdue) {
            // The rows come due again on their own, and the starts are counted.
            tracing::error!(?jobs, queue, error = %ErrorChain::of(&error), "a cut-off could not be recorded");
        }
    }

    fn end_and_record(&self, queue: &'static str, overdue: &Overdue) -> Result<(), RunnerError> {
        let mut connection = self.source.connect().map_err(RunnerError::Connect)?;
        connection.with(|connection| {
            session::prepare(connection, &self.worker, queue, &self.settings)?;
            if overdue.session != 0 {
                sql_query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE pid = $1 AND datname = current_database() AND starts_with(application_name, $2)",
                )
                .bind::<Integer, _>(overdue.session)
                .bind::<Text, _>(SESSION_PREFIX)
                .execute(connection)?;
            }
            for claim in &overdue.claims {
                let text = format!("cut off: the job ran longer than {:?}, the time limit of its kind", overdue.limit);
                begin(connection)?;
                // Waits until the ended session has released the row.
                let recorded = self.record_failure(connection, queue, claim, &text, End::CutOff);
                match recorded {
                    Ok(()) => commit(connection)?,
                    Err(error) => {
                        unwind_to(connection, 0)?;
                        return Err(error);
                    }
                }
            }
            Ok(())
        })
    }
}
