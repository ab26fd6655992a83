//! The database sessions of workers: their names, settings, plans and advisory locks.
//!
//! PostgreSQL needs longer to plan a worker's statements than to run them, so a worker keeps its plans. A plan that was made
//! for few rows must not be bad for many (`KEPT_PLANS`). All statements are [planned again](Plans) now and then while
//! there is a backlog, and PostgreSQL itself plans them again after it has analysed a table.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Text};
use diesel::{PgConnection, QueryResult, sql_query};

use super::settings::Settings;
use crate::statement::KEPT_PLANS;

/// The names of workers' sessions begin with this.
pub(super) const SESSION_PREFIX: &str = "supercargo worker ";
/// Keeps the queue's advisory locks apart from those of other programs in the same database.
pub(super) const QUEUE_LOCKS: i64 = 0x7375_7065_7263;

/// Names the session and limits it: the database ends a session that is silent within a transaction, and one whose client
/// is gone. Gives the session's process id.
pub fn prepare(connection: &mut PgConnection, worker: &str, queue: &str, settings: &Settings) -> QueryResult<i32> {
    #[derive(QueryableByName)]
    struct Session {
        #[diesel(sql_type = Integer)]
        session: i32,
    }
    let database_timeout = settings.database_timeout.as_millis().to_string();
    let hold_timeout = settings.hold_timeout.as_millis().to_string();
    let name = format!("{SESSION_PREFIX}{worker} {queue}");
    let own = [
        ("application_name", name.as_str()),
        // Only a crash of the database loses anything, and then a count or work that is done again.
        ("synchronous_commit", "off"),
        ("lock_timeout", &hold_timeout),
        ("statement_timeout", &database_timeout),
        ("idle_in_transaction_session_timeout", &database_timeout),
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "10000"),
    ];
    for (setting, value) in own.into_iter().chain(KEPT_PLANS) {
        sql_query("SELECT set_config($1, $2, false)")
            .bind::<Text, _>(setting)
            .bind::<Text, _>(value)
            .execute(connection)?;
    }
    Ok(sql_query("SELECT pg_backend_pid() AS session").get_result::<Session>(connection)?.session)
}

/// The plans of a session.
pub struct Plans {
    since: Instant,
}

impl Plans {
    pub fn fresh() -> Self {
        Self { since: Instant::now() }
    }

    /// Has all statements planned again if the plans are older than `age`: the tables may have grown.
    pub fn renew(&mut self, connection: &mut PgConnection, age: Duration) -> QueryResult<()> {
        if self.since.elapsed() >= age {
            sql_query("DISCARD PLANS").execute(connection)?;
            *self = Self::fresh();
        }
        Ok(())
    }
}

/// Takes the advisory lock of a name for this session, unless another session has it. The lock ends with the session.
pub(super) fn lock_by_name(connection: &mut PgConnection, name: &str) -> QueryResult<bool> {
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
