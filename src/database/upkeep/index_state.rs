//! What workers on several machines agree about, when the index is at a remote. One row, which each batch of the index's
//! jobs raises by one in the commit that ends it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{PgConnection, QueryResult};

use crate::statement::statement;

/// The channel on which a new head is announced; its payload is the commit.
pub const HEAD_CHANNEL: &str = "supercargo_index_head";

/// The row.
#[derive(QueryableByName, Debug, Clone, PartialEq, Eq)]
pub struct IndexState {
    /// Raised by each commit that ends a batch.
    #[diesel(sql_type = BigInt)]
    pub fence: i64,
    /// The commit that the remote's branch was at when the last batch ended.
    #[diesel(sql_type = Nullable<Text>)]
    pub head: Option<String>,
    /// Which process ended it.
    #[diesel(sql_type = Nullable<Text>)]
    pub writer: Option<String>,
}

/// Reads it as it is committed.
pub fn read(connection: &mut PgConnection) -> QueryResult<IndexState> {
    statement("SELECT fence, head, writer FROM index_state").get_result(connection)
}

/// Locks it to the end of the transaction, and answers the fence as it is then.
pub fn lock(connection: &mut PgConnection) -> QueryResult<i64> {
    let state: IndexState =
        statement("SELECT fence, head, writer FROM index_state FOR NO KEY UPDATE").get_result(connection)?;
    Ok(state.fence)
}

/// Raises the fence of the locked row, with the head that was noted, and announces that head at the commit.
pub fn note(connection: &mut PgConnection, head: &str, writer: &str) -> QueryResult<()> {
    statement(
        "WITH noted AS (
            UPDATE index_state SET fence = fence + 1, head = $1, writer = $2, updated_at = now() RETURNING head)
         SELECT head, pg_notify($3, head) FROM noted",
    )
    .bind::<Text, _>(head)
    .bind::<Text, _>(writer)
    .bind::<Text, _>(HEAD_CHANNEL)
    .execute(connection)
    .map(drop)
}
