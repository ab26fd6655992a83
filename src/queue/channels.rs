//! The NOTIFY channels of the queue.

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::{PgConnection, QueryResult, sql_query};

/// The channel that wakes the workers of a queue in all processes.
pub fn wake_channel(queue: &str) -> String {
    format!("{WAKE}{queue}")
}

const WAKE: &str = "supercargo_wake_";

/// The queue whose workers a channel wakes.
pub(super) fn queue_of(channel: &str) -> Option<&str> {
    channel.strip_prefix(WAKE)
}

/// The channel of finished jobs; its payload is their ids, separated by commas.
pub const FINISHED_CHANNEL: &str = "supercargo_finished";

/// Wakes the workers of a queue when the transaction commits.
pub(super) fn wake(connection: &mut PgConnection, queue: &str) -> QueryResult<()> {
    sql_query("SELECT pg_notify($1, '')").bind::<Text, _>(wake_channel(queue)).execute(connection).map(drop)
}
