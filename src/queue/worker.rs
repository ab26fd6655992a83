//! A worker thread: one connection, one turn after another, until it is told to stop.

use std::sync::atomic::Ordering;
use std::time::Duration;

use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Integer, Text};

use super::JobError;
use super::connection::LendExt;
use super::cycle::Turn;
use super::registry::Workers;
use super::runner::{Inner, RunnerError};
use super::worker_pool::Slot;

/// How long a worker that can't reach the database waits at most before it tries again.
const RECONNECT_CAP: Duration = Duration::from_secs(5);
/// Sessions of workers have names that begin so.
pub(super) const SESSION_PREFIX: &str = "supercargo worker ";
/// Keeps our advisory locks on queues apart from those of other programs in the same database.
pub(super) const QUEUE_LOCKS: i64 = 0x7375_7065_7263;

impl<Env: Send + Sync + 'static> Inner<Env> {
    pub(super) fn work(&self, queue: &'static str, slot: &Slot) {
        let mut failures = 0;
        while !self.crew.is_stopping() && !slot.is_cut_off() {
            match self.work_while_connected(queue, slot, &mut failures) {
                Ok(()) | Err(RunnerError::CutOff) => break,
                Err(error) => {
                    slot.session.store(0, Ordering::SeqCst);
                    let wait = Duration::from_millis(100).saturating_mul(1 << failures.min(10)).min(RECONNECT_CAP);
                    failures += 1;
                    tracing::warn!(queue, failures, error = %JobError::from(error), "the worker goes on in {wait:?}");
                    self.crew.pause(wait);
                }
            }
        }
    }

    /// Works on one connection until told to stop; an error means that the connection is to be thrown away.
    fn work_while_connected(&self, queue: &'static str, slot: &Slot, failures: &mut u32) -> Result<(), RunnerError> {
        slot.talks()?;
        let mut connection = self.source.connect().map_err(RunnerError::Connect)?;
        let session = connection.with(|connection| self.prepare_session(connection, queue))?;
        slot.session.store(session, Ordering::SeqCst);
        let mut may_take = self.registry.workers_of(queue) != Workers::OneInAll;
        let mut attendance = None;
        while !self.crew.is_stopping() {
            let ticket = self.wakeups.ticket();
            if !may_take {
                slot.talks()?;
                may_take = connection.with(|connection| lock_by_name(connection, queue))?;
                if may_take {
                    attendance.get_or_insert_with(|| self.wakeups.attend(queue));
                    tracing::debug!(queue, worker = self.worker, "this worker takes the queue's jobs");
                }
            }
            let turn = if may_take { self.turn(&mut *connection, queue, slot)? } else { Turn::Idle };
            *failures = 0;
            if let Turn::Idle = turn {
                slot.rests();
                self.wakeups.wait(ticket, self.settings.poll.mul_f64(rand::random_range(0.8..1.2)));
            }
        }
        Ok(())
    }

    /// Names the session, and bounds what it may do without being asked: the database ends one that fell silent within a
    /// transaction, and one whose other end is gone. Answers its process number.
    pub(super) fn prepare_session(
        &self,
        connection: &mut PgConnection,
        queue: &str,
    ) -> Result<i32, diesel::result::Error> {
        #[derive(QueryableByName)]
        struct Session {
            #[diesel(sql_type = Integer)]
            session: i32,
        }
        let talk_limit = self.settings.talk_limit.as_millis().to_string();
        let hold_timeout = self.settings.hold_timeout.as_millis().to_string();
        let name = format!("{SESSION_PREFIX}{} {queue}", self.worker);
        for (setting, value) in [
            ("application_name", name.as_str()),
            // What may be lost then, and only if the database itself crashes, is a count, or work that is done again.
            ("synchronous_commit", "off"),
            // A plan made for an empty table would be kept for a full one.
            ("plan_cache_mode", "force_custom_plan"),
            ("lock_timeout", &hold_timeout),
            ("statement_timeout", &talk_limit),
            ("idle_in_transaction_session_timeout", &talk_limit),
            ("tcp_keepalives_idle", "5"),
            ("tcp_keepalives_interval", "2"),
            ("tcp_keepalives_count", "3"),
            ("tcp_user_timeout", "10000"),
        ] {
            sql_query("SELECT set_config($1, $2, false)")
                .bind::<Text, _>(setting)
                .bind::<Text, _>(value)
                .execute(connection)?;
        }
        Ok(sql_query("SELECT pg_backend_pid() AS session").get_result::<Session>(connection)?.session)
    }
}

/// Takes a name for this session, if no other session has it. The lock ends with the session.
pub(super) fn lock_by_name(connection: &mut PgConnection, name: &str) -> Result<bool, diesel::result::Error> {
    #[derive(QueryableByName)]
    struct Taken {
        #[diesel(sql_type = Bool)]
        taken: bool,
    }
    sql_query("SELECT pg_try_advisory_lock(hashtextextended($1, $2)) AS taken")
        .bind::<Text, _>(name)
        .bind::<BigInt, _>(QUEUE_LOCKS)
        .get_result::<Taken>(connection)
        .map(|row| row.taken)
}
