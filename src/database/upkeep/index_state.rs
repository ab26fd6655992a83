//! The state that workers on several machines share if the index has a remote: one row, whose fence each batch of index
//! jobs increments in the commit that ends it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{PgConnection, QueryResult};

use crate::statement::statement;

/// The channel on which a new head is announced; its payload is the commit.
pub const HEAD_CHANNEL: &str = "supercargo_index_head";

/// The shared state.
#[derive(QueryableByName, Debug, Clone, PartialEq, Eq)]
pub struct IndexState {
    /// A number that each commit that ends a batch increments.
    #[diesel(sql_type = BigInt)]
    pub fence: i64,
    /// The commit of the remote's branch at the end of the last batch.
    #[diesel(sql_type = Nullable<Text>)]
    pub head: Option<String>,
    /// The process that ended the last batch.
    #[diesel(sql_type = Nullable<Text>)]
    pub writer: Option<String>,
}

/// Reads the committed state.
pub fn read(connection: &mut PgConnection) -> QueryResult<IndexState> {
    statement("SELECT fence, head, writer FROM index_state").get_result(connection)
}

/// Locks the row until the end of the transaction, and returns the fence.
pub fn lock(connection: &mut PgConnection) -> QueryResult<i64> {
    let state: IndexState =
        statement("SELECT fence, head, writer FROM index_state FOR NO KEY UPDATE").get_result(connection)?;
    Ok(state.fence)
}

/// Increments the fence of the locked row, stores the new head, and announces the head at the commit.
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
